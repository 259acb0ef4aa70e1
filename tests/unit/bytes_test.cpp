// Base64, hexadecimal, UTF-8, and text made fit for one line.
#include "common/bytes.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace rc {
namespace {

using namespace std::string_literals;

struct Pair {
    std::string_view plain, encoded;
};

// RFC 4648 section 10, and the two characters that its examples do not reach.
const std::vector<Pair> base64 = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="},
    {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}, {"\xFB\xFF\xFE", "+//+"}, {std::string_view("\0\0\0", 3), "AAAA"},
    {std::string_view("\0", 1), "AA=="}};

TEST(Base64, has_the_vectors_of_the_rfc) {
    for (const auto& [plain, encoded] : base64) {
        EXPECT_EQ(to_base64(as_bytes(plain)), encoded);
        const auto decoded = from_base64(encoded);
        ASSERT_TRUE(decoded) << encoded;
        EXPECT_EQ(as_text(*decoded), plain);
    }
}

TEST(Base64, every_length_goes_there_and_back) {
    std::vector<std::byte> bytes;
    for (unsigned i = 0; i < 300; ++i) {
        const auto decoded = from_base64(to_base64(bytes));
        ASSERT_TRUE(decoded) << i;
        EXPECT_EQ(*decoded, bytes);
        bytes.push_back(static_cast<std::byte>(i * 37));
    }
}

TEST(Base64, only_the_canonical_form_is_taken) {
    const std::vector<std::string> table = {"Z", "Zg", "Zg=", "Zm9", "Zm9vY", "=",
        "==", "===", "====", "Z===", "Zg===", "Zg==Zg==", "Zm8=Zm8=", "Zm9v====", "Zm9v=", "=Zm9", "Z=g=", "Zm=v",
        "Zh==", "Zv==", "Zm9=", "Zm+=", "Zm9v\n", "Zm9v\n\n\n\n", "\nZm9v", " Zm9v", "Zm9v ", "    ", "Zm9v    ", "    Zm9v",
        "Zm 9v", "Zm9\n", "Zm-_", "Zm9*", "Zm9\0"s, "Zm9v\0\0\0\0"s, "\0\0\0\0"s, "Zm9\xFF", "Zm9v----", "-Zm9", "Zg=\n",
        "Zg==\n\n\n\n"};
    for (const auto& text : table) EXPECT_FALSE(from_base64(text)) << escape(text);
}

// Every other character in the last place either changes bits that no byte holds, or is none of the alphabet.
TEST(Base64, the_last_character_has_few_forms) {
    struct Case {
        std::string_view before, after;
        int good;
    };
    for (const auto& [before, after, good] : {Case{"Z", "==", 4}, Case{"Zm", "=", 16}, Case{"Zm9", "", 64}}) {
        int taken = 0;
        for (int c = 0; c < 256; ++c) {
            if (c == '=') continue;
            if (from_base64(std::string(before) + static_cast<char>(c) + std::string(after))) ++taken;
        }
        EXPECT_EQ(taken, good) << before;
    }
}

TEST(Hex, is_lower_case) {
    EXPECT_EQ(to_hex({}), "");
    EXPECT_EQ(to_hex(as_bytes(std::string_view("\0\x01\x9f\xA0\xFF", 5))), "00019fa0ff");
}

TEST(ToLower, changes_ascii_letters_only) {
    EXPECT_EQ(to_lower("Host-1.Example.ORG:7420 @[AZ`az{"), "host-1.example.org:7420 @[az`az{");
    EXPECT_EQ(to_lower("\xC3\x84"), "\xC3\x84");
}

