// rcmd -N HOST: a login, and nothing that is run.
#pragma once

#include "client/link.hpp"
#include "client/reporter.hpp"

namespace rc {

// Stays logged in on `link` until a signal ends it. Returns the exit status.
asio::awaitable<int> run_nothing(const Reporter& reporter, Link& link);

} // namespace rc
