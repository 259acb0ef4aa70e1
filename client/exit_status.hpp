// The client's exit status: the one place that maps what the server said to it.
#pragma once

#include "client/failure.hpp"
#include "common/message.hpp"

namespace rc {

// What is added to the number of the signal that ended something, as shells do.
inline constexpr int signalled = 128;

// 0-255 as the command exited, 128+n if signal n ended it, 124 if its time was up.
int exit_status(const Exit& exit);

// The failure that an error message stands for. One with a job concerns that job, one without the connection; `ran` is what is
// known of the command without it.
Failure to_failure(const ErrorMessage& error, Ran ran);

// The server broke the protocol in that way.
Failure protocol_failure(const Error& error, Ran ran);

} // namespace rc
