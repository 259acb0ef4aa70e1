// The words of a command line that have a form of their own: [USER@]HOST[:PORT] and DURATION.
#include "client/target.hpp"

#include "common/bytes.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace rc {
namespace {

TEST(Target, is_a_host_with_or_without_user_and_port) {
    struct Case {
        std::string_view text, user, host;
        std::uint16_t port; // 0: none
    };
    const std::vector<Case> table = {
        {"h", "", "h", 0},
        {"host.example.org", "", "host.example.org", 0},
        {"127.0.0.1", "", "127.0.0.1", 0},
        {"h:1", "", "h", 1},
        {"h:2222", "", "h", 2222},
        {"h:65535", "", "h", 65535},
        {"bob@h", "bob", "h", 0},
        {"bob@h:22", "bob", "h", 22},
        {"bob@example.org@h:22", "bob@example.org", "h", 22},
        {"::1", "", "::1", 0},
        {"fe80::1%eth0", "", "fe80::1%eth0", 0},
        {"2001:db8::22", "", "2001:db8::22", 0},
        {"bob@::1", "bob", "::1", 0},
        {"[::1]", "", "::1", 0},
        {"[::1]:22", "", "::1", 22},
        {"[fe80::1%eth0]:65535", "", "fe80::1%eth0", 65535},
        {"bob@[2001:db8::22]:1", "bob", "2001:db8::22", 1},
        {"bob@[::1]", "bob", "::1", 0},
    };
    for (const auto& [text, user, host, port] : table) {
        const auto target = parse_target(text);
        ASSERT_TRUE(target) << text;
        EXPECT_EQ(target->user, user) << text;
        EXPECT_EQ(target->host, host) << text;
        EXPECT_EQ(target->port.value_or(0), port) << text;
    }
}

TEST(Target, any_other_form_is_none) {
    const std::vector<std::string_view> table = {"", ":", "@", ":22", "@h", "@h:22", "bob@", "bob@:22", "h:", "bob@h:", "h:0",
        "h:00", "h:65536", "h:99999", "h:4294967297", "h:18446744073709551617", "h:99999999999999999999999", "h:-1", "h:+1",
        "h:x", "h:22x", "h:x22", "h:0x16", "h:2.2", "h: 22", "h:22 ", "h:\t22", "h:22\n", "[", "]", "[]", "[]:22", "[::1",
        "[::1:22", "[::1]:", "[::1]:0", "[::1]:65536", "[::1]:x", "[::1]22", "[::1]x:22", "bob@[]", "bob@[::1", "[::1]]:22"};
    for (const auto text : table) EXPECT_FALSE(parse_target(text)) << escape(text);
}

TEST(Target, a_host_has_no_blanks) {
    for (const std::string_view text :
        {" ", " h", "h ", "a b", "h\n", "host\nname", "\th", "h\t", "bob@ h", "bob@h ", "a b:22", "[a b]:22", "[::1 ]", "h\r"}) {
        EXPECT_FALSE(parse_target(text)) << escape(text);
    }
}

TEST(Duration, is_a_number_and_a_unit) {
    struct Case {
        std::string_view text;
        std::int64_t seconds;
    };
    const std::vector<Case> table = {{"1", 1}, {"90", 90}, {"1s", 1}, {"90s", 90}, {"5m", 300}, {"1m", 60}, {"8h", 28800},
        {"2d", 172800}, {"315360000", 315360000}, {"315360000s", 315360000}, {"5256000m", 315360000}, {"87600h", 315360000},
        {"3650d", 315360000}};
    for (const auto& [text, seconds] : table) {
        const auto duration = parse_duration(text);
        ASSERT_TRUE(duration) << text;
        EXPECT_EQ(duration->count(), seconds) << text;
    }
}

TEST(Duration, any_other_form_is_none) {
    const std::vector<std::string_view> table = {"", "s", "m", "h", "d", "x", "-", "0", "0s", "0d", "00", "-1", "-1s", "+1",
        "+5m", "1.5", "1.5h", "1,5", "1e3", "0x10", "5M", "5S", "5x", "5w", "5ms", "5mm", "5sec", "s5", "1h30m", "5 m", " 5",
        "5 ", "5m ", " 5m", "5\n", "\t5", "5m\n", "five"};
    for (const auto text : table) EXPECT_FALSE(parse_duration(text)) << escape(text);
    EXPECT_FALSE(parse_duration(std::string_view("5\0", 2)));
    EXPECT_FALSE(parse_duration(std::string_view("\0", 1)));
}

TEST(Duration, more_than_ten_years_is_none) {
    for (const std::string_view text : {"4000d", "96000h", "11y", "345600000", "9223372036854775807", "9223372036854775808",
             "18446744073709551616", "18446744073709551617s", "99999999999999999999999999", "9223372036854775807s",
             "9223372036854775807m", "9223372036854775807d", "153722867280912931m", "307445734561825861m", "5124095576030432h",
             "106751991167301d", "213503982334602d"}) {
        EXPECT_FALSE(parse_duration(text)) << text;
    }
}

TEST(Offset, is_a_number_that_a_stream_can_have) {
    EXPECT_EQ(parse_offset("0"), 0U);
    EXPECT_EQ(parse_offset("18446744073709551615"), ~std::uint64_t{0});
    for (const auto* text : {"", "-1", "+1", "1k", " 1", "1 ", "0x10", "18446744073709551616", "1e3"}) {
        EXPECT_EQ(parse_offset(text), std::nullopt) << text;
    }
}

TEST(Signal, is_named_or_numbered) {
    for (const auto* text : {"TERM", "SIGTERM", "term", "SigTerm", "15"}) EXPECT_EQ(parse_signal(text), "TERM") << text;
    EXPECT_EQ(parse_signal("9"), "KILL");
    for (const auto* text : {"", "SIG", "0", "-1", "65", "1000000000000", "NOSUCH", "TERM ", "SIGSIGTERM"}) {
        EXPECT_EQ(parse_signal(text), std::nullopt) << text;
    }
}

TEST(Place, is_here_or_at_a_host) {
    struct Case {
        std::string_view text, host, path;
    };
    const std::vector<Case> table = {
        {"a", "", "a"},
        {"h:", "h", ""},
        {"h:a", "h", "a"},
        {"h:/a b", "h", "/a b"},
        {"bob@h:a:b", "bob@h", "a:b"},
        {"./a:b", "", "./a:b"},
        {"/a:b", "", "/a:b"},
        {"a/b:c", "", "a/b:c"},
        {":a", "", ":a"},
        {"[::1]:a", "[::1]", "a"},
        {"bob@[::1]:/a]:b", "bob@[::1]", "/a]:b"},
        {"a[1]:b", "a[1]", "b"},
        {"", "", ""},
    };
    for (const auto& [text, host, path] : table) {
        const Place place = parse_place(text);
        EXPECT_EQ(place.host, host) << text;
        EXPECT_EQ(place.path, path) << text;
    }
}

} // namespace
} // namespace rc
