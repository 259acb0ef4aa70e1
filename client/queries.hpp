// The verbs `jobs` and `kill`: a question to the server, and its answer.
#pragma once

#include "client/connection.hpp"
#include "client/options.hpp"
#include "client/reporter.hpp"

namespace rc {

// Prints the jobs of this key. Throws Failure.
asio::awaitable<void> list_jobs(const ClientOptions& options, const Reporter& reporter, const Dial& dial);

// Sends a signal to a job. Throws Failure.
asio::awaitable<void> kill_job(const ClientOptions& options, const Dial& dial);

} // namespace rc
