// The coroutine that writes what an outbox holds to a channel: the one writer of a connection.
#pragma once

#include "common/async.hpp"
#include "common/channel.hpp"
#include "common/outbox.hpp"

#include <cstddef>

namespace rc {

class Sender {
public:
    // Both must outlive this object; `executor` is the channel's.
    Sender(Channel& channel, Outbox& outbox, const asio::any_io_executor& executor);
    ~Sender();
    Sender(const Sender&) = delete;
    Sender& operator=(const Sender&) = delete;

    // Sends until finish(), and then until nothing is left. Throws when the connection fails.
    asio::awaitable<void> run();

    // Lets run() end once everything that can be sent has been.
    void finish();

    // Ends when few control messages are waiting: whoever answers a peer waits here, so that one that asks without reading
    // answers cannot fill the memory.
    asio::awaitable<void> room();

private:
    asio::awaitable<void> send_all(bool flush);

    Channel& channel_;
    Outbox& outbox_;
    Event ready_;
    Event sent_;
    bool finishing_ = false;
};

} // namespace rc
