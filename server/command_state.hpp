// The state that a command on a terminal ends with, and the next one goes on from: directory, umask, exported environment.
// The shell that runs the command line starts this same program at its end, which inherits just that state and writes it where
// the daemon reads it. So it works for every shell that has `trap`, and a command that ends without it (a signal, exec) leaves no state.
#pragma once

#include "common/descriptor.hpp"

#include <string>
#include <string_view>

#include <sys/types.h>

namespace rc {

// Whether a command line of this shell can begin with state_trap(). `shell` is a path.
bool shell_has_traps(std::string_view shell);

// Goes before the command line of a shell. `leader`: the terminal's (see terminal_leader.hpp), whose state_descriptor takes the state.
std::string state_trap(pid_t leader);

// The first word of the command line of the program that the trap starts.
inline constexpr std::string_view state_verb = "state";
// Does its work. `self`: the path by which it was started. Returns its exit status.
int write_state(std::string_view self);

// The daemon's side. Where a state may be written, of limited size. Throws Error{internal}.
Descriptor make_state_file();
// The body of exit (PROTOCOL.md section 3): empty if no state was left there, or no whole one.
std::string read_state(int file);

} // namespace rc
