// The client's key: a secret and the name it is authorized under, in one file: `rcmd-key 1 KEY_ID SECRET` (base64).
#pragma once

#include "common/auth.hpp"

#include <filesystem>
#include <string>

namespace rc {

// Wiped at the end.
struct Key {
    std::string id;
    Secret secret;
    ~Key() { wipe(secret); }
};

// Throws Failure{no_key} that says what to do, also when others can read the file.
Key read_key(const std::filesystem::path& file);

// Throws Failure{no_key} if the file exists or cannot be written.
void write_key(const std::filesystem::path& file, const Key& key);

// A line of authorized_keys for this key, each time with a new salt; without a line end.
std::string authorized_line(const Key& key);

} // namespace rc
