// rcmd keygen.
#pragma once

#include "client/options.hpp"

namespace rc {

// Makes a key, or with --line only reads it; prints the line for authorized_keys. Returns the exit status; throws Failure.
int keygen(const KeygenOptions& options);

} // namespace rc
