// What the text of a header may be: exactly one JSON object, in UTF-8, not too deep, no field twice.
#include "common/strict_json.hpp"

#include "tests/unit/refusal.hpp"

#include <boost/json/serialize.hpp>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace rc {
namespace {

using namespace std::string_literals;

struct Text {
    std::string_view name;
    std::string text;
};

std::string repeat(std::string_view part, std::size_t times) {
    std::string text;
    for (std::size_t i = 0; i < times; ++i) text += part;
    return text;
}

std::string refused(std::string_view text) {
    return refusal([&] { parse_object(text); });
}

// An object around arrays (or objects), `levels` in all.
std::string nested_arrays(std::size_t levels) { return R"({"a":)" + repeat("[", levels - 1) + repeat("]", levels - 1) + "}"; }

std::string nested_objects(std::size_t levels) { return repeat(R"({"a":)", levels - 1) + "{}" + repeat("}", levels - 1); }

TEST(StrictJson, takes_one_object) {
    const std::vector<Text> table = {
        {"empty", "{}"},
        {"blanks around and inside", " \t\r\n{ \"a\" :\n1 , \"b\":[ ] }\r\n\t "},
        {"characters beyond ASCII", "{\"a\":\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\"}"},
        {"escapes", R"({"a":"\u0000\u001b\n\"\\\/\ud83d\ude00"})"},
        {"every kind of value", R"({"a":null,"b":true,"c":1,"d":-1.5e3,"e":"","f":[],"g":{}})"},
        {"the same name in two objects", R"({"a":{"x":1},"b":{"x":1},"x":1})"},
        {"names that differ in case", R"({"a":1,"A":2})"},
        {"the empty name", R"({"":1})"},
    };
    for (const auto& [name, text] : table) EXPECT_EQ(refused(text), "") << name;
}

TEST(StrictJson, gives_the_fields) {
    const auto object = parse_object(R"({"a":18446744073709551615,"b":{"c":["\u00e9"]}})");
    ASSERT_EQ(object.size(), 2U);
    EXPECT_EQ(object.at("a"), boost::json::value(~std::uint64_t{0}));
    EXPECT_EQ(object.at("b").at("c").at(0), boost::json::value("\xC3\xA9"));
}

TEST(StrictJson, refuses_what_is_not_one_object) {
    const std::vector<Text> table = {
        {"nothing", ""},
        {"blanks", "   "},
        {"array", "[]"},
        {"array of an object", "[{}]"},
        {"string", R"("type")"},
        {"number", "1"},
        {"null", "null"},
        {"true", "true"},
        {"unfinished", R"({"a":1)"},
        {"unfinished string", R"({"a":"x)"},
        {"two objects", "{}{}"},
        {"two objects with a blank", "{} {}"},
        {"garbage behind", "{}x"},
        {"comma behind", "{},"},
        {"brace behind", "{}}"},
        {"NUL behind", "{}\0"s},
        {"NUL before", "\0{}"s},
        {"garbage before", "x{}"},
        {"byte order mark", "\xEF\xBB\xBF{}"},
        {"UTF-16", "{\0}\0"s},
        {"trailing comma", R"({"a":1,})"},
        {"missing colon", R"({"a" 1})"},
        {"missing value", R"({"a":})"},
        {"name without quotes", "{a:1}"},
        {"single quotes", "{'a':1}"},
        {"comment", "{/**/}"},
        {"line comment behind", "{}//"},
        {"form feed as a blank", "{\f}"},
    };
    for (const auto& [name, text] : table) EXPECT_EQ(refused(text), "bad_frame") << name;
}

