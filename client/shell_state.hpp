// What lasts from one command of the prompt to the next: the directory, the umask and the exported environment, as they were at
// the end of the last command. The server keeps none of it.
#pragma once

#include "client/remote_job.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rc {

struct ShellState {
    std::string directory; // empty: the home directory
    std::uint64_t umask{};
    std::vector<std::string> environment; // NAME=VALUE

    // Of the environment; nothing if it is not set.
    [[nodiscard]] std::optional<std::string_view> variable(std::string_view name) const;
    // As the user calls it: PWD where that is set, with ~ for the home directory.
    [[nodiscard]] std::string shown_directory() const;
    // Makes `request` go on from here.
    void apply_to(JobRequest& request) const;
};

// Of the body of exit (PROTOCOL.md section 3). Nothing if it holds none, or no right one.
std::optional<ShellState> read_shell_state(std::string_view body);

} // namespace rc
