#include "server/output_recorder.hpp"

#include "common/limits.hpp"

namespace rc {

namespace {

constexpr std::chrono::seconds retry_pause{1};
constexpr std::uint64_t last_words = 4 * limits::window; // over the limit

} // namespace

asio::awaitable<void> OutputRecorder::run() {
    JobStreams& streams = job_.streams();
    while (streams.closing() == nullptr) {
        for (const StreamName name : outputs) {
            if (SendStream* stream = streams.sender(name)) co_await record(name, *stream);
        }
        if (streams.closing() == nullptr) co_await output_.wait();
    }
}

asio::awaitable<void> OutputRecorder::record(StreamName name, SendStream& stream) {
    while (stream.can_send()) {
        const std::span<const std::byte> bytes = stream.next(limits::data_body);
        co_await write(name, bytes);
        const std::uint64_t written = spool_.end(name);
        job_.take(Ack{job_.facts().id, name, written, written + limits::window}, {});
    }
    if (stream.eof_due()) stream.eof_sent();
}

asio::awaitable<void> OutputRecorder::write(StreamName name, std::span<const std::byte> bytes) {
    for (;;) {
        bytes = bytes.subspan(append(name, bytes));
        full_ = !bytes.empty();
        if (!full_) co_return;
        for (const StreamName stream : outputs) spool_.drop(stream, wanted_from(stream));
        bytes = bytes.subspan(append(name, bytes));
        if (!bytes.empty()) co_await room_.wait_until(Clock::now() + retry_pause);
    }
}

std::size_t OutputRecorder::append(StreamName name, std::span<const std::byte> bytes) {
    const bool ended = job_.command_ended() && (job_.ending() || end_expected_);
    const std::size_t count = spool_.append(name, bytes, ended ? last_words : 0);
    on_grown();
    return count;
}

} // namespace rc
