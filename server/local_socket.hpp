// Listening and connecting sockets in folders of the state directory, whose paths may be longer than a socket's name: 107 bytes.
#pragma once

#include "common/descriptor.hpp"

#include <filesystem>

namespace rc {

// Both are non-blocking: whoever connects to a process that accepts nobody must not wait. `path`: in a folder that is there.
// Throws Error{internal}; EADDRINUSE if the file is there already.
Descriptor listen_at(const std::filesystem::path& path);
// Not open, with errno set: nobody listens.
Descriptor connect_to(const std::filesystem::path& path);

} // namespace rc
