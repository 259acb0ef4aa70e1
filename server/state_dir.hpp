// The folder where the server keeps what it must not forget.
#pragma once

#include "common/auth.hpp"
#include "common/descriptor.hpp"

#include <filesystem>

namespace rc {

// Locked as long as this object lives: two servers on one state would run a job twice.
class StateDir {
public:
    // Makes the folder if it is missing. Throws Error{internal} if it cannot be used, is another user's or can be written by others, or
    // another server has it.
    explicit StateDir(const std::filesystem::path& directory);

    // The secret from which unknown keys get their salts: made at the first start, the same ever after.
    [[nodiscard]] const Secret& secret() const { return secret_; }

private:
    Descriptor lock_;
    Secret secret_;
};

} // namespace rc
