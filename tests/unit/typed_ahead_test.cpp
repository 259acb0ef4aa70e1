#include "server/typed_ahead.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace rc {
namespace {

using namespace std::string_literals;

TEST(TypedAhead, how_much_of_what_was_typed_nobody_has_read) {
    struct Case {
        std::string name, written, left;
        std::size_t unread;
    };
    const std::vector<Case> table = {
        {"nothing", "", "", 0},
        {"all was read", "ls\r", "", 0},
        {"none was read", "ls\r", "ls\n", 3},
        {"the second line", "a\rls\r", "ls\n", 3},
        {"part of a line, as a raw reader leaves it", "abc", "c", 1},
        {"raw, and so still a CR", "ab\rcd\r", "cd\r", 3},
        {"an end of file", "a\r\x04", "\0"s, 1},
        {"a line without its end", "a\rpart", "part", 4},
        {"lines of several bytes a character", "中\r文\r", "文\n", 4},
    };
    for (const auto& [name, written, left, unread] : table) EXPECT_EQ(unread_typed(written, left), unread) << name;
}

// Erased characters are not there any more: it cannot be told byte for byte.
TEST(TypedAhead, an_edited_line_counts_as_a_whole) {
    EXPECT_EQ(unread_typed("one\rtwp\x7fo\r", "two\n"), "twp\x7fo\r"s.size());
    EXPECT_EQ(unread_typed("junk\x15ls\r", "ls\n"), 3U) << "what is left is what was typed last";
}

TEST(TypedAhead, never_more_than_was_written) {
    for (const std::string& left : {"x"s, "\n\n\n\n"s, "something else\n"s, std::string(10'000, 'y')}) {
        for (const std::string& written : {""s, "a"s, "a\r"s, "a\rb\r"s, "\x04\x04"s}) {
            EXPECT_LE(unread_typed(written, left), written.size()) << written << " / " << left;
        }
    }
}

} // namespace
} // namespace rc