TEST(Utf8, is_that_of_the_rfc) {
    struct Case {
        std::string_view name;
        std::string text;
        bool good;
    };
    const std::vector<Case> table = {
        {"nothing", "", true},
        {"ASCII", "abc\x7F", true},
        {"NUL", "\0"s, true},
        {"first of two bytes", "\xC2\x80", true},
        {"last of two bytes", "\xDF\xBF", true},
        {"first of three bytes", "\xE0\xA0\x80", true},
        {"before the surrogates", "\xED\x9F\xBF", true},
        {"after the surrogates", "\xEE\x80\x80", true},
        {"last of three bytes", "\xEF\xBF\xBF", true},
        {"first of four bytes", "\xF0\x90\x80\x80", true},
        {"10FFFF", "\xF4\x8F\xBF\xBF", true},
        {"a mixture", "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80z", true},
        {"overlong NUL", "\xC0\x80", false},
        {"overlong in two", "\xC1\xBF", false},
        {"overlong in three", "\xE0\x9F\xBF", false},
        {"overlong in four", "\xF0\x8F\xBF\xBF", false},
        {"first surrogate", "\xED\xA0\x80", false},
        {"last surrogate", "\xED\xBF\xBF", false},
        {"110000", "\xF4\x90\x80\x80", false},
        {"F5", "\xF5\x80\x80\x80", false},
        {"five bytes", "\xF8\x88\x80\x80\x80", false},
        {"six bytes", "\xFC\x84\x80\x80\x80\x80", false},
        {"FE", "\xFE", false},
        {"FF", "\xFF", false},
        {"stray continuation", "\x80", false},
        {"stray continuation behind", "a\xBF", false},
        {"two without one", "\xC3", false},
        {"three without one", "\xE2\x82", false},
        {"three without two", "\xE2", false},
        {"four without one", "\xF0\x9F\x98", false},
        {"four without two", "\xF0\x9F", false},
        {"four without three", "\xF0", false},
        {"cut by ASCII", "\xE2\x82z", false},
        {"cut by another start", "\xE2\xE2\x82\xAC", false},
        {"bad at the end", "abcdefgh\xC3", false},
    };
    for (const auto& [name, text, good] : table) EXPECT_EQ(is_utf8(text), good) << name;
}

TEST(Escape, leaves_one_harmless_line) {
    struct Case {
        std::string_view name;
        std::string text, expected;
    };
    const std::vector<Case> table = {
        {"nothing", "", ""},
        {"plain", "Hello, 'world' \"~\"", "Hello, 'world' \"~\""},
        {"characters beyond ASCII", "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"},
        {"newline", "a\nb", "a\\nb"},
        {"carriage return", "a\rb", "a\\rb"},
        {"tab", "a\tb", "a\\tb"},
        {"backslash", "a\\b", "a\\\\b"},
        {"what looks escaped", "\\n", "\\\\n"},
        {"NUL", "a\0b"s, "a\\x00b"},
        {"escape", "\x1B]0;title\x07", "\\x1b]0;title\\x07"},
        {"delete", "\x7F", "\\x7f"},
        {"last of C0", "\x1F", "\\x1f"},
        {"C1 as UTF-8", "\u009B31m", "\\xc2\\x9b31m"},
        {"first of C1", "\xC2\x80", "\\xc2\\x80"},
        {"last of C1", "\xC2\x9F", "\\xc2\\x9f"},
        {"after C1", "\xC2\xA0", "\xC2\xA0"},
        {"C1 raw", "\x9B[31m", "\\x9b[31m"},
        {"line separator", "a\u2028b", "a\\xe2\\x80\\xa8b"},
        {"paragraph separator", "a\u2029b", "a\\xe2\\x80\\xa9b"},
        {"the other way", "a\u202Eb", "a\\xe2\\x80\\xaeb"},
        {"isolated", "\u2066a\u2069", "\\xe2\\x81\\xa6a\\xe2\\x81\\xa9"},
        {"neighbours of these", "\u2027\u202F\u2065\u206A", "\u2027\u202F\u2065\u206A"},
        {"next line", "\xC2\x85", "\\xc2\\x85"},
        {"byte FF", "a\xFF", "a\\xff"},
        {"overlong", "\xC0\xAF", "\\xc0\\xaf"},
        {"surrogate", "\xED\xA0\x80", "\\xed\\xa0\\x80"},
        {"unfinished", "\xE2\x82", "\\xe2\\x82"},
        {"a newline in an unfinished sequence", "\xE2\n", "\\xe2\\n"},
        {"an escape in an unfinished sequence", "\xF0\x9F\x1B", "\\xf0\\x9f\\x1b"},
    };
    for (const auto& [name, text, expected] : table) EXPECT_EQ(escape(text), expected) << name;
}

