// rcmd HOST on a terminal: reads a line, runs it as a job of its own, shows its output and its status.
#pragma once

#include "client/link.hpp"
#include "client/options.hpp"
#include "client/reporter.hpp"

namespace rc {

// Until `exit [N]` or the end of stdin. Returns N, or else the last command's status.
asio::awaitable<int> run_prompt(const ClientOptions& options, const Reporter& reporter, Link& link);

} // namespace rc
