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

std::vector<std::string_view> split(std::string_view text, std::string_view separators) {
    std::vector<std::string_view> parts;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find_first_of(separators), text.size());
        if (end > 0) parts.push_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return parts;
}

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

void take_option(std::string_view option, AuthorizedKey& key) {
    constexpr std::string_view user = "user=";
    if (!option.starts_with(user)) {
        throw Error(ErrorCode::unsupported, "unknown option '" + escape(option, 64) + "'");
    }
    if (!key.users.empty()) throw Error(ErrorCode::bad_message, "user= is there twice");
    for (std::string_view rest = option.substr(user.size());;) {
        const std::size_t end = std::min(rest.find(','), rest.size());
        if (end == 0) throw Error(ErrorCode::bad_message, "user= has an empty name");
        key.users.emplace_back(rest.substr(0, end));
        if (end == rest.size()) return;
        rest.remove_prefix(end + 1);
    }
}

void add_problem(AuthorizedKeys& result, std::size_t line, const std::string& problem) {
    result.problems.push_back("line " + std::to_string(line) + ": " + problem);
}

// Who is not root can run commands as nobody else.
void refuse_other_users(AuthorizedKeys& result) {
    const std::string own = own_account().name;
    std::erase_if(result.keys, [&](const auto& entry) {
        const AuthorizedKey& key = entry.second;
        const bool usable = key.users.empty() || std::ranges::count(key.users, own) > 0;
        if (!usable)
            add_problem(result, key.line, "user= does not name " + own + ", and this server runs commands as nobody else");
        return !usable;
    });
}

void take_line(std::string_view line, std::size_t number, bool need_user, AuthorizedKeys& result) {
    const std::vector<std::string_view> words = split(line, " \t\r");
    if (words.empty() || words.front().starts_with('#')) return;
    if (words.size() < 5) throw Error(ErrorCode::bad_message, "not KEY_ID hmac-sha256 SALT STOREDKEY SERVERKEY");
    if (!valid_key_id(words[0])) throw Error(ErrorCode::bad_message, "'" + escape(words[0], 64) + "' is not a key id");
    if (words[1] != "hmac-sha256") throw Error(ErrorCode::unsupported, "unknown kind of key '" + escape(words[1], 64) + "'");
    AuthorizedKey key;
    key.line = number;
    key.verifier.salt = take_base64<Salt>(words[2], "salt");
    key.verifier.stored_key = take_base64<Digest>(words[3], "stored key");
    key.verifier.server_key = take_base64<Digest>(words[4], "server key");
    for (const std::string_view option : std::span(words).subspan(5)) take_option(option, key);
    if (need_user && key.users.empty()) {
        throw Error(
            ErrorCode::forbidden, "no user=NAME, which a server that is run by root needs to know whom to run commands as");
    }
    if (!result.keys.emplace(words[0], std::move(key)).second) {
        throw Error(ErrorCode::conflict, "key id '" + std::string(words[0]) + "' is on an earlier line already");
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
