// The replay buffer over a connection that breaks: whatever is produced, sent, lost, resumed, acknowledged and stopped, in
// whatever order, the receiver gets the bytes that were produced, each once and in order, and no more memory is taken than was stated.
#include "common/bytes.hpp"
#include "common/error.hpp"
#include "common/stream.hpp"
#include "tests/fuzz/require.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>

namespace rc {
namespace {

std::byte byte_at(std::uint64_t offset) { return static_cast<std::byte>(offset * 131 % 251); }

// The steps that the fuzzer wants, a byte or two each.
class Steps {
public:
    Steps(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}
    [[nodiscard]] bool over() const { return at_ >= size_; }
    std::uint8_t next() { return over() ? 0 : data_[at_++]; }

private:
    const std::uint8_t* data_;
    std::size_t size_;
    std::size_t at_ = 0;
};

struct Packet {
    std::uint64_t offset;
    std::string bytes;
    bool eof;
};

struct Acknowledgement {
    std::uint64_t offset, limit;
};

class Connection {
public:
    Connection(std::size_t window, std::size_t capacity, std::uint64_t start)
        : capacity_(capacity), sender_(start + window, capacity, start), receiver_(window, start), produced_(start),
          written_(start) {}

    void step(std::uint8_t what, std::uint8_t count) {
        switch (what % 9) {
        case 0: return produce(count);
        case 1: return send(count + 1U);
        case 2: return deliver();
        case 3: return consume(count);
        case 4: return acknowledge();
        case 5: return deliver_ack();
        case 6: return cut();
        case 7: return closed_ = true, sender_.close();
        default: return lie(count);
        }
    }

    // What was not stopped arrives, all of it.
    void finish() {
        cut();
        closed_ = true;
        sender_.close();
        while (!receiver_.drained()) {
            const std::uint64_t before = receiver_.consumed() + sender_.sent();
            const bool was_ended = receiver_.ended();
            send(255);
            deliver();
            consume(255);
            receiver_.acknowledge();
            sender_.ack(receiver_.consumed(), receiver_.limit());
            require(receiver_.consumed() + sender_.sent() > before || receiver_.ended() != was_ended);
        }
        require(written_ == produced_);
    }

private:
    void produce(std::size_t most) {
        const auto space = sender_.prepare();
        if (closed_) require(space.empty());
        const std::size_t count = std::min(space.size(), most);
        for (std::size_t i = 0; i < count; ++i) space[i] = byte_at(produced_ + i);
        sender_.commit(count);
        produced_ += count;
        require(sender_.end() - sender_.acked() <= capacity_);
    }

    void send(std::size_t most) {
        if (sender_.eof_due()) {
            line_.push_back({sender_.end(), "", true});
            return sender_.eof_sent();
        }
        const std::uint64_t offset = sender_.sent();
        const auto bytes = sender_.next(most);
        if (!bytes.empty()) line_.push_back({offset, std::string(as_text(bytes)), false});
    }

    void deliver() {
        if (line_.empty()) return;
        const Packet packet = line_.front();
        line_.pop_front();
        if (packet.eof) receiver_.eof(packet.offset);
        else receiver_.data(packet.offset, as_bytes(packet.bytes));
    }

    void consume(std::size_t most) {
        const auto piece = receiver_.readable();
        const std::size_t count = std::min(piece.size(), most);
        for (std::size_t i = 0; i < count; ++i) require(piece[i] == byte_at(written_ + i));
        receiver_.consume(count);
        written_ += count;
    }

    void acknowledge() {
        if (!receiver_.ack_owed()) return;
        receiver_.acknowledge();
        acks_.push_back({receiver_.consumed(), receiver_.limit()});
    }

    void deliver_ack() {
        if (acks_.empty()) return;
        sender_.ack(acks_.front().offset, acks_.front().limit);
        acks_.pop_front();
    }

    void cut() {
        line_.clear();
        acks_.clear();
        receiver_.resume();
        sender_.resume(receiver_.received());
    }

    // Offsets that no honest peer claims change nothing.
    void lie(std::uint64_t by) {
        const std::uint64_t sent = sender_.sent();
        const std::uint64_t acked = sender_.acked();
        const auto refused = [](auto claim) {
            try {
                claim();
            } catch (const Error& error) {
                return error.code() == ErrorCode::bad_offset;
            }
            return false;
        };
        require(refused([&] { sender_.ack(sender_.most_sent() + 1 + by, ~std::uint64_t{0}); }));
        require(refused([&] { sender_.resume(sender_.most_sent() + 1 + by); }));
        require(acked == 0 || refused([&] { sender_.resume(acked - 1 - std::min(by, acked - 1)); }));
        require(refused([&] { sender_.ack(acked, 0); }) || acked == 0);
        require(refused([&] { receiver_.data(receiver_.received() + 1 + by, {}); }));
        require(sender_.sent() == sent && sender_.acked() == acked);
    }

    std::size_t capacity_;
    SendStream sender_;
    RecvStream receiver_;
    std::uint64_t produced_;
    std::uint64_t written_;
    bool closed_ = false;
    std::deque<Packet> line_;
    std::deque<Acknowledgement> acks_;
};

} // namespace
} // namespace rc

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    rc::Steps steps(data, size);
    const std::size_t window = steps.next() + 1U;
    const std::size_t capacity = steps.next() + 1U;
    rc::Connection connection(window, capacity, steps.next() * 1000003ULL);
    while (!steps.over()) {
        const std::uint8_t what = steps.next();
        connection.step(what, steps.next());
    }
    connection.finish();
    return 0;
}
