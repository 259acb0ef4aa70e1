// The receiver's side of a stream: offsets, window, what it owes, and its end.
#include "common/stream.hpp"

#include "common/bytes.hpp"
#include "tests/unit/refusal.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace rc {
namespace {

constexpr std::uint64_t top = ~std::uint64_t{0};
constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyz";

std::string consume_all(RecvStream& stream) {
    std::string text;
    for (auto piece = stream.readable(); !piece.empty(); piece = stream.readable()) {
        text += as_text(piece);
        stream.consume(piece.size());
    }
    return text;
}

TEST(RecvStream, gives_what_it_received) {
    RecvStream stream(8);
    EXPECT_TRUE(stream.readable().empty());
    stream.data(0, as_bytes("abc"));
    stream.data(3, as_bytes("de"));
    EXPECT_EQ(stream.received(), 5U);
    EXPECT_EQ(stream.consumed(), 0U);
    EXPECT_EQ(as_text(stream.readable()), "abcde");
    stream.consume(2);
    EXPECT_EQ(stream.consumed(), 2U);
    EXPECT_EQ(consume_all(stream), "cde");
}

TEST(RecvStream, data_must_follow_and_stay_within_the_limit) {
    struct Case {
        std::string_view name;
        std::uint64_t offset;
        std::size_t size;
        std::string_view refused;
    };
    // received 5, limit 12
    const std::vector<Case> table = {
        {"next byte", 5, 1, ""},
        {"up to the limit", 5, 7, ""},
        {"one over the limit", 5, 8, "bad_offset"},
        {"far over the limit", 5, 21, "bad_offset"},
        {"repeated byte", 4, 1, "bad_offset"},
        {"overlapping", 4, 2, "bad_offset"},
        {"from the start", 0, 5, "bad_offset"},
        {"gap", 6, 1, "bad_offset"},
        {"at the limit", 12, 1, "bad_offset"},
        {"top", top, 1, "bad_offset"},
        {"wrapping round", top - 1, 8, "bad_offset"},
    };
    for (const auto& [name, offset, size, expected] : table) {
        RecvStream stream(12);
        stream.data(0, as_bytes("abcde"));
        EXPECT_EQ(refusal([&, o = offset, s = size] { stream.data(o, as_bytes(letters.substr(0, s))); }), expected) << name;
        EXPECT_EQ(stream.received(), expected.empty() ? 5 + size : 5) << name;
    }
}

TEST(RecvStream, consuming_alone_does_not_move_the_limit) {
    RecvStream stream(4);
    stream.data(0, as_bytes("abcd"));
    consume_all(stream);
    EXPECT_EQ(stream.limit(), 4U);
    EXPECT_EQ(refusal([&] { stream.data(4, as_bytes("e")); }), "bad_offset");
    stream.acknowledge();
    EXPECT_EQ(stream.limit(), 8U);
    EXPECT_EQ(refusal([&] { stream.data(4, as_bytes("efgh")); }), "");
    EXPECT_EQ(refusal([&] { stream.data(8, as_bytes("i")); }), "bad_offset");
}

TEST(RecvStream, acks_are_owed_at_once_and_due_at_a_quarter) {
    struct Case {
        std::size_t window, consumed;
        bool owed, due;
    };
    const std::vector<Case> table = {{1024, 0, false, false}, {1024, 1, true, false}, {1024, 255, true, false},
        {1024, 256, true, true}, {1024, 1024, true, true}, {4, 1, true, true}, {8, 1, true, false}, {8, 2, true, true}};
    for (const auto& [window, consumed, owed, due] : table) {
        SCOPED_TRACE(testing::Message() << consumed << " of " << window);
        RecvStream stream(window);
        stream.data(0, as_bytes(std::string(window, 'x')));
        EXPECT_FALSE(stream.ack_owed()) << "received is not written";
        stream.consume(consumed);
        EXPECT_EQ(stream.ack_owed(), owed);
        EXPECT_EQ(stream.ack_due(), due);
        stream.acknowledge();
        EXPECT_FALSE(stream.ack_owed());
        EXPECT_FALSE(stream.ack_due());
        EXPECT_EQ(stream.limit(), consumed + window);
        EXPECT_EQ(stream.consumed(), consumed);
    }
}

TEST(RecvStream, the_quarter_counts_from_the_last_ack) {
    RecvStream stream(16);
    stream.data(0, as_bytes(letters.substr(0, 16)));
    stream.consume(3);
    stream.acknowledge();
    stream.consume(3);
    EXPECT_TRUE(stream.ack_owed());
    EXPECT_FALSE(stream.ack_due());
    stream.consume(1);
    EXPECT_TRUE(stream.ack_due());
}

TEST(RecvStream, eof_must_be_at_what_was_received) {
    struct Case {
        std::uint64_t offset;
        std::string_view refused;
    };
    for (const auto& [offset, expected] : {Case{5, ""}, Case{4, "bad_offset"}, Case{0, "bad_offset"}, Case{6, "bad_offset"},
             Case{8, "bad_offset"}, Case{top, "bad_offset"}}) {
        RecvStream stream(8);
        stream.data(0, as_bytes("abcde"));
        EXPECT_EQ(refusal([&, o = offset] { stream.eof(o); }), expected) << offset;
        EXPECT_EQ(stream.ended(), expected.empty()) << offset;
    }
}

TEST(RecvStream, nothing_follows_the_end) {
    RecvStream stream(8);
    stream.data(0, as_bytes("abc"));
    stream.eof(3);
    EXPECT_EQ(refusal([&] { stream.data(3, as_bytes("d")); }), "bad_offset");
    EXPECT_EQ(refusal([&] { stream.data(2, as_bytes("c")); }), "bad_offset");
    EXPECT_EQ(refusal([&] { stream.eof(4); }), "bad_offset");
    EXPECT_EQ(refusal([&] { stream.eof(2); }), "bad_offset");
    EXPECT_EQ(consume_all(stream), "abc");
}

// A sender that resumes cannot know whether its eof arrived: SendStream::resume() has it said again.
TEST(RecvStream, the_same_end_may_be_said_again) {
    RecvStream stream(8);
    stream.data(0, as_bytes("abc"));
    stream.eof(3);
    EXPECT_EQ(refusal([&] { stream.eof(3); }), "");
    EXPECT_TRUE(stream.ended());
}

TEST(RecvStream, is_drained_when_the_end_came_and_all_is_consumed) {
    RecvStream stream(8);
    EXPECT_FALSE(stream.drained());
    stream.data(0, as_bytes("abc"));
    stream.consume(3);
    EXPECT_FALSE(stream.drained());
    stream.data(3, as_bytes("de"));
    stream.eof(5);
    EXPECT_FALSE(stream.drained());
    stream.consume(1);
    EXPECT_FALSE(stream.drained());
    stream.consume(1);
    EXPECT_TRUE(stream.drained());

    RecvStream empty(8);
    empty.eof(0);
    EXPECT_TRUE(empty.drained());
}

TEST(RecvStream, owes_nothing_after_the_end) {
    RecvStream stream(8);
    stream.data(0, as_bytes("abcdefgh"));
    stream.consume(4);
    stream.eof(8);
    EXPECT_FALSE(stream.ack_owed());
    EXPECT_FALSE(stream.ack_due());
    stream.consume(4);
    EXPECT_FALSE(stream.ack_owed());
}

TEST(RecvStream, stop_drops_what_is_held_and_what_still_arrives) {
    RecvStream stream(8);
    stream.data(0, as_bytes("abcd"));
    stream.consume(1);
    stream.stop();
    EXPECT_TRUE(stream.stopped());
    EXPECT_TRUE(stream.readable().empty());
    EXPECT_FALSE(stream.ack_owed());
    stream.consume(2);
    EXPECT_EQ(refusal([&] { stream.data(4, as_bytes("ef")); }), "");
    EXPECT_EQ(stream.received(), 6U) << "it counts as received";
    EXPECT_EQ(stream.consumed(), 6U);
    EXPECT_TRUE(stream.readable().empty());
    EXPECT_FALSE(stream.ack_owed());
    EXPECT_EQ(refusal([&] { stream.data(7, as_bytes("h")); }), "bad_offset");
    EXPECT_EQ(refusal([&] { stream.data(6, as_bytes("ghi")); }), "bad_offset") << "the limit still holds";
    EXPECT_EQ(refusal([&] { stream.eof(6); }), "") << "it was under way";
    EXPECT_TRUE(stream.drained());
    stream.stop();
    EXPECT_TRUE(stream.stopped());
}

TEST(RecvStream, stop_after_the_end_drains) {
    RecvStream stream(8);
    stream.data(0, as_bytes("abcd"));
    stream.eof(4);
    stream.stop();
    EXPECT_TRUE(stream.drained());
}

TEST(RecvStream, a_write_under_way_keeps_its_bytes_while_more_arrive_or_it_is_stopped) {
    RecvStream stream(8);
    stream.data(0, as_bytes("abcdef"));
    stream.consume(4);
    stream.acknowledge();
    const auto writing = stream.readable();
    stream.data(6, as_bytes("ghijkl"));
    EXPECT_EQ(as_text(writing), "ef");
    stream.stop();
    EXPECT_EQ(as_text(writing), "ef");
    stream.data(12, {});
    EXPECT_EQ(as_text(writing), "ef");
}

// The input of a job that reads from /dev/null.
TEST(RecvStream, may_have_no_window) {
    RecvStream stream(0);
    EXPECT_EQ(stream.limit(), 0U);
    EXPECT_TRUE(stream.readable().empty());
    EXPECT_FALSE(stream.ack_owed());
    EXPECT_EQ(refusal([&] { stream.data(0, as_bytes("a")); }), "bad_offset");
    stream.eof(0);
    EXPECT_TRUE(stream.drained());
    stream.consume(0);
    stream.acknowledge();
    stream.stop();
    EXPECT_TRUE(stream.stopped());
}

} // namespace
} // namespace rc
