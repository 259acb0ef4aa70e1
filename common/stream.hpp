// One side of a stream: bytes numbered from offset 0, a window, acknowledgements. No sockets, no Asio.
// What has not been acknowledged is kept for resending, and no more may be taken than the window allows: the replay
// buffer and the flow control are one thing.
#pragma once

#include "common/ring.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

namespace rc {

// The sender's side. Offsets: acked <= sent <= end <= limit, where end is what the producer has put in.
//
// The producer fills prepare()/commit() until it ends with close(). What next() gives is to be copied before anything else
// happens to the stream: the peer may acknowledge it as soon as it is on its way.
class SendStream {
public:
    // `limit`: the highest offset that the receiver allows at the start. `capacity`: bytes that this side is willing to
    // keep, whatever limit it is granted.
    // `start`: the offset of its first byte; the bytes before it count as acknowledged.
    SendStream(std::uint64_t limit, std::size_t capacity, std::uint64_t start = 0)
        : ring_(capacity), start_(start), acked_(start), sent_(start), most_sent_(start), end_(start), limit_(limit) {}

    // Producer. prepare() is empty while the window is full; a stopped stream takes nothing.
    std::span<std::byte> prepare();
    void commit(std::size_t count);
    // The same for bytes that are elsewhere, at most room() of them: the stream takes memory when there are some.
    [[nodiscard]] std::size_t room() const;
    void put(std::span<const std::byte> bytes);
    void close() { closed_ = true; }

    // Sender. Up to `most` contiguous bytes that have not been sent yet, from offset sent(); marks them as sent.
    std::span<const std::byte> next(std::size_t most);
    // All bytes are out and the end of the stream has been reached, but it was not said yet. eof_sent() says it was.
    [[nodiscard]] bool eof_due() const;
    void eof_sent() { eof_sent_ = true; }

    // The receiver has written everything before `offset` and allows sending up to `limit`. Throws Error{bad_offset} for an
    // offset below the last one or above what was sent, and for a limit that is lowered or below the offset. One before `start` frees nothing:
    // there the receiver still writes what it has got elsewhere.
    void ack(std::uint64_t offset, std::uint64_t limit);
    // The receiver wants no more: unsent and unacknowledged bytes are dropped, nothing is sent any more.
    void stop();
    // A new connection goes on at `offset`, where the receiver is: it is sent again from there. Throws Error{bad_offset} for one
    // below what was acknowledged or above what was ever sent. Frees nothing: only ack() does.
    void resume(std::uint64_t offset);
    // The receiver of this connection allows sending up to `limit`; one that is lower than the last one says nothing.
    void allow(std::uint64_t limit) { limit_ = std::max(limit_, limit); }
    // The same of another receiver: what was allowed before was not its to use.
    void allow_anew(std::uint64_t limit) { limit_ = std::max(end_, limit); }
    // Throws what resume() would throw.
    void check_resume(std::uint64_t offset) const;

    [[nodiscard]] std::uint64_t acked() const { return acked_; }
    [[nodiscard]] std::uint64_t sent() const { return sent_; }
    [[nodiscard]] std::uint64_t most_sent() const { return most_sent_; }
    [[nodiscard]] std::uint64_t end() const { return end_; }
    [[nodiscard]] bool stopped() const { return stopped_; }
    // Nothing will be sent any more: everything and the end of the stream are out, or it was stopped.
    [[nodiscard]] bool finished() const { return stopped_ || eof_sent_; }
    [[nodiscard]] bool can_send() const { return !stopped_ && sent_ < end_; }

private:
    Ring ring_; // holds acked_..end_, or nothing once it is stopped
    std::uint64_t start_;
    std::uint64_t acked_;
    std::uint64_t sent_;      // on this connection
    std::uint64_t most_sent_; // on any
    std::uint64_t end_;
    std::uint64_t limit_;
    bool closed_ = false;
    bool eof_sent_ = false;
    bool stopped_ = false;
};

// The receiver's side: consumed <= received <= limit. What was received and not yet consumed (written) is held in memory.
class RecvStream {
public:
    // `window`: bytes that may be under way or held here at a time. `start`: the offset of the first byte.
    explicit RecvStream(std::size_t window, std::uint64_t start = 0)
        : ring_(window), window_(window), received_(start), consumed_(start), acked_(start), limit_(start + window) {}

    // Bytes of the peer's at `offset`. Throws Error{bad_offset} unless they follow what was received and stay within the limit.
    void data(std::uint64_t offset, std::span<const std::byte> bytes);
    // The peer says that the stream ends at `offset`. Throws Error{bad_offset} unless that is just what was received. It
    // may be said again, as it is after a resume().
    void eof(std::uint64_t offset);
    // Wants no more: what is held and what still arrives within the limit is dropped.
    void stop();

    // Consumer: the oldest bytes that were not consumed, contiguous; empty when there are none.
    [[nodiscard]] std::span<const std::byte> readable() const { return ring_.read(0); }
    // Of a stopped stream nothing is left to consume: a call that was under way is ignored.
    void consume(std::size_t count);

    // An acknowledgement is owed as soon as anything was consumed since the last, and due at a quarter of the window.
    [[nodiscard]] bool ack_owed() const { return consumed_ > acked_ && !ended_ && !stopped_; }
    [[nodiscard]] bool ack_due() const { return ack_owed() && consumed_ - acked_ >= window_ / 4; }
    // Notes that consumed() has been acknowledged and the sender allowed to go up to limit(), which it raises.
    void acknowledge();

    [[nodiscard]] std::uint64_t received() const { return received_; }
    [[nodiscard]] std::uint64_t consumed() const { return consumed_; }
    [[nodiscard]] std::uint64_t limit() const { return limit_; }
    [[nodiscard]] bool ended() const { return ended_; }
    [[nodiscard]] bool stopped() const { return stopped_; }
    // A new connection: what was acknowledged on the former may not have arrived, so it is owed again.
    void resume() { acked_ = 0; }
    // The end was received and every byte before it consumed.
    [[nodiscard]] bool drained() const { return ended_ && consumed_ == received_; }

private:
    Ring ring_; // holds consumed_..received_
    std::uint64_t window_;
    std::uint64_t received_;
    std::uint64_t consumed_;
    std::uint64_t acked_;
    std::uint64_t limit_;
    bool ended_ = false;
    bool stopped_ = false;
};

} // namespace rc
