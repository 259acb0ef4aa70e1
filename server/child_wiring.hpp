// The descriptors between a process that is about to be started and the daemon: pipes or a terminal, and what a terminal's leader gets beside it.
#pragma once

#include "common/message.hpp"
#include "server/account.hpp"
#include "server/child.hpp"

namespace rc {

// The child's side, which is closed here once it has been started, and the daemon's.
struct ChildWiring {
    // For its standard descriptors.
    [[nodiscard]] int input_fd() const;
    [[nodiscard]] int output_fd() const { return output.get(); }
    [[nodiscard]] int error_fd() const { return error.is_open() ? error.get() : output.get(); }

    Descriptor input; // not open: it reads /dev/null
    Descriptor output;
    Descriptor error;   // not open: stderr goes into output
    Descriptor control; // of a leader
    ChildEnds daemon;   // of these, `state` is shared with the leader
};

// /dev/null, which all commands without input share. Throws Error{internal}.
int no_input();

// All throw Error{internal} if there is no descriptor left. `input`: the command has some.
ChildWiring wire_pipes(bool input, bool combine);
// `state`: it leaves its state.
ChildWiring wire_terminal(const Pty& pty, const Account& account, bool input, bool state);

} // namespace rc
