// Lines of the log: one an event, whatever a peer put into the values.
#include "server/log.hpp"

#include "common/bytes.hpp"
#include "common/error.hpp"
#include "server/log_sink.hpp"

#include "tests/unit/scratch.hpp"

#include <boost/json/parse.hpp>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace rc {
namespace {

namespace json = boost::json;

using namespace std::string_literals;

std::string text_line(std::string_view event, LogFields fields) { return log_line(LogFormat::text, event, fields); }
std::string json_line(std::string_view event, LogFields fields) { return '{' + log_line(LogFormat::json, event, fields); }

std::string of(const std::string& value) { return text_line("event", {{"key", value}}); }

std::string read_back(const std::string& value) {
    const json::value line = json::parse(json_line("event", {{"key", value}}));
    return std::string(line.at("key").as_string());
}

// The ends of C1, the separators, and what changes the direction of writing.
const std::vector<std::string_view> acting = {"\u0080", "\u0085", "\u009B", "\u009F", "\u2028", "\u2029", "\u202A", "\u202B",
    "\u202C", "\u202D", "\u202E", "\u2066", "\u2067", "\u2068", "\u2069"};

bool is_one_clean_line(std::string_view line) {
    return is_utf8(line) &&
           std::ranges::none_of(line, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }) &&
           std::ranges::none_of(acting, [&](std::string_view character) { return line.find(character) != line.npos; });
}

