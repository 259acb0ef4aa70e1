// The coroutine that writes what an outbox holds: the one writer of a connection.
#pragma once

#include "common/async.hpp"
#include "common/outbox.hpp"

#include <cstddef>
#include <string_view>

namespace rc {

// Where frames go: a connection, or what leads to one.
class FrameSink {
public:
    virtual ~FrameSink() = default;
    // `frames`: one or more whole frames, which must outlive the call.
    virtual asio::awaitable<void> send(std::string_view frames) = 0;
};

class Sender {
public:
    // Both must outlive this object; `executor` is the sink's.
    Sender(FrameSink& sink, Outbox& outbox, const asio::any_io_executor& executor);
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

    FrameSink& sink_;
    Outbox& outbox_;
    Event ready_;
    Event sent_;
    bool finishing_ = false;
};

} // namespace rc
