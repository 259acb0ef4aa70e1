#include "client/escapes.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace rc {
namespace {

TEST(Escapes, what_is_typed_and_what_becomes_of_it) {
    struct Case {
        std::string typed, sent;
        std::vector<Escape> escapes;
    };
    const std::vector<Case> table = {
        {"ls\r", "ls\r", {}},
        {"~.", "", {Escape::leave}},
        {"ls\r~.", "ls\r", {Escape::leave}},
        {"ls\n~.", "ls\n", {Escape::leave}},
        {"ls~.", "ls~.", {}},
        {" ~.", " ~.", {}},
        {"~?", "", {Escape::help}},
        {"~\x1a", "", {Escape::suspend}},
        {"~~", "~", {}},
        {"~~.", "~.", {}},
        {"~~~.", "~~.", {}},
        {"~x", "~x", {}},
        {"~/bin\r", "~/bin\r", {}},
        {"~x~.", "~x~.", {}},
        {"~\r~.", "~\r", {Escape::leave}},
        {"~?~.", "", {Escape::help, Escape::leave}},
        {"~?ls\r", "ls\r", {Escape::help}},
        {"\r\r~?\r~.", "\r\r\r", {Escape::help, Escape::leave}},
        {"~", "", {}},
    };
    for (const auto& [typed, sent, escapes] : table) {
        EscapeReader reader;
        std::string out;
        std::vector<Escape> found;
        for (const char byte : typed) {
            if (const auto escape = reader.take(byte, out)) found.push_back(*escape);
        }
        EXPECT_EQ(out, sent) << typed;
        EXPECT_EQ(found, escapes) << typed;
    }
}

TEST(Escapes, bytes_that_pass_say_where_a_line_begins) {
    struct Case {
        std::string passed;
        bool line_begins;
    };
    for (const auto& [passed, line_begins] :
        std::vector<Case>{{"", true}, {"ls", false}, {"ls\r", true}, {"ls\n", true}, {"~", false}, {"\n ", false}}) {
        EscapeReader reader;
        reader.pass(passed);
        std::string out;
        EXPECT_FALSE(reader.take('~', out));
        EXPECT_EQ(reader.take('.', out).has_value(), line_begins) << passed;
        EXPECT_EQ(out, line_begins ? "" : "~.") << passed;
    }
}

TEST(Escapes, the_help_is_for_a_raw_terminal) {
    const std::string help = escape_help();
    for (std::size_t at = help.find('\n'); at != std::string::npos; at = help.find('\n', at + 1)) EXPECT_EQ(help[at - 1], '\r');
    for (const std::string name : {"~.", "~^Z", "~?", "~~"}) EXPECT_NE(help.find(name), std::string::npos) << name;
}

} // namespace
} // namespace rc
