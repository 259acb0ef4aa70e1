#include "common/sender.hpp"

#include "common/bytes.hpp"
#include "common/limits.hpp"

#include <algorithm>

namespace rc {

namespace {

// Frames are gathered up to here before they are sent, so that the pieces of a long output go out by few calls.
constexpr std::size_t gather = 128 * 1024;
// Bodies from here on are not copied to what stands before them: a short command's whole answer is one TLS record.
constexpr std::size_t large = 4 * 1024;
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
    auto due = Clock::time_point::max(); // for what may wait
    for (;;) {
        const bool flush = finishing_ || Clock::now() >= due;
        if (flush) due = Clock::time_point::max();
        co_await send_all(flush);
        if (finishing_ && outbox_.queued() == 0 && outbox_.frames() == 0) co_return;
        // What becomes ready meanwhile is sent at once; what may wait still goes out in time.
        const auto patience = outbox_.patience();
        due = patience ? std::min(due, Clock::now() + *patience) : Clock::time_point::max();
        co_await ready_.wait_until(due);
    }
}

// The bytes are copied: a peer that does not read must not hold a stream that goes on over another connection meanwhile.
asio::awaitable<void> Sender::send_all(bool flush) {
    std::string small;
    std::size_t gathered = 0;
    const auto put = [this](std::string& text) {
        if (!text.empty()) sink_.put(text);
        text.clear();
    };
    while (std::optional<Outgoing> outgoing = outbox_.next(flush)) {
        gathered += outgoing->frame.size() + outgoing->body.size();
        small += outgoing->frame;
        if (outgoing->body.size() < large) {
            small += as_text(outgoing->body);
        } else {
            put(small);
            sink_.put(as_text(outgoing->body));
        }
        if (gathered > gather) {
            put(small);
            co_await sink_.flush();
            gathered = 0;
        }
        sent_.notify_all();
    }
    put(small);
    if (gathered > 0) co_await sink_.flush();
}

void Sender::finish() {
    finishing_ = true;
    ready_.notify();
}

asio::awaitable<void> Sender::room() {
    while (outbox_.queued() > most_queued) co_await sent_.wait();
}

asio::awaitable<void> Sender::room_for_frames() {
    while (outbox_.frames() > most_queued) co_await sent_.wait();
}

} // namespace rc
