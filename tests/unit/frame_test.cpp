// Frames: cut and glued in every way, their limits, and what may not come through.
#include "common/frame.hpp"

#include "common/bytes.hpp"
#include "tests/unit/refusal.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace rc {
namespace {

using namespace std::string_literals;
using Size = std::optional<std::uint64_t>;

struct Received {
    std::string header;
    std::string body;
    bool operator==(const Received&) const = default;
};

void PrintTo(const Received& frame, std::ostream* out) { *out << frame.header << " + " << frame.body.size() << " bytes"; }

std::string length_prefix(std::uint32_t length) {
    std::string text;
    for (int shift = 24; shift >= 0; shift -= 8) text.push_back(static_cast<char>(static_cast<unsigned char>(length >> shift)));
    return text;
}

std::string raw_frame(std::string_view header, std::string_view body = {}) {
    return length_prefix(static_cast<std::uint32_t>(header.size())) + std::string(header) + std::string(body);
}

// A valid header of exactly `size` bytes.
std::string header_of(std::size_t size) { return R"({"a":")" + std::string(size - 8, 'x') + R"("})"; }

void accept(const boost::json::object&, Size) {}

void put(FrameDecoder& decoder, std::string_view bytes) {
    while (!bytes.empty()) {
        const auto space = decoder.prepare();
        ASSERT_FALSE(space.empty());
        const std::size_t count = std::min(space.size(), bytes.size());
        std::ranges::copy(as_bytes(bytes.substr(0, count)), space.begin());
        decoder.commit(count);
        bytes.remove_prefix(count);
    }
}

void take_all(FrameDecoder& decoder, std::vector<Received>& frames) {
    while (const auto frame = decoder.next(accept))
        frames.push_back({std::string(frame->header), std::string(as_text(frame->body))});
}

// Feeds the pieces, each as soon as the one before it is decoded as far as it goes.
std::vector<Received> decode(const std::vector<std::string_view>& pieces) {
    FrameDecoder decoder(65536);
    std::vector<Received> frames;
    for (const auto piece : pieces) {
        put(decoder, piece);
        take_all(decoder, frames);
    }
    return frames;
}

std::string refused(std::string_view bytes, std::size_t limit = 65536) {
    return refusal([&] {
        FrameDecoder decoder(limit);
        put(decoder, bytes);
        while (decoder.next(accept)) {
        }
    });
}

const std::vector<Received> frames = {
    {R"({"type":"ping"})", ""},
    {R"({ "type" : "data", "size" : 3 })", "hi\n"},
    {R"({"type":"exit","size":0})", ""},
    {R"({"size":5,"text":"é€😀"})", "\0\xFF\0{}"s},
    {R"({"size":9000})", std::string(9000, 'b')},
    {header_of(5000), ""},
    {"{}", ""},
};

std::string sent(const Received& frame) { return raw_frame(frame.header, frame.body); }

TEST(Frame, may_be_cut_at_every_byte) {
    for (const auto& frame : frames) {
        const std::string bytes = sent(frame);
        for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
            const std::string_view whole(bytes);
            ASSERT_EQ(decode({whole.substr(0, cut), whole.substr(cut)}), std::vector{frame}) << "cut at " << cut;
        }
    }
}

TEST(Frame, may_be_glued_to_any_other_and_cut_at_every_byte) {
    for (const auto& first : frames) {
        for (const auto& second : frames) {
            const std::string bytes = sent(first) + sent(second);
            const std::string_view whole(bytes);
            // Of the long frames, every byte of the second prefix and every 97th of the rest.
            const std::size_t border = sent(first).size();
            for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
                const bool near = cut + 40 > border && cut < border + 40;
                if (bytes.size() > 400 && !near && cut % 97 != 0) continue;
                ASSERT_EQ(decode({whole.substr(0, cut), whole.substr(cut)}), (std::vector{first, second})) << "cut at " << cut;
            }
        }
    }
}

TEST(Frame, may_come_byte_by_byte_or_all_at_once) {
    std::string bytes;
    for (const auto& frame : frames) bytes += sent(frame);
    EXPECT_EQ(decode({bytes}), frames);
    for (const std::size_t step : {1U, 2U, 3U, 5U, 7U, 4096U, 5000U}) {
        std::vector<std::string_view> pieces;
        for (std::size_t at = 0; at < bytes.size(); at += step) pieces.push_back(std::string_view(bytes).substr(at, step));
        EXPECT_EQ(decode(pieces), frames) << "steps of " << step;
    }
}

