// rcmd cp: files as streams of a job at each far end.
#pragma once

#include "client/options.hpp"
#include "common/async.hpp"

namespace rc {

// Copies what one step says. What is not copied is said on stderr. Returns the exit status: 0 all is copied, 1 some of it is not, 255 it
// is not known what is; or as a signal ended it.
asio::awaitable<int> copy_files(const CopyOptions& options, const CopyStep& step);

} // namespace rc
