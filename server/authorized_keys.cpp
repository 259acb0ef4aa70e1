#include "server/authorized_keys.hpp"

#include "common/bytes.hpp"
#include "common/codec.hpp"
#include "common/error.hpp"
#include "common/files.hpp"
#include "server/account.hpp"

#include <algorithm>
#include <optional>

#include <sys/stat.h>

namespace rc {

namespace {

constexpr std::size_t largest_file = 16 * 1024 * 1024;
constexpr mode_t writable_by_others = S_IWGRP | S_IWOTH;

template <class Array>
Array take_base64(std::string_view text, const char* what) {
    const auto bytes = from_base64(text);
    Array array;
    if (!bytes || bytes->size() != array.size()) {
        throw Error(
            ErrorCode::bad_message, std::string("the ") + what + " is not " + std::to_string(array.size()) + " bytes in base64");
    }
    std::ranges::copy(*bytes, array.begin());
    return array;
}

void add_problem(AuthorizedKeys& result, std::size_t line, const std::string& problem) {
    result.problems.push_back("line " + std::to_string(line) + ": " + problem);
}

// Who is not root can run commands as nobody else.
void refuse_other_users(AuthorizedKeys& result) {
    const std::string own = own_account().name;
    std::erase_if(result.keys, [&](const auto& entry) {
        const AuthorizedKey& key = entry.second;
        const std::vector<std::string>& users = key.options.users;
        const bool usable = users.empty() || std::ranges::count(users, own) > 0;
        if (!usable)
            add_problem(result, key.line, "user= does not name " + own + ", and this server runs commands as nobody else");
        return !usable;
    });
}

void take_line(std::string_view line, std::size_t number, bool need_user, AuthorizedKeys& result) {
    const std::size_t begin = line.find_first_not_of(" \t\r");
    if (begin == std::string_view::npos || line[begin] == '#') return;
    if (line.size() > longest_line) throw Error(ErrorCode::too_large, "longer than " + std::to_string(longest_line) + " bytes");
    const std::vector<std::string> words = split_line(line);
    if (words.size() < 5) throw Error(ErrorCode::bad_message, "not KEY_ID hmac-sha256 SALT STOREDKEY SERVERKEY");
    if (!valid_key_id(words[0])) throw Error(ErrorCode::bad_message, "'" + escape(words[0], 64) + "' is not a key id");
    if (words[1] != "hmac-sha256") throw Error(ErrorCode::unsupported, "unknown kind of key '" + escape(words[1], 64) + "'");
    AuthorizedKey key;
    key.line = number;
    key.verifier.salt = take_base64<Salt>(words[2], "salt");
    key.verifier.stored_key = take_base64<Digest>(words[3], "stored key");
    key.verifier.server_key = take_base64<Digest>(words[4], "server key");
    for (const std::string& option : std::span(words).subspan(5)) take_option(option, key.options);
    if (need_user && key.options.users.empty()) {
        throw Error(
            ErrorCode::forbidden, "no user=NAME, which a server that is run by root needs to know whom to run commands as");
    }
    result.some_expire = result.some_expire || key.options.expires;
    if (!result.keys.emplace(words[0], std::move(key)).second) {
        throw Error(ErrorCode::conflict, "key id '" + words[0] + "' is on an earlier line already");
    }
}

} // namespace

AuthorizedKeys parse_authorized_keys(std::string_view text, bool need_user) {
    AuthorizedKeys result;
    for (std::size_t number = 1; !text.empty(); ++number) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        try {
            take_line(text.substr(0, end), number, need_user, result);
        } catch (const Error& error) {
            add_problem(result, number, error.what());
        }
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return result;
}

AuthorizedKeys read_authorized_keys(const std::filesystem::path& file, bool need_user) {
    if (!std::filesystem::exists(file)) {
        throw Error(
            ErrorCode::internal, file.string() + ": there is no such file; make it with the line that 'rcmd keygen' prints");
    }
    AuthorizedKeys result = parse_authorized_keys(read_guarded(file, writable_by_others, largest_file), need_user);
    if (!need_user) refuse_other_users(result);
    return result;
}

} // namespace rc