TEST(Frame, views_hold_until_the_next_call) {
    FrameDecoder decoder(65536);
    put(decoder, sent(frames[1]) + sent(frames[3]));
    const auto first = decoder.next(accept);
    ASSERT_TRUE(first);
    EXPECT_EQ(first->header, frames[1].header);
    EXPECT_EQ(as_text(first->body), "hi\n");
    const auto second = decoder.next(accept);
    ASSERT_TRUE(second);
    EXPECT_EQ(as_text(second->body), frames[3].body);
    EXPECT_FALSE(decoder.next(accept));
}

TEST(Frame, bytes_behind_the_last_frame_are_known_of) {
    FrameDecoder decoder(65536);
    EXPECT_FALSE(decoder.holds_more());
    put(decoder, sent(frames[1]) + "\0"s);
    EXPECT_TRUE(decoder.holds_more()) << "a whole frame";
    ASSERT_TRUE(decoder.next(accept));
    EXPECT_TRUE(decoder.holds_more()) << "the first byte of another";
    EXPECT_FALSE(decoder.next(accept));
    put(decoder, sent(frames[1]).substr(1));
    ASSERT_TRUE(decoder.next(accept));
    EXPECT_FALSE(decoder.holds_more()) << "the views of the last frame still hold";
}

TEST(Frame, prepare_makes_room_for_the_rest_of_the_frame) {
    FrameDecoder decoder(65536);
    EXPECT_GE(decoder.prepare().size(), 1U);
    put(decoder, raw_frame(R"({"size":100000})") + "ab");
    EXPECT_FALSE(decoder.next(accept));
    EXPECT_GE(decoder.prepare().size(), 99998U);
}

TEST(Frame, header_length_is_checked_as_soon_as_it_is_there) {
    struct Case {
        std::uint32_t length;
        std::size_t limit;
        std::string_view refused;
    };
    const std::vector<Case> table = {
        {0, 4096, "bad_frame"},
        {1, 4096, ""},
        {4096, 4096, ""},
        {4097, 4096, "too_large"},
        {65536, 65536, ""},
        {65537, 65536, "too_large"},
        {0x7FFFFFFF, 65536, "too_large"},
        {0x80000000, 65536, "too_large"},
        {0xFFFFFFFF, 65536, "too_large"},
    };
    for (const auto& [length, limit, expected] : table) {
        EXPECT_EQ(refused(length_prefix(length), limit), expected) << length << " under " << limit;
        EXPECT_EQ(refused(sent(frames[0]) + length_prefix(length), limit), expected) << length << " behind another frame";
    }
    for (std::size_t cut = 0; cut < 4; ++cut) EXPECT_EQ(refused(std::string(cut, '\0')), "") << cut << " bytes of a length";
}

TEST(Frame, header_limit_is_exact) {
    EXPECT_EQ(refused(raw_frame(header_of(4096)), 4096), "");
    EXPECT_EQ(refused(raw_frame(header_of(4097)), 4096), "too_large");
    EXPECT_EQ(refused(raw_frame(header_of(65536))), "");
    EXPECT_EQ(refused(raw_frame(header_of(65537))), "too_large");
}

TEST(Frame, header_limit_may_change_between_glued_frames) {
    const std::string large = raw_frame(header_of(5000));
    FrameDecoder raised(4096);
    put(raised, sent(frames[0]) + large);
    ASSERT_TRUE(raised.next(accept));
    raised.set_header_limit(65536);
    EXPECT_TRUE(raised.next(accept));

    FrameDecoder lowered(65536);
    put(lowered, large + large);
    ASSERT_TRUE(lowered.next(accept));
    lowered.set_header_limit(4096);
    EXPECT_EQ(refusal([&] { lowered.next(accept); }), "too_large");
}

TEST(Frame, size_must_be_a_whole_number_that_is_not_negative) {
    for (const std::string size : {"-1", "1.5", "1.0", "1e1", R"("3")", "null", "true", "[3]", "{}", "18446744073709551616",
             "-9223372036854775808", "1e400"}) {
        const std::string code = refused(raw_frame(R"({"type":"data","size":)" + size + "}"));
        // 1e400 is beyond what a JSON parser can hold, so not JSON to some.
        if (size == "1e400" && code == "bad_frame") continue;
        EXPECT_EQ(code, "bad_message") << size;
    }
}

