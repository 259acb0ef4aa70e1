#pragma once

#include "common/async.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>

namespace rc {

// The signals that end the daemon, or the process of a durable job: TERM and INT; and HUP, of which each makes what it will. From the constructor
// on they are held back in this thread and those that it makes, for good: they wait here until they are asked for, and have no handler that could
// run in another thread. Make it before the first thread; what is started has to set its mask itself.
class EndingSignals {
public:
    // Throws Error: out of descriptors.
    explicit EndingSignals(const asio::any_io_executor& executor);

    // The number of the next one. Throws when it is cancelled.
    asio::awaitable<int> next();

private:
    asio::posix::stream_descriptor descriptor_;
};

} // namespace rc
