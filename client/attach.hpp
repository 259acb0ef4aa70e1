// The verb `attach`: showing a job that is there, wherever and by whom it was started.
#pragma once

#include "client/link.hpp"
#include "client/options.hpp"
#include "client/reporter.hpp"

namespace rc {

// Returns the exit status: the job's. A signal ends the watching, not the job.
asio::awaitable<int> run_attach(const ClientOptions& options, const Reporter& reporter, Link& link);

} // namespace rc
