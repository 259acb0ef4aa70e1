// What a client asked to run, read from the body of exec.
#pragma once

#include "common/auth.hpp"
#include "common/message.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace rc {

struct ExecRequest {
    std::vector<std::string> words;       // one in the modes shell and subsystem, one or more in argv
    std::string directory;                // empty: the home directory
    std::vector<std::string> environment; // NAME=VALUE
    std::optional<std::string> original;  // what was asked for, when a forced command runs instead
};

// Throws Error{bad_message} if the body is not what PROTOCOL.md section 3 says.
ExecRequest read_exec_request(const Exec& exec, std::span<const std::byte> body);

// Two requests have the same one if they ask for the same to be run, however it is kept, watched or shown.
Digest digest_of(const Exec& exec, std::span<const std::byte> body);

// A request as it came, read once: it may have to wait for its turn, and then no time is to be lost.
struct RequestedJob {
    Exec exec;
    std::string body;
    ExecRequest asked; // by the body
    Digest digest;
};

// Throws what read_exec_request() throws.
RequestedJob read_requested_job(const Exec& exec, std::span<const std::byte> body);

// The words with blanks between them, for a person to read.
std::string one_line(const std::vector<std::string>& words);

} // namespace rc
