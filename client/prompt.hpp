// rcmd HOST on a terminal: reads a command, runs it as a job of its own on a terminal of its own, goes on from the state it ended with.
#pragma once

#include "client/link.hpp"
#include "client/options.hpp"
#include "client/reporter.hpp"

namespace rc {

// stdin and stdout are terminals. Until `exit [N]`, the end of stdin or a signal that ends the client. Returns N, or else the last command's status.
asio::awaitable<int> run_prompt(const ClientOptions& options, const Reporter& reporter, Link& link);

} // namespace rc
