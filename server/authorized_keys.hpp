// The file that says which keys may log in, and as whom.
#pragma once

#include "common/auth.hpp"
#include "server/key_options.hpp"

#include <chrono>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace rc {

struct AuthorizedKey {
    Verifier verifier;
    std::size_t line{}; // where it stands in the file, from 1
    KeyOptions options;
};

// The keys of a file as it was when it was read. Lines: `KEY_ID hmac-sha256 SALT STOREDKEY SERVERKEY [OPTION…]`, the three in base64;
// empty lines and lines that begin with # are skipped.
struct AuthorizedKeys {
    std::map<std::string, AuthorizedKey, std::less<>> keys;
    std::vector<std::string> problems; // a line each of which was refused, with its number; the others are valid
    bool some_expire = false;
    bool readable = true; // false: nobody knows what is in the file now
};

inline constexpr std::size_t longest_line = 32 * 1024; // bytes

// `need_user`: refuse lines without user=, because the server runs as root. Never fails: what it cannot take is a problem.
AuthorizedKeys parse_authorized_keys(std::string_view text, bool need_user);

// As above, and lines that allow only users other than the one this process runs commands as are refused, unless that is root. Throws
// Error{internal} that says what to do if the file cannot be read, or others than its owner and root can write it.
AuthorizedKeys read_authorized_keys(const std::filesystem::path& file, bool need_user);

} // namespace rc
