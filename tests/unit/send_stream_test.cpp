// The sender's side of a stream: window, acknowledgements, stop and resume.
#include "common/stream.hpp"

#include "common/bytes.hpp"
#include "tests/unit/refusal.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace rc {
namespace {

constexpr std::uint64_t top = ~std::uint64_t{0};
constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyz";

// Puts in as much of `text` as the stream takes; how much that was.
std::size_t put(SendStream& stream, std::string_view text) {
    std::size_t taken = 0;
    for (auto space = stream.prepare(); !space.empty() && !text.empty(); space = stream.prepare()) {
        const auto piece = text.substr(0, space.size());
        std::ranges::copy(as_bytes(piece), space.begin());
        stream.commit(piece.size());
        text.remove_prefix(piece.size());
        taken += piece.size();
    }
    return taken;
}

// Sends up to `most` bytes.
std::string send(SendStream& stream, std::size_t most = 1000) {
    std::string text;
    while (text.size() < most && stream.can_send()) text += as_text(stream.next(most - text.size()));
    return text;
}

TEST(SendStream, has_room_for_what_window_and_capacity_allow) {
    SendStream stream(10, 8);
    EXPECT_EQ(stream.room(), 8U);
    stream.put(as_bytes("abcdef"));
    EXPECT_EQ(stream.room(), 2U);
    EXPECT_EQ(send(stream), "abcdef");
    EXPECT_EQ(stream.room(), 2U) << "it may have to be sent again";
    stream.ack(6, 10);
    EXPECT_EQ(stream.room(), 4U) << "the window";
    stream.put(as_bytes("ghij"));
    EXPECT_EQ(stream.room(), 0U);
    EXPECT_EQ(send(stream), "ghij");
    stream.ack(10, 30);
    EXPECT_EQ(stream.room(), 8U) << "the capacity";
    stream.close();
    EXPECT_EQ(stream.room(), 0U);
}

TEST(SendStream, that_was_stopped_has_no_room_and_forgets_what_is_put_in) {
    SendStream stream(10, 10);
    stream.stop();
    EXPECT_EQ(stream.room(), 0U);
    stream.put(as_bytes("abc"));
    EXPECT_EQ(stream.end(), 0U);
    EXPECT_FALSE(stream.can_send());
}

TEST(SendStream, sends_what_was_put_in) {
    SendStream stream(100, 100);
    EXPECT_FALSE(stream.can_send());
    EXPECT_TRUE(stream.next(10).empty());
    EXPECT_EQ(put(stream, "abcdef"), 6U);
    EXPECT_TRUE(stream.can_send());
    EXPECT_EQ(send(stream, 4), "abcd");
    EXPECT_EQ(stream.sent(), 4U);
    EXPECT_EQ(stream.end(), 6U);
    EXPECT_EQ(send(stream), "ef");
    EXPECT_FALSE(stream.can_send());
    EXPECT_EQ(stream.acked(), 0U);
}

TEST(SendStream, takes_no_more_than_window_and_capacity_allow) {
    struct Case {
        std::uint64_t limit;
        std::size_t capacity, taken;
    };
    for (const auto& [limit, capacity, taken] :
        {Case{0, 8, 0}, Case{1, 8, 1}, Case{8, 8, 8}, Case{8, 5, 5}, Case{top, 8, 8}, Case{5, 8, 5}}) {
        SendStream stream(limit, capacity);
        EXPECT_EQ(put(stream, letters), taken) << limit << ' ' << capacity;
        EXPECT_TRUE(stream.prepare().empty());
        EXPECT_EQ(send(stream), letters.substr(0, taken));
        EXPECT_TRUE(stream.prepare().empty()) << "sent is not yet acknowledged";
    }
}

TEST(SendStream, goes_on_when_the_window_moves) {
    SendStream stream(4, 8);
    EXPECT_EQ(put(stream, letters), 4U);
    EXPECT_EQ(send(stream), "abcd");
    stream.ack(0, 6);
    EXPECT_EQ(put(stream, letters.substr(4)), 2U);
    stream.ack(3, 26);
    EXPECT_EQ(put(stream, letters.substr(6)), 5U) << "eight are kept at a time";
    EXPECT_EQ(send(stream), "efghijk");
    stream.ack(11, 26);
    EXPECT_EQ(put(stream, letters.substr(11)), 8U);
    EXPECT_EQ(send(stream), "lmnopqrs");
}

TEST(SendStream, a_window_of_zero_waits_for_an_ack) {
    SendStream stream(0, 8);
    EXPECT_TRUE(stream.prepare().empty());
    stream.ack(0, 0);
    EXPECT_TRUE(stream.prepare().empty());
    stream.ack(0, 2);
    EXPECT_EQ(put(stream, letters), 2U);
    EXPECT_EQ(send(stream), "ab");
}

// A stream that will never have bytes is kept without memory.
TEST(SendStream, may_have_no_capacity) {
    SendStream stream(0, 0);
    EXPECT_TRUE(stream.prepare().empty());
    stream.ack(0, 0);
    stream.ack(0, 100);
    EXPECT_TRUE(stream.prepare().empty());
    stream.close();
    EXPECT_TRUE(stream.eof_due());
    stream.eof_sent();
    stream.resume(0);
    stream.stop();
    EXPECT_TRUE(stream.finished());
}

TEST(SendStream, acks_are_checked) {
    struct Case {
        std::string_view name;
        std::uint64_t offset, limit;
        std::string_view refused;
    };
    // acked 3, sent 10, end 12, limit 20
    const std::vector<Case> table = {
        {"repeated", 3, 20, ""},
        {"one more", 4, 20, ""},
        {"all that was sent", 10, 20, ""},
        {"raised limit", 3, 21, ""},
        {"highest limit", 10, top, ""},
        {"below the last", 2, 20, "bad_offset"},
        {"zero", 0, 20, "bad_offset"},
        {"above sent", 11, 20, "bad_offset"},
        {"above end", 13, 20, "bad_offset"},
        {"at the limit", 20, 20, "bad_offset"},
        {"top", top, top, "bad_offset"},
        {"top less 1", top - 1, top, "bad_offset"},
        {"lowered limit", 10, 19, "bad_offset"},
        {"limit below offset", 10, 9, "bad_offset"},
        {"no limit", 5, 0, "bad_offset"},
    };
    for (const auto& [name, offset, limit, expected] : table) {
        SendStream stream(20, 20);
        put(stream, letters.substr(0, 12));
        send(stream, 10);
        stream.ack(3, 20);
        EXPECT_EQ(refusal([&, o = offset, l = limit] { stream.ack(o, l); }), expected) << name;
        EXPECT_EQ(stream.acked(), expected.empty() ? offset : 3U) << name;
    }
}

TEST(SendStream, that_begins_late_takes_acks_for_what_came_before_it) {
    SendStream stream(30, 20, 10);
    put(stream, "0123456789");
    EXPECT_EQ(send(stream), "0123456789");
    stream.ack(0, 31);
    stream.ack(9, 32);
    EXPECT_EQ(stream.acked(), 10U);
    EXPECT_EQ(stream.room(), 10U);
    stream.ack(12, 32);
    EXPECT_EQ(stream.acked(), 12U);
    EXPECT_EQ(refusal([&] { stream.ack(9, 32); }), "bad_offset");
}

TEST(SendStream, limit_is_never_lowered) {
    SendStream stream(20, 30);
    stream.ack(0, 25);
    EXPECT_EQ(refusal([&] { stream.ack(0, 24); }), "bad_offset");
    EXPECT_EQ(put(stream, letters), 25U) << "a refused ack changes nothing";
}

TEST(SendStream, eof_is_due_when_all_bytes_are_out) {
    SendStream stream(4, 8);
    put(stream, "abc");
    EXPECT_FALSE(stream.eof_due());
    stream.close();
    EXPECT_FALSE(stream.eof_due());
    EXPECT_EQ(stream.next(10).size(), 3U);
    EXPECT_TRUE(stream.eof_due());
    EXPECT_FALSE(stream.finished());
    stream.eof_sent();
    EXPECT_FALSE(stream.eof_due());
    EXPECT_TRUE(stream.finished());
    stream.ack(3, 10);
    EXPECT_FALSE(stream.eof_due());
    EXPECT_EQ(stream.end(), 3U);
}

TEST(SendStream, eof_of_an_empty_stream_needs_no_window) {
    SendStream stream(0, 8);
    stream.close();
    EXPECT_TRUE(stream.eof_due());
}

TEST(SendStream, stop_ends_it_in_every_state) {
    struct Case {
        std::string_view name;
        void (*bring)(SendStream&);
    };
    const std::vector<Case> table = {
        {"new", [](SendStream&) {}},
        {"unsent", [](SendStream& s) { put(s, "abc"); }},
        {"sent", [](SendStream& s) { put(s, "abc"), send(s); }},
        {"partly sent", [](SendStream& s) { put(s, "abc"), send(s, 1); }},
        {"acknowledged", [](SendStream& s) { put(s, "abc"), send(s), s.ack(3, 8); }},
        {"partly acknowledged", [](SendStream& s) { put(s, "abc"), send(s), s.ack(1, 8); }},
        {"full", [](SendStream& s) { put(s, letters); }},
        {"closed", [](SendStream& s) { put(s, "abc"), s.close(); }},
        {"closed and sent", [](SendStream& s) { put(s, "abc"), s.close(), send(s); }},
        {"ended", [](SendStream& s) { put(s, "abc"), s.close(), send(s), s.eof_sent(); }},
        {"resumed", [](SendStream& s) { put(s, "abc"), send(s), s.resume(1); }},
        {"stopped", [](SendStream& s) { put(s, "abc"), s.stop(); }},
    };
    for (const auto& [name, bring] : table) {
        SCOPED_TRACE(name);
        SendStream stream(8, 8);
        bring(stream);
        const std::uint64_t sent = stream.sent();
        const std::uint64_t end = stream.end();
        stream.stop();
        for (int round = 0; round < 2; ++round) {
            EXPECT_TRUE(stream.stopped());
            EXPECT_TRUE(stream.finished());
            EXPECT_TRUE(stream.prepare().empty());
            EXPECT_TRUE(stream.next(10).empty());
            EXPECT_FALSE(stream.can_send());
            EXPECT_FALSE(stream.eof_due());
            stream.commit(1);
            EXPECT_EQ(stream.end(), end) << "a stopped stream takes nothing";
            stream.close();
        }
        // It was under way when the receiver stopped.
        EXPECT_EQ(refusal([&] { stream.ack(sent, 8); }), "");
        EXPECT_EQ(refusal([&] { stream.ack(sent + 1, 8); }), "bad_offset");
    }
}

TEST(SendStream, resumes_at_every_offset_that_it_keeps) {
    constexpr std::uint64_t acked = 5, sent = 14, end = 16;
    for (std::uint64_t offset = 0; offset <= 26; ++offset) {
        SCOPED_TRACE(offset);
        SendStream stream(17, 12);
        put(stream, letters);
        send(stream, 5);
        stream.ack(acked, 17);
        put(stream, letters.substr(12, 4));
        send(stream, 9);
        ASSERT_EQ(stream.sent(), sent);
        ASSERT_EQ(stream.end(), end);
        if (offset < acked || offset > sent) {
            EXPECT_EQ(refusal([&] { stream.resume(offset); }), "bad_offset");
            EXPECT_EQ(stream.sent(), sent);
            continue;
        }
        stream.resume(offset);
        EXPECT_EQ(stream.sent(), offset);
        EXPECT_EQ(stream.acked(), acked) << "only an ack frees";
        EXPECT_EQ(refusal([&] { stream.ack(offset + 1, 17); }), "bad_offset") << "not sent again yet";
        EXPECT_EQ(send(stream), letters.substr(offset, end - offset));
        stream.resume(acked);
        EXPECT_EQ(send(stream), letters.substr(acked, end - acked)) << "and once more from the oldest byte";
    }
    SendStream stream(8, 8);
    EXPECT_EQ(refusal([&] { stream.resume(top); }), "bad_offset");
    EXPECT_EQ(refusal([&] { stream.resume(0); }), "");
}

TEST(SendStream, resume_says_the_end_again) {
    SendStream stream(8, 8);
    put(stream, "abc");
    stream.close();
    send(stream);
    stream.eof_sent();
    stream.resume(3);
    EXPECT_FALSE(stream.finished());
    EXPECT_TRUE(stream.eof_due());
    stream.resume(1);
    EXPECT_FALSE(stream.eof_due());
    EXPECT_EQ(send(stream), "bc");
    EXPECT_TRUE(stream.eof_due());
}

} // namespace
} // namespace rc
