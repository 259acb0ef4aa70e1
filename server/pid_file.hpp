#pragma once

#include "common/descriptor.hpp"

#include <filesystem>

namespace rc {

// The process id in a file, which is this process's own as long as it lives, and removed again at the end. An empty path: nothing.
class PidFile {
public:
    // Throws Error{internal} if it is no regular file, cannot be written, or is that of another daemon that runs.
    explicit PidFile(std::filesystem::path file);
    ~PidFile();
    PidFile(const PidFile&) = delete;
    PidFile& operator=(const PidFile&) = delete;

private:
    std::filesystem::path file_;
    Descriptor own_; // with the lock
};

} // namespace rc
