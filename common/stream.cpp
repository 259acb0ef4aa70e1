#include "common/stream.hpp"

#include "common/error.hpp"

#include <algorithm>
#include <string>

namespace rc {

namespace {

[[noreturn]] void bad_offset(const char* what, std::uint64_t offset, std::uint64_t low, std::uint64_t high) {
    throw Error(ErrorCode::bad_offset, std::string(what) + " " + std::to_string(offset) + " is not within " +
                                           std::to_string(low) + " and " + std::to_string(high));
}

} // namespace

std::size_t SendStream::room() const {
    if (stopped_ || closed_ || end_ >= limit_) return 0;
    return static_cast<std::size_t>(std::min<std::uint64_t>(ring_.room(), limit_ - end_));
}

std::span<std::byte> SendStream::prepare() {
    if (room() == 0) return {};
    const std::span<std::byte> space = ring_.prepare();
    return space.first(std::min(space.size(), room()));
}

void SendStream::put(std::span<const std::byte> bytes) {
    if (stopped_) return;
    ring_.append(bytes);
    end_ += bytes.size();
}

void SendStream::commit(std::size_t count) {
    if (stopped_) return;
    ring_.commit(count);
    end_ += count;
}

std::span<const std::byte> SendStream::next(std::size_t most) {
    if (!can_send()) return {};
    std::span<const std::byte> bytes = ring_.read(static_cast<std::size_t>(sent_ - acked_));
    bytes = bytes.first(std::min(bytes.size(), most));
    sent_ += bytes.size();
    most_sent_ = std::max(most_sent_, sent_);
    return bytes;
}

bool SendStream::eof_due() const { return closed_ && !stopped_ && !eof_sent_ && sent_ == end_; }

void SendStream::ack(std::uint64_t offset, std::uint64_t limit) {
    offset = std::max(offset, start_);
    if (offset < acked_ || offset > sent_) bad_offset("acknowledged offset", offset, acked_, sent_);
    if (limit < limit_ || limit < offset) bad_offset("limit", limit, std::max(limit_, offset), ~std::uint64_t{0});
    if (!stopped_) ring_.drop(static_cast<std::size_t>(offset - acked_));
    acked_ = offset;
    limit_ = limit;
}

void SendStream::stop() {
    ring_.drop(ring_.size());
    stopped_ = true;
}

void SendStream::check_resume(std::uint64_t offset) const {
    if (offset < acked_ || offset > most_sent_) bad_offset("resumed offset", offset, acked_, most_sent_);
}

void SendStream::resume(std::uint64_t offset) {
    check_resume(offset);
    sent_ = offset;
    eof_sent_ = false;
}

void RecvStream::data(std::uint64_t offset, std::span<const std::byte> bytes) {
    if (ended_ || offset != received_) bad_offset("data at offset", offset, received_, received_);
    if (bytes.size() > limit_ - received_) bad_offset("data up to offset", offset + bytes.size(), received_, limit_);
    received_ += bytes.size();
    if (stopped_) consumed_ = received_;
    else ring_.append(bytes);
}

void RecvStream::eof(std::uint64_t offset) {
    if (offset != received_) bad_offset("end of stream at offset", offset, received_, received_);
    ended_ = true;
}

void RecvStream::stop() {
    consume(ring_.size());
    stopped_ = true;
}

void RecvStream::consume(std::size_t count) {
    if (stopped_) return;
    ring_.drop(count);
    consumed_ += count;
}

void RecvStream::acknowledge() {
    acked_ = consumed_;
    limit_ = std::max(limit_, consumed_ + window_);
}

} // namespace rc
