// Pseudo-terminals: making one for a job and changing it. The daemon holds the master; what the job has is the slave.
#pragma once

#include "common/descriptor.hpp"
#include "common/message.hpp"
#include "server/account.hpp"

#include <string>

namespace rc {

struct Terminal {
    Descriptor master;
    Descriptor slave;
};

// A terminal that belongs to `account` (changed to it only by root), in the system's usual modes; what was typed
// before the command (pty.typed) is not echoed until its leader lets it go. Throws Error{internal}.
Terminal open_terminal(const Pty& pty, const Account& account);

// The foreground process group gets WINCH if that changes anything.
void set_window_size(int master, const WindowSize& size);

// What to type so that whoever reads lines there finds the end of its input; empty if the terminal is not read by lines.
std::string end_of_input(int master);

} // namespace rc