// Explicit formatting characters of the bidirectional algorithm (UAX #9), and the line separators before them.
TEST(Escape, leaves_no_character_that_changes_lines_or_directions) {
    for (unsigned last = 0x80; last < 0xC0; ++last) {
        for (const unsigned middle : {0x80U, 0x81U}) {
            const std::string text = {'\xE2', static_cast<char>(middle), static_cast<char>(last)};
            const unsigned code = 0x2000 + (middle - 0x80) * 64 + last - 0x80;
            const bool acts = (code >= 0x2028 && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069);
            EXPECT_EQ(escape(text) != text, acts) << code;
            EXPECT_EQ(escape_json(text) != text, acts) << code;
        }
    }
}

TEST(Escape, leaves_no_byte_that_acts) {
    for (unsigned first = 0; first < 256; ++first) {
        for (unsigned second = 0; second < 256; ++second) {
            const std::string text = {static_cast<char>(first), static_cast<char>(second)};
            const std::string out = escape(text);
            ASSERT_TRUE(is_utf8(out)) << to_hex(as_bytes(text));
            for (const char c : out) ASSERT_TRUE(static_cast<unsigned char>(c) >= 0x20 && c != 0x7F) << to_hex(as_bytes(text));
        }
    }
}

TEST(Escape, different_texts_stay_different) {
    EXPECT_NE(escape("\n"), escape("\\n"));
    EXPECT_NE(escape("\x1B"), escape("\\x1b"));
}

TEST(Escape, shows_that_it_has_cut) {
    struct Case {
        std::string_view text;
        std::size_t most;
        std::string_view expected;
    };
    const std::vector<Case> table = {
        {"abc", 4, "abc"},
        {"abcd", 4, "abcd"},
        {"abcde", 4, "abcd…"},
        {"abc", 0, "…"},
        {"", 0, ""},
        {"\n\n\n", 2, "\\n\\n…"},
    };
    for (const auto& [text, most, expected] : table) EXPECT_EQ(escape(text, most), expected) << escape(text) << " to " << most;
    EXPECT_EQ(escape(std::string(4096, 'x')), std::string(4096, 'x'));
    EXPECT_EQ(escape(std::string(1 << 20, 'x')), std::string(4096, 'x') + "…");
}

TEST(Escape, a_cut_within_a_character_leaves_whole_text) {
    const std::string text = "a\u20ACb\U0001F600c\u009Bd";
    for (std::size_t most = 0; most < text.size(); ++most) {
        const std::string out = escape(text, most);
        EXPECT_TRUE(is_utf8(out)) << most;
        EXPECT_TRUE(out.ends_with("…")) << most;
        EXPECT_EQ(out.find("\xC2\x9B"), std::string::npos) << most;
    }
}

TEST(EscapeJson, escapes_what_json_leaves_as_it_is) {
    struct Case {
        std::string_view name;
        std::string text, expected;
    };
    const std::vector<Case> table = {
        {"nothing", "", ""},
        {"an object", R"({"a":"b\n\"","c":[1,null]})", R"({"a":"b\n\"","c":[1,null]})"},
        {"characters beyond ASCII", "\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\"", "\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\""},
        {"delete", "\"\x7F\"", R"("\u007f")"},
        {"C1", "\"\u009B31m\u0080\u009F\u00A0\"", "\"\\u009b31m\\u0080\\u009f\u00A0\""},
        {"separators", "\"\u2028\u2029\"", R"("\u2028\u2029")"},
        {"directions", "\"\u202A\u202E\u2066\u2069\"", R"("\u202a\u202e\u2066\u2069")"},
        {"bytes that are not UTF-8", "\"\xFF\xC3\xED\xA0\x80\"", R"("\ufffd\ufffd\ufffd\ufffd\ufffd")"},
    };
    for (const auto& [name, text, expected] : table) EXPECT_EQ(escape_json(text), expected) << name;
}

} // namespace
} // namespace rc
