#include "client/key_file.hpp"

#include "client/failure.hpp"
#include "common/bytes.hpp"
#include "common/codec.hpp"
#include "common/error.hpp"
#include "common/files.hpp"

#include <algorithm>
#include <span>
#include <string_view>

#include <sys/stat.h>

namespace rc {

namespace {

constexpr mode_t open_to_others = S_IRWXG | S_IRWXO;
constexpr std::size_t largest_file = 4096;

[[noreturn]] void fail(const std::string& problem) { throw Failure("no_key", problem); }

constexpr std::string_view blanks = " \t\r\n\v\f";

// Takes a word off the front; in place, so that no copy of it stays anywhere.
std::string_view take_word(std::string_view& rest) {
    rest.remove_prefix(std::min(rest.find_first_not_of(blanks), rest.size()));
    const std::string_view word = rest.substr(0, rest.find_first_of(blanks));
    rest.remove_prefix(word.size());
    return word;
}

Key parse_key(std::string_view content, const std::filesystem::path& file) {
    const std::string_view kind = take_word(content);
    const std::string_view version = take_word(content);
    Key key;
    key.id = take_word(content);
    auto bytes = from_base64(take_word(content));
    const bool good = kind == "rcmd-key" && version == "1" && valid_key_id(key.id) && bytes &&
                      bytes->size() == key.secret.size() && take_word(content).empty();
    if (good) std::ranges::copy(*bytes, key.secret.begin());
    if (bytes) wipe(*bytes);
    if (!good) fail(file.string() + ": not a key of rcmd; make one with 'rcmd keygen -f FILE'");
    return key;
}

} // namespace

Key read_key(const std::filesystem::path& file) {
    std::error_code ignored;
    if (!std::filesystem::exists(std::filesystem::symlink_status(file, ignored))) {
        fail(file.string() + ": there is no key; make one with 'rcmd keygen', or name another with -i");
    }
    try {
        std::string content = read_guarded(file, open_to_others, largest_file);
        Key key = parse_key(content, file);
        wipe(std::as_writable_bytes(std::span(content)));
        return key;
    } catch (const Error& error) {
        fail(error.what());
    }
}

void write_key(const std::filesystem::path& file, const Key& key) {
    try {
        write_new(file, 0600, "rcmd-key 1 " + key.id + ' ' + to_base64(key.secret) + '\n');
    } catch (const Error& error) {
        const bool exists = error.code() == ErrorCode::conflict;
        fail(error.what() +
             std::string(exists ? "; a new key would make it useless, so move it away or choose another with -f" : ""));
    }
}

std::string authorized_line(const Key& key) {
    const Salt salt = make_random<Salt>();
    const ClientKeys keys = derive_keys(key.secret, salt);
    return key.id + " hmac-sha256 " + to_base64(salt) + ' ' + to_base64(keys.stored_key) + ' ' + to_base64(keys.server_key);
}

} // namespace rc