TEST(LogLine, has_the_event_and_its_fields_in_order) {
    EXPECT_EQ(text_line("stopped", {}), "stopped");
    EXPECT_EQ(text_line("job-started", {{"job", "7f3a"}, {"pid", "4711"}, {"command", "make all"}}),
        "job-started job=7f3a pid=4711 command=\"make all\"");
    EXPECT_EQ(text_line("twice", {{"b", "1"}, {"a", "2"}, {"b", "3"}}), "twice b=1 a=2 b=3");
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
        const std::string line = text_line("event", {{"key", value}, {"y", "own"}});
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

TEST(JsonLine, has_the_event_and_its_fields_as_strings) {
    EXPECT_EQ(json_line("stopped", {}), R"({"event":"stopped"})");
    EXPECT_EQ(json_line("job", {{"job", "7f3a"}, {"status", "0"}, {"command", "make all"}, {"problem", ""}}),
        R"({"event":"job","job":"7f3a","status":"0","command":"make all","problem":""})");
}

TEST(JsonLine, gives_back_what_the_peer_sent) {
    std::vector<std::string> values = {"plain", "a b", "a\"b", "a\\b", "\\", "\"}", "\n\r\t", "\0"s, "\x1b[2J", "\x7f",
        "\u00E4\u20AC\U0001F600", "x\",\"status\":\"0", "\u2028{\"event\":\"login\"}", "\xEF\xBF\xBD"};
    for (const std::string_view character : acting) values.emplace_back("a").append(character).append("b");
    for (const std::string& value : values) {
        EXPECT_EQ(read_back(value), value);
        EXPECT_TRUE(is_one_clean_line(json_line("event", {{"key", value}}))) << escape(value);
    }
}

TEST(JsonLine, has_replacements_for_what_is_not_utf8) {
    EXPECT_EQ(read_back("a\xFF"), "a\uFFFD");
    EXPECT_EQ(read_back("\xC0\xAF\n"), "\uFFFD\uFFFD\n");
    EXPECT_EQ(read_back("\xED\xA0\x80"), "\uFFFD\uFFFD\uFFFD");
    EXPECT_EQ(read_back("\xE2\x82"), "\uFFFD\uFFFD");
}

TEST(JsonLine, is_one_line_of_json_whatever_the_value) {
    for (unsigned first = 0; first < 256; ++first) {
        for (const unsigned second : {0x00U, 0x0AU, 0x22U, 0x5CU, 0x7FU, 0x80U, 0x9BU, 0xC2U, 0xE2U, 0xFFU}) {
            const std::string value = {static_cast<char>(first), static_cast<char>(second), 'x'};
            const std::string line = json_line("event", {{"key", value}, {"y", "own"}});
            ASSERT_TRUE(is_one_clean_line(line)) << to_hex(as_bytes(value));
            ASSERT_EQ(json::parse(line).as_object().size(), 3U) << line;
        }
    }
}

TEST(JsonLine, a_long_value_is_cut) {
    EXPECT_EQ(read_back(std::string(1024, 'x')), std::string(1024, 'x'));
    EXPECT_EQ(read_back(std::string(1 << 20, 'x')), std::string(1024, 'x') + "…");
    for (const char c : {'\n', '\0', '"', '\xFF', '\x7f'}) {
        const std::string line = json_line("event", {{"key", std::string(1 << 20, c)}});
        EXPECT_TRUE(is_one_clean_line(line));
        EXPECT_LT(line.size(), 20000U);
    }
}

class LogSinkTest : public testing::Test {
protected:
    void log(LogSink& sink, const std::string& text) const {
        sink.set_pattern("%v");
        sink.log(spdlog::details::log_msg("", spdlog::level::info, text));
    }

    Scratch scratch;
};

TEST_F(LogSinkTest, goes_on_in_a_file_that_is_there) {
    const auto file = scratch.file("log", "before\n");
    LogSink sink(file, LogFormat::text);
    log(sink, "after");
    EXPECT_EQ(content_of(file), "before\nafter\n");
}

TEST_F(LogSinkTest, makes_a_file_that_only_its_owner_reads) {
    const auto file = scratch.path() / "folder" / "log";
    const LogSink sink(file, LogFormat::text);
    EXPECT_EQ(mode_of(file), 0600U);
}

TEST_F(LogSinkTest, a_renamed_file_is_left_when_it_is_told_or_finds_another_one) {
    const auto file = scratch.file("log", "");
    const auto old = scratch.path() / "old";
    LogSink sink(file, LogFormat::text);
    log(sink, "one");
    std::filesystem::rename(file, old);
    log(sink, "two");
    EXPECT_FALSE(std::filesystem::exists(file));
    sink.reopen();
    log(sink, "three");
    EXPECT_EQ(content_of(old), "one\ntwo\n");
    EXPECT_EQ(content_of(file), "three\n");
    std::filesystem::rename(file, old);
    scratch.file("log", "");
    log(sink, "four");
    EXPECT_EQ(content_of(file), "four\n");
}

TEST_F(LogSinkTest, that_cannot_be_opened_says_so_and_keeps_the_former_file) {
    const auto missing = scratch.path() / "log";
    std::filesystem::create_directory(missing);
    EXPECT_THROW(LogSink(missing, LogFormat::text), Error);
    std::filesystem::remove(missing);
    LogSink sink(missing, LogFormat::text);
    std::filesystem::rename(missing, scratch.path() / "old");
    std::filesystem::create_directory(missing);
    EXPECT_THROW(sink.reopen(), Error);
    log(sink, "still there");
    EXPECT_EQ(content_of(scratch.path() / "old"), "still there\n");
}

TEST_F(LogSinkTest, what_a_full_disk_loses_is_counted) {
    for (const auto& [format, report] : {std::pair{LogFormat::text, "log_lost lines=2\n"},
             std::pair{LogFormat::json, "\"event\":\"log_lost\",\"lines\":\"2\"}\n"}}) {
        const auto file = scratch.path() / "log";
        std::filesystem::remove(file);
        std::filesystem::create_symlink("/dev/full", file);
        LogSink sink(file, format);
        log(sink, "lost");
        log(sink, "lost too");
        std::filesystem::remove(file);
        sink.reopen();
        log(sink, "there");
        log(sink, "and more");
        EXPECT_EQ(content_of(file), std::string(report) + "there\nand more\n");
    }
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
