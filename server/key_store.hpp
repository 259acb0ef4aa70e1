// The keys that may log in now: the file, read again when it changes.
#pragma once

#include "server/authorized_keys.hpp"

#include <filesystem>
#include <memory>
#include <mutex>

#include <sys/stat.h>

namespace rc {

// Any thread may call.
class KeyStore {
public:
    // Reads the file; throws Error{internal} if it cannot be read or holds no valid key.
    KeyStore(std::filesystem::path file, bool need_user);

    // The keys of now. If the file has become unreadable or others can write it, nobody is let in until that is mended.
    std::shared_ptr<const AuthorizedKeys> current();

private:
    bool changed();
    std::shared_ptr<const AuthorizedKeys> read() const;

    std::filesystem::path file_;
    bool need_user_;
    std::mutex mutex_;
    std::shared_ptr<const AuthorizedKeys> keys_;
    std::string problem_; // that has been logged
    struct stat seen_ {};
};

} // namespace rc
