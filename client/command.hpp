// rcmd HOST COMMAND, and rcmd HOST with a stdin that is no terminal: one job.
#pragma once

#include "client/link.hpp"
#include "client/options.hpp"
#include "client/reporter.hpp"

namespace rc {

// Runs the command of `options` (none: the remote shell, which reads stdin) on `link` and then closes that. Returns the exit status.
asio::awaitable<int> run_command(const ClientOptions& options, const Reporter& reporter, Link& link);

// What `options` ask for of every job.
JobRequest make_request(const ClientOptions& options);

// Asks for a job that needs no client, and leaves when it is sure to run. Its id goes to stdout. Returns the exit status.
asio::awaitable<int> run_detached(const ClientOptions& options, const Reporter& reporter, Link& link);

} // namespace rc
