// The folder where the server keeps what it must not forget.
#pragma once

#include "common/auth.hpp"
#include "common/descriptor.hpp"
#include "common/identity.hpp"

#include <filesystem>

namespace rc {

// Locked as long as this object lives: two servers on one state would run a job twice.
class StateDir {
public:
    // Makes the folder if it is missing. Throws Error{internal} if it cannot be used, is another user's or can be written by others, or
    // another server has it; if a file in it can be read by others or is damaged.
    explicit StateDir(const std::filesystem::path& directory);

    // The secret from which unknown keys get their salts: made at the first start, the same ever after.
    [[nodiscard]] const Secret& secret() const { return secret_; }

    // What clients know this server by: made at the first start, the same ever after.
    [[nodiscard]] const Identity& identity() const { return identity_; }

private:
    Descriptor lock_;
    Secret secret_;
    Identity identity_;
};

} // namespace rc
