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
    // Takes a copy of `bytes`, which are frames or parts of one, behind those that it has already.
    virtual void put(std::string_view bytes) = 0;
    // Sends what it has been given. Throws when the connection fails.
    virtual asio::awaitable<void> flush() = 0;
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
    // answers cannot fill the memory. Several may wait.
    asio::awaitable<void> room();
    // The same for whoever brings frames of jobs elsewhere.
    asio::awaitable<void> room_for_frames();

private:
    asio::awaitable<void> send_all(bool flush);

    FrameSink& sink_;
    Outbox& outbox_;
    Event ready_;
    Condition sent_; // what was waiting is less
    bool finishing_ = false;
};

} // namespace rc
