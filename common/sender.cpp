#include "common/sender.hpp"

#include "common/bytes.hpp"
#include "common/limits.hpp"

namespace rc {

namespace {

// Frames are gathered up to here before they are written, so that a short command's whole answer is one TLS record.
constexpr std::size_t gather = 8 * 1024;
constexpr std::size_t most_queued = 64 * 1024;

} // namespace

Sender::Sender(FrameSink& sink, Outbox& outbox, const asio::any_io_executor& executor)
    : sink_(sink), outbox_(outbox), ready_(executor), sent_(executor) {
    outbox_.on_ready = [this] { ready_.notify(); };
}

Sender::~Sender() {
    outbox_.on_ready = [] {};
}

asio::awaitable<void> Sender::run() {
    bool flush = false;
    for (;;) {
        co_await send_all(flush || finishing_);
        if (finishing_ && outbox_.queued() == 0) co_return;
        flush = false;
        if (!outbox_.ack_owed()) {
            co_await ready_.wait();
            continue;
        }
        // What becomes ready meanwhile is sent at once; the acknowledgements still go out in time.
        const auto deadline = Clock::now() + limits::ack_delay;
        while (outbox_.ack_owed() && co_await ready_.wait_until(deadline)) co_await send_all(finishing_);
        flush = true;
    }
}

// The bytes are copied: a peer that does not read must not hold a stream that goes on over another connection meanwhile.
asio::awaitable<void> Sender::send_all(bool flush) {
    std::string frames;
    while (std::optional<Outgoing> outgoing = outbox_.next(flush)) {
        frames.append(outgoing->frame).append(as_text(outgoing->body));
        if (frames.size() > gather) {
            co_await sink_.send(frames);
            frames.clear();
        }
        sent_.notify();
    }
    if (!frames.empty()) co_await sink_.send(frames);
}

void Sender::finish() {
    finishing_ = true;
    ready_.notify();
}

asio::awaitable<void> Sender::room() {
    while (outbox_.queued() > most_queued) co_await sent_.wait();
}

} // namespace rc