TEST(Frame, header_must_be_one_object_with_each_field_once) {
    for (const std::string header : {"x", "[]", "null", "{", "{}x", "{}{}", R"({"a":1,"a":1})", R"({"size":1,"size":1})",
             R"({"limits":{"stdin":1,"stdin":2}})", "{\"a\":\"\xFF\"}", R"({"a":[[[[[[[[]]]]]]]]})"}) {
        EXPECT_EQ(refused(raw_frame(header)), "bad_frame") << header;
    }
    EXPECT_EQ(refused(raw_frame("{}\0"s)), "bad_frame");
    EXPECT_EQ(refused(raw_frame("\0"s)), "bad_frame");
}

TEST(Frame, check_runs_once_before_the_body_arrives) {
    FrameDecoder decoder(65536);
    std::vector<std::pair<std::string, Size>> checked;
    const auto check = [&](const boost::json::object& header, Size size) {
        checked.emplace_back(boost::json::serialize(header), size);
    };
    put(decoder, raw_frame(R"({"type":"data","size":3})"));
    EXPECT_FALSE(decoder.next(check));
    ASSERT_EQ(checked.size(), 1U);
    EXPECT_EQ(checked[0].first, R"({"type":"data"})");
    EXPECT_EQ(checked[0].second, Size(3));

    for (const std::string_view byte : {"h", "i", "\n"}) {
        EXPECT_FALSE(decoder.next(check));
        put(decoder, byte);
    }
    EXPECT_TRUE(decoder.next(check));
    EXPECT_EQ(checked.size(), 1U);

    put(decoder, raw_frame(R"({"type":"ping"})") + raw_frame(R"({"type":"exit","size":0})"));
    EXPECT_TRUE(decoder.next(check));
    EXPECT_TRUE(decoder.next(check));
    EXPECT_FALSE(decoder.next(check));
    ASSERT_EQ(checked.size(), 3U);
    EXPECT_EQ(checked[1].second, std::nullopt);
    EXPECT_EQ(checked[2].second, Size(0));
}

// What a peer claims must cost it more than it costs the receiver.
TEST(Frame, refused_frames_take_no_memory) {
    const auto too_much = [](const boost::json::object&, Size size) {
        if (size.value_or(0) > 32) throw Error(ErrorCode::too_large, "body");
    };
    for (const std::string size : {"33", "1000000000", "9223372036854775808", "18446744073709551615"}) {
        FrameDecoder decoder(4096);
        put(decoder, raw_frame(R"({"size":)" + size + "}"));
        EXPECT_EQ(refusal([&] { decoder.next(too_much); }), "too_large") << size;
        EXPECT_LE(decoder.prepare().size(), 16384U) << size;
    }
    for (const std::uint32_t length : {4097U, 0xFFFFFFFFU}) {
        FrameDecoder decoder(4096);
        put(decoder, length_prefix(length));
        EXPECT_EQ(refusal([&] { decoder.next(accept); }), "too_large") << length;
        EXPECT_LE(decoder.prepare().size(), 16384U) << length;
    }
}

TEST(Frame, encodes_to_the_worked_example) {
    boost::json::object header = boost::json::parse(R"({"type":"data","job":"7f3a","stream":"stdout","offset":0})").as_object();
    const std::string bytes = encode_frame(header, 3) + "hi\n";
    EXPECT_EQ(to_hex(as_bytes(bytes)), "00000042"
                                       "7b2274797065223a2264617461222c22"
                                       "6a6f62223a2237663361222c22737472"
                                       "65616d223a227374646f7574222c226f"
                                       "6666736574223a302c2273697a65223a"
                                       "337d"
                                       "68690a");
}

TEST(Frame, encodes_size_only_if_there_is_a_body) {
    EXPECT_EQ(encode_frame({{"type", "ping"}}, std::nullopt), "\0\0\0\x0F{\"type\":\"ping\"}"s);
    EXPECT_EQ(encode_frame({{"type", "exit"}}, 0), "\0\0\0\x18{\"type\":\"exit\",\"size\":0}"s);
    EXPECT_EQ(encode_frame({}, std::nullopt), "\0\0\0\x02{}"s);
}

TEST(Frame, lengths_are_big_endian) {
    std::string out = "x";
    for (const std::uint32_t value : {0U, 1U, 0x80U, 0x01020304U, 0xFFFFFFFFU}) append_length(out, value);
    EXPECT_EQ(to_hex(as_bytes(out)), "7800000000000000010000008001020304ffffffff");
}

} // namespace
} // namespace rc
