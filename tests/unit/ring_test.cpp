// The queue of bytes: order, wrap-around at every position, and spans that stay where they are.
#include "common/ring.hpp"

#include "common/bytes.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <random>
#include <string>
#include <string_view>

namespace rc {
namespace {

// What the queue holds from `position` on, put together from its contiguous pieces.
std::string content(const Ring& ring, std::size_t position = 0) {
    std::string text;
    for (auto piece = ring.read(position); !piece.empty(); piece = ring.read(position)) {
        text += as_text(piece);
        position += piece.size();
    }
    return text;
}

// A ring whose oldest byte will lie at `offset` of its memory, holding one byte, so that it does not start again at the front.
Ring shifted(std::size_t capacity, std::size_t offset) {
    Ring ring(capacity);
    ring.append(as_bytes(std::string(offset + 1, '-')));
    ring.drop(offset);
    return ring;
}

constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyz";

TEST(Ring, starts_empty) {
    const Ring ring(4);
    EXPECT_EQ(ring.size(), 0U);
    EXPECT_EQ(ring.room(), 4U);
    EXPECT_TRUE(ring.read(0).empty());
}

TEST(Ring, keeps_order_wherever_it_wraps) {
    for (std::size_t capacity = 1; capacity <= 8; ++capacity) {
        for (std::size_t offset = 0; offset < capacity; ++offset) {
            for (std::size_t count = 0; count < capacity; ++count) {
                SCOPED_TRACE(testing::Message() << count << " bytes at " << offset << " of " << capacity);
                Ring ring = shifted(capacity, offset);
                ring.append(as_bytes(letters.substr(0, count)));
                EXPECT_EQ(ring.size(), count + 1);
                EXPECT_EQ(ring.room(), capacity - count - 1);
                EXPECT_EQ(content(ring), std::string("-").append(letters.substr(0, count)));
                for (std::size_t dropped = 1; dropped <= count + 1; ++dropped) {
                    ring.drop(1);
                    EXPECT_EQ(content(ring), letters.substr(dropped - 1, count + 1 - dropped));
                    for (std::size_t from = 0; from <= ring.size(); ++from) {
                        EXPECT_EQ(content(ring, from), content(ring).substr(from));
                        EXPECT_EQ(ring.read(from).empty(), from == ring.size());
                    }
                }
            }
        }
    }
}

TEST(Ring, prepare_is_empty_only_when_full) {
    for (std::size_t capacity = 1; capacity <= 8; ++capacity) {
        for (std::size_t offset = 0; offset < capacity; ++offset) {
            Ring ring = shifted(capacity, offset);
            while (ring.room() > 0) {
                const auto space = ring.prepare();
                ASSERT_FALSE(space.empty());
                ASSERT_LE(space.size(), ring.room());
                ring.commit(1);
            }
            EXPECT_TRUE(ring.prepare().empty());
        }
    }
}

// The producer reads into what prepare() gave while the consumer drops behind its back.
TEST(Ring, prepared_space_survives_drops) {
    for (std::size_t capacity = 2; capacity <= 8; ++capacity) {
        for (std::size_t offset = 0; offset < capacity; ++offset) {
            for (std::size_t held = 1; held < capacity; ++held) {
                for (std::size_t dropped = 0; dropped <= held; ++dropped) {
                    SCOPED_TRACE(
                        testing::Message() << dropped << " of " << held << " dropped at " << offset << " of " << capacity);
                    Ring ring = shifted(capacity, offset);
                    ring.append(as_bytes(letters.substr(0, held - 1)));
                    const std::string before = content(ring);
                    const auto space = ring.prepare();
                    ASSERT_FALSE(space.empty());
                    ring.drop(dropped);
                    std::ranges::fill(space, std::byte{'!'});
                    ring.commit(space.size());
                    EXPECT_EQ(content(ring), before.substr(dropped) + std::string(space.size(), '!'));
                }
            }
        }
    }
}

TEST(Ring, spans_stay_until_their_bytes_are_dropped) {
    for (std::size_t offset = 0; offset < 8; ++offset) {
        Ring ring = shifted(8, offset);
        ring.append(as_bytes("ab"));
        ring.drop(1);
        const auto span = ring.read(0);
        const std::string before(as_text(span));
        ring.append(as_bytes("cdefgh"));
        EXPECT_EQ(ring.read(0).data(), span.data()) << offset;
        EXPECT_EQ(as_text(span), before) << offset;
        EXPECT_EQ(content(ring), "abcdefgh") << offset;
    }
}

TEST(Ring, an_emptied_ring_is_contiguous_again) {
    Ring ring = shifted(8, 5);
    ring.drop(1);
    EXPECT_EQ(ring.prepare().size(), 8U);
    ring.append(as_bytes("abcdefgh"));
    EXPECT_EQ(as_text(ring.read(0)), "abcdefgh");
}

TEST(Ring, a_moved_ring_keeps_its_bytes) {
    Ring ring = shifted(4, 3);
    ring.append(as_bytes("abc"));
    const Ring moved = std::move(ring);
    EXPECT_EQ(content(moved), "-abc");
}

// A stream whose window is 0 has one: it is full and empty at once.
TEST(Ring, may_have_no_capacity) {
    Ring ring(0);
    EXPECT_EQ(ring.room(), 0U);
    EXPECT_TRUE(ring.read(0).empty());
    ring.append({});
    ring.drop(0);
    EXPECT_TRUE(ring.prepare().empty());
    ring.commit(0);
    EXPECT_EQ(ring.size(), 0U);
}

TEST(Ring, acts_like_a_queue) {
    std::mt19937 random(1);
    const auto up_to = [&](std::size_t most) { return std::uniform_int_distribution<std::size_t>(0, most)(random); };
    Ring ring(97);
    std::deque<char> model;
    for (int step = 0; step < 20000; ++step) {
        if (up_to(1) == 0) {
            std::string bytes;
            for (std::size_t count = up_to(ring.room()); count > 0; --count) bytes.push_back(static_cast<char>(up_to(255)));
            ring.append(as_bytes(bytes));
            model.insert(model.end(), bytes.begin(), bytes.end());
        } else {
            const std::size_t count = up_to(ring.size());
            ring.drop(count);
            model.erase(model.begin(), model.begin() + static_cast<std::ptrdiff_t>(count));
        }
        ASSERT_EQ(content(ring), std::string(model.begin(), model.end())) << "step " << step;
    }
}

} // namespace
} // namespace rc
