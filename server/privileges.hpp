// What the daemon uses of its rights once it listens: what it needs to run commands as others, and nothing else.
#pragma once

namespace rc {

// The daemon's memory goes into no core dump and is open to no debugger of the same user; root's daemon works with the capabilities for changing
// users, signalling their processes, handing them terminals and looking into their homes only, so that no mistake of its own writes where
// it must not. A command that runs as root has all again. Call before any thread is started. Throws Error{internal}.
void lower_privileges();

// From now on no program that this process or its commands start gains rights, as sudo does. Throws Error{internal}.
void forbid_new_privileges();

} // namespace rc
