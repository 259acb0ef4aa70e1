// A folder of the fuzzer's own: in memory where there is such a file system, and gone at the end.
#pragma once

#include "tests/unit/scratch.hpp"

#include <cstdlib>
#include <filesystem>

namespace rc {

inline const Scratch& scratch() {
    static const Scratch folder = [] {
        if (std::getenv("TMPDIR") == nullptr && std::filesystem::is_directory("/dev/shm")) ::setenv("TMPDIR", "/dev/shm", 1);
        return Scratch();
    }();
    return folder;
}

} // namespace rc
