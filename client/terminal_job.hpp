// A command with a terminal of its own over there, worked from the terminal here.
#pragma once

#include "client/job_io.hpp"
#include "client/link.hpp"
#include "client/remote_job.hpp"
#include "client/terminal.hpp"
#include "client/typed.hpp"

#include <string>

namespace rc {

// Asks for a terminal like the one here (`size`), in which `typed` bytes have been typed already. Changes what of a request goes with it.
void want_terminal(JobRequest& request, const WindowSize& size, std::size_t typed);

// Until the job, which has been handed to `link`, is over and its output is with `out`: keys and window sizes go there, ~ commands
// are obeyed. The terminal is raw meanwhile. What the command did not read is in `typed` afterwards.
asio::awaitable<void> run_on_terminal(Link& link, RemoteJob& job, Terminal& terminal, Typed& typed, Sink out);

} // namespace rc
