// Lines of the log: one an event, whatever a peer put into the values.
#include "server/log.hpp"

#include "common/bytes.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace rc {
namespace {

using namespace std::string_literals;

std::string of(const std::string& value) { return log_line("event", {{"key", value}}); }

bool is_one_clean_line(std::string_view line) {
    return is_utf8(line) &&
           std::ranges::none_of(line, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }) &&
           line.find("\xE2\x80\xA8") == line.npos && line.find("\xE2\x80\xA9") == line.npos;
}

TEST(LogLine, has_the_event_and_its_fields_in_order) {
    EXPECT_EQ(log_line("stopped", {}), "stopped");
    EXPECT_EQ(log_line("job-started", {{"job", "7f3a"}, {"pid", "4711"}, {"command", "make all"}}),
        "job-started job=7f3a pid=4711 command=\"make all\"");
    EXPECT_EQ(log_line("twice", {{"b", "1"}, {"a", "2"}, {"b", "3"}}), "twice b=1 a=2 b=3");
}

TEST(LogLine, quotes_and_escapes_values) {
    struct Case {
        std::string value, shown;
    };
    const std::vector<Case> table = {
        {"plain", "plain"},
        {"alice@laptop", "alice@laptop"},
        {"127.0.0.1:7420", "127.0.0.1:7420"},
        {"[::1]:7420", "[::1]:7420"},
        {"/usr/bin/x", "/usr/bin/x"},
        {"\xC3\xA4", "\xC3\xA4"},
        {"", R"("")"},
        {" ", R"(" ")"},
        {"echo hi", R"("echo hi")"},
        {"a\"b", R"("a\"b")"},
        {"\"", R"("\"")"},
        {"say \"hi\"", R"("say \"hi\"")"},
        {"a\\b", R"(a\\b)"},
        {"a\\", R"(a\\)"},
        {"a b\\", R"("a b\\")"},
        {"a\\\"", R"("a\\\"")"},
        {"a\nb", R"(a\nb)"},
        {"a\r\n\tb", R"(a\r\n\tb)"},
        {"\x1b[2J", R"(\x1b[2J)"},
        {"\0"s, R"(\x00)"},
        {"a\0b c"s, R"("a\x00b c")"},
        {"\x7f", R"(\x7f)"},
        {"\xFF", R"(\xff)"},
    };
    for (const auto& [value, shown] : table) EXPECT_EQ(of(value), "event key=" + shown);
}

// What begins with a quote ends at the next one that no backslash stands before; nothing that a peer sends ends it sooner.
TEST(LogLine, a_value_cannot_forge_a_field_or_a_line) {
    for (const std::string& value : {"x y=z"s, "x\" y=\"z"s, "x\\\" y=z"s, "x\\\\\" y=z"s, "\" y=z"s, "x\nevent y=z"s,
             "\" \" \" y=z"s, "x\\"s, "x \\"s, "x \\\\\\"s}) {
        const std::string line = log_line("event", {{"key", value}, {"y", "own"}});
        SCOPED_TRACE(line);
        EXPECT_TRUE(is_one_clean_line(line));
        std::size_t at = "event key="s.size();
        if (line.at(at) == '"') {
            ++at;
            while (line.at(at) != '"') at += line.at(at) == '\\' ? 2U : 1U;
            ++at;
        } else {
            at = line.find(' ', at);
        }
        EXPECT_EQ(line.substr(at), " y=own");
    }
}

TEST(LogLine, is_one_line_whatever_the_value) {
    for (int c = 0; c < 256; ++c) {
        for (const std::string& value : {std::string(1, static_cast<char>(c)), "a"s + static_cast<char>(c) + "b c"})
            EXPECT_TRUE(is_one_clean_line(of(value))) << c;
    }
    for (const std::string value : {"\xC2\x85",
             "\xC2\x9B"
             "2J",
             "a\xE2\x80\xA8"
             "b",
             "\xE2\x80\xA9", "\xED\xA0\x80", "\xF5\x80\x80\x80", "\xC3"}) {
        const std::string line = of(value);
        EXPECT_TRUE(is_one_clean_line(line)) << escape(line);
        EXPECT_EQ(line.find("\xC2\x85"), line.npos);
        EXPECT_EQ(line.find("\xC2\x9B"), line.npos);
    }
}

TEST(LogLine, a_long_value_is_cut) {
    for (const std::string& value : {std::string(1 << 20, 'x'), std::string(1 << 20, '\n'), std::string(1 << 20, '\0'),
             std::string(1 << 20, '"'), std::string(1 << 20, '\xFF'), "a "s + std::string(1 << 20, '\\')}) {
        const std::string line = of(value);
        EXPECT_TRUE(is_one_clean_line(line));
        EXPECT_LT(line.size(), 20000U);
        EXPECT_GT(line.size(), 200U);
    }
    std::string wide;
    while (wide.size() < 100000) wide += "\xE2\x82\xAC";
    for (const auto* shift : {"", "x", "xx"}) EXPECT_TRUE(is_one_clean_line(of(shift + wide)));
}

TEST(SecondsText, has_three_decimals) {
    EXPECT_EQ(seconds_text(0), "0.000");
    EXPECT_EQ(seconds_text(1000), "0.001");
    EXPECT_EQ(seconds_text(1500000), "1.500");
    EXPECT_EQ(seconds_text(59999000), "59.999");
    EXPECT_EQ(seconds_text(86400000000), "86400.000");
}

} // namespace
} // namespace rc
