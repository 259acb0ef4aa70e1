// The signals that go to the remote command instead of ending the client.
#pragma once

#include "client/link.hpp"
#include "client/remote_job.hpp"
#include "common/async.hpp"

#include <boost/asio/signal_set.hpp>

namespace rc {

// While it lives, INT, TERM, HUP and QUIT are taken, but for those that the client was started to ignore.
class Signals {
public:
    explicit Signals(const asio::any_io_executor& executor);

    // The number of the next one.
    asio::awaitable<int> next();

    // Sends the first one to the job's process group; a second one ends this program with 255. Runs until it is cancelled.
    asio::awaitable<void> forward(Link& link, RemoteJob& job);

private:
    asio::signal_set set_;
};

} // namespace rc
