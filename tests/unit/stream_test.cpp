// Both sides of a stream together, on a connection that breaks: what is received is what was sent.
#include "common/stream.hpp"

#include "common/bytes.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <random>
#include <string>
#include <string_view>

namespace rc {
namespace {

struct Packet {
    std::uint64_t offset;
    std::string bytes;
    bool eof;
};

struct Acknowledgement {
    std::uint64_t offset, limit;
};

// Takes steps at random: producing, sending, delivering, consuming, acknowledging, breaking.
class Simulation {
public:
    Simulation(unsigned seed, std::size_t window, std::size_t capacity, std::size_t total)
        : random_(seed), sender_(window, capacity), receiver_(window) {
        for (std::size_t i = 0; i < total; ++i) source_.push_back(static_cast<char>(random_()));
    }

    // Until all is done, or far too long.
    bool run() {
        for (int step = 0; step < 2'000'000; ++step) {
            if (receiver_.drained() && sender_.finished()) return true;
            take_step();
            if (testing::Test::HasFatalFailure()) return false;
        }
        return false;
    }

    const std::string& source() const { return source_; }
    const std::string& written() const { return written_; }
    int cuts() const { return cuts_; }

private:
    std::size_t up_to(std::size_t most) { return std::uniform_int_distribution<std::size_t>(0, most)(random_); }

    void take_step() {
        switch (up_to(60)) {
        case 0: return cut();
        default: break;
        }
        switch (up_to(6)) {
        case 0: return produce();
        case 1: return send();
        case 2:
        case 3: return deliver();
        case 4: return consume();
        case 5: return acknowledge();
        default: return deliver_ack();
        }
    }

    void produce() {
        if (produced_ == source_.size()) return sender_.close();
        const auto space = sender_.prepare();
        // The reading takes its time, and acks come in between.
        deliver_ack();
        const std::size_t count = up_to(std::min(space.size(), source_.size() - produced_));
        std::ranges::copy(as_bytes(source_).subspan(produced_, count), space.begin());
        sender_.commit(count);
        produced_ += count;
    }

    void send() {
        if (sender_.eof_due()) {
            line_.push_back({sender_.end(), "", true});
            return sender_.eof_sent();
        }
        const std::uint64_t offset = sender_.sent();
        const auto bytes = sender_.next(1 + up_to(300));
        if (!bytes.empty()) line_.push_back({offset, std::string(as_text(bytes)), false});
    }

    void deliver() {
        if (line_.empty()) return;
        const Packet packet = line_.front();
        line_.pop_front();
        if (!packet.eof) receiver_.data(packet.offset, as_bytes(packet.bytes));
        else if (!receiver_.ended()) receiver_.eof(packet.offset);
    }

    void consume() {
        const auto piece = receiver_.readable();
        const std::size_t count = up_to(piece.size());
        written_ += as_text(piece.first(count));
        receiver_.consume(count);
    }

    void acknowledge() {
        if (!receiver_.ack_due() && !(receiver_.ack_owed() && up_to(3) == 0)) return;
        receiver_.acknowledge();
        acks_.push_back({receiver_.consumed(), receiver_.limit()});
    }

    void deliver_ack() {
        if (acks_.empty()) return;
        sender_.ack(acks_.front().offset, acks_.front().limit);
        acks_.pop_front();
    }

    // All that is under way is lost in both directions, acks too: the receiver says again where it is.
    void cut() {
        ++cuts_;
        line_.clear();
        acks_.clear();
        sender_.resume(receiver_.received());
        receiver_.acknowledge();
        sender_.ack(receiver_.consumed(), receiver_.limit());
    }

    std::mt19937 random_;
    SendStream sender_;
    RecvStream receiver_;
    std::string source_, written_;
    std::size_t produced_ = 0;
    std::deque<Packet> line_;
    std::deque<Acknowledgement> acks_;
    int cuts_ = 0;
};

TEST(Stream, arrives_whole_over_a_connection_that_breaks) {
    struct Case {
        std::size_t window, capacity, total;
    };
    for (const auto& [window, capacity, total] : {Case{1000, 1000, 60000}, Case{1000, 300, 30000}, Case{257, 1000, 20000},
             Case{7, 7, 2000}, Case{1, 1, 300}, Case{4096, 4096, 0}}) {
        for (unsigned seed = 1; seed <= 20; ++seed) {
            SCOPED_TRACE(testing::Message() << "window " << window << ", capacity " << capacity << ", seed " << seed);
            Simulation simulation(seed, window, capacity, total);
            ASSERT_NO_THROW(ASSERT_TRUE(simulation.run()));
            ASSERT_TRUE(simulation.written() == simulation.source());
            EXPECT_TRUE(total <= 1000 || simulation.cuts() > 0);
        }
    }
}

} // namespace
} // namespace rc
