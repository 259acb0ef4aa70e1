// The processes of a session: what a command has started, also in process groups of its own (as GNU parallel's remote part does), and
// not made a session of its own.
#pragma once

#include <sys/types.h>

namespace rc {

// Sends a signal to the processes of the session `leader`, but not to the leader itself. The leader may have ended; it must not have been
// reaped, so that its id is nobody else's.
void signal_session(pid_t leader, int number);

} // namespace rc
