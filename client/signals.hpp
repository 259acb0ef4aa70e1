// The signals that go to the remote command instead of ending the client.
#pragma once

#include "client/link.hpp"
#include "client/remote_job.hpp"
#include "client/reporter.hpp"
#include "common/async.hpp"

#include <boost/asio/signal_set.hpp>

#include <optional>

namespace rc {

// While it lives, INT, TERM, HUP, QUIT and TSTP are taken, but for those that the client was started to ignore. TSTP stops the client,
// when the server knows that its jobs are to wait.
class Signals {
public:
    Signals(const asio::any_io_executor& executor, Link& link);

    // The number of the next one, but for TSTP. Nothing: it was cancelled.
    asio::awaitable<std::optional<int>> next();
    // Just after one came: ends with the next one that is a wish of its own, which it is from 100 ms after the first. Throws when it is
    // cancelled.
    asio::awaitable<void> another();

    // Sends the first one to the job's process group; another() ends this program, as after a failure. Runs until it is cancelled.
    asio::awaitable<void> forward(RemoteJob& job, const Reporter& reporter);
    // The same while the job has the terminal, whose keys send none: so somebody wants this program to end, which it does after 5 s
    // also by itself. Interrupts that were typed just before the terminal became raw are the command's.
    asio::awaitable<void> forward_from_terminal(RemoteJob& job, const Reporter& reporter);

    // The signal that asked this program to end while the job had the terminal.
    [[nodiscard]] std::optional<int> ending() const { return ending_; }

private:
    asio::awaitable<void> give_up(RemoteJob& job, const Reporter& reporter);

    Link& link_;
    asio::signal_set set_;
    std::optional<int> ending_;
};

} // namespace rc