TEST(StrictJson, refuses_bad_strings) {
    const std::vector<Text> table = {
        {"raw NUL", "{\"a\":\"\0\"}"s},
        {"raw newline", "{\"a\":\"\n\"}"},
        {"raw escape", "{\"a\":\"\x1B\"}"},
        {"raw NUL in a name", "{\"\0\":1}"s},
        {"stray continuation byte", "{\"a\":\"\x80\"}"},
        {"byte FF", "{\"a\":\"\xFF\"}"},
        {"overlong slash", "{\"a\":\"\xC0\xAF\"}"},
        {"overlong in three", "{\"a\":\"\xE0\x80\xAF\"}"},
        {"encoded surrogate", "{\"a\":\"\xED\xA0\x80\"}"},
        {"beyond 10FFFF", "{\"a\":\"\xF4\x90\x80\x80\"}"},
        {"sequence cut by the quote", "{\"a\":\"\xE2\x82\"}"},
        {"not UTF-8 in a name", "{\"\xFF\":1}"},
        {"unknown escape", R"({"a":"\x41"})"},
        {"short escape", R"({"a":"\u12"})"},
        {"lone high surrogate", R"({"a":"\ud800"})"},
        {"lone low surrogate", R"({"a":"\udc00"})"},
        {"high surrogate twice", R"({"a":"\ud800\ud800"})"},
    };
    for (const auto& [name, text] : table) EXPECT_EQ(refused(text), "bad_frame") << name;
}

TEST(StrictJson, refuses_bad_numbers) {
    for (const std::string number : {"01", "+1", ".5", "1.", "1e", "-", "0x10", "1_000", "NaN", "nan", "Infinity", "-Infinity"}) {
        EXPECT_EQ(refused(R"({"a":)" + number + "}"), "bad_frame") << number;
    }
}

// As JSON they are in order; whoever wants a number of this protocol must not take them.
TEST(StrictJson, huge_numbers_are_no_whole_numbers) {
    const std::string nines(400, '9');
    for (const std::string& number :
        {"18446744073709551616"s, "-9223372036854775809"s, nines, "1e400"s, "1e-400"s, "1e18"s, "1.0"s}) {
        SCOPED_TRACE(number.substr(0, 30));
        boost::json::value value;
        const std::string code = refusal([&] { value = parse_object(R"({"a":)" + number + "}").at("a"); });
        EXPECT_TRUE(code.empty() || code == "bad_frame") << code;
        EXPECT_FALSE(value.is_uint64() || value.is_int64());
    }
}

TEST(StrictJson, refuses_a_field_twice) {
    const std::vector<Text> table = {
        {"same value", R"({"a":1,"a":1})"},
        {"other value", R"({"a":1,"b":2,"a":"x"})"},
        {"spelt with an escape", R"({"a":1,"\u0061":2})"},
        {"the empty name", R"({"":1,"":2})"},
        {"in an object", R"({"a":{"b":1,"b":2}})"},
        {"in an array", R"({"a":[1,{"b":1,"b":2}]})"},
        {"twice an object", R"({"a":{"b":1},"a":{"b":1}})"},
        {"three times", R"({"a":1,"a":2,"a":3})"},
        {"a lost object that has more fields", R"({"a":{"b":1,"c":2},"a":1})"},
        {"a long name", "{\"" + std::string(5000, 'n') + "\":1,\"" + std::string(5000, 'n') + "\":1}"},
    };
    for (const auto& [name, text] : table) EXPECT_EQ(refused(text), "bad_frame") << name;
}

TEST(StrictJson, nesting_is_limited_to_eight_levels) {
    struct Case {
        std::size_t levels;
        std::string_view expected;
    };
    for (const auto& [levels, expected] :
        {Case{2, ""}, Case{7, ""}, Case{8, ""}, Case{9, "bad_frame"}, Case{33, "bad_frame"}, Case{10000, "bad_frame"}}) {
        EXPECT_EQ(refused(nested_arrays(levels)), expected) << levels << " levels of arrays";
        EXPECT_EQ(refused(nested_objects(levels)), expected) << levels << " levels of objects";
    }
    EXPECT_EQ(refused(R"({"a":)" + repeat("[", 10000)), "bad_frame");
}

} // namespace
} // namespace rc
