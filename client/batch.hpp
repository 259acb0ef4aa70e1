// rcmd --batch: each line of stdin is one command, a job of its own on the one connection.
#pragma once

#include "client/link.hpp"
#include "client/options.hpp"
#include "client/reporter.hpp"

namespace rc {

// Runs up to options.jobs commands at a time and gives their outputs whole, in the order of the lines. After the first status that is
// not 0 it starts no more, unless options.keep_going. Returns that status, or 0.
asio::awaitable<int> run_batch(const ClientOptions& options, const Reporter& reporter, Link& link);

} // namespace rc
