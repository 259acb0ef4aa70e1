// The body of exec: NUL-terminated words, the directory, NAME=VALUE until the end; nothing else is taken.
#include "server/exec_request.hpp"

#include "common/bytes.hpp"
#include "tests/unit/refusal.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace rc {
namespace {

using namespace std::string_literals;
using Words = std::vector<std::string>;

ExecRequest read(std::uint64_t words, const std::string& body, ExecMode mode = ExecMode::argv) {
    Exec exec;
    exec.mode = mode;
    exec.words = words;
    return read_exec_request(exec, as_bytes(body));
}

TEST(ExecRequest, has_words_a_directory_and_an_environment) {
    struct Case {
        std::string_view name;
        std::uint64_t count;
        std::string body;
        Words words;
        std::string directory;
        Words environment;
    };
    const std::vector<Case> table = {
        {"the worked example", 1, "echo hi\0\0"s, {"echo hi"}, "", {}},
        {"a directory", 1, "ls\0/tmp\0"s, {"ls"}, "/tmp", {}},
        {"a variable", 1, "ls\0\0A=1\0"s, {"ls"}, "", {"A=1"}},
        {"all of them", 3, "ls\0-l\0a b\0/t m\0A=1\0B=2\0"s, {"ls", "-l", "a b"}, "/t m", {"A=1", "B=2"}},
        {"an empty command", 1, "\0\0"s, {""}, "", {}},
        {"an empty command and a variable", 1, "\0\0A=\0"s, {""}, "", {"A="}},
        {"empty words", 4, "a\0\0\0d\0\0"s, {"a", "", "", "d"}, "", {}},
        {"words that look like others", 2, "A=1\0--\0x=y\0B=2\0"s, {"A=1", "--"}, "x=y", {"B=2"}},
        {"odd values", 1, "x\0\0A=b=c\0B==\0C= \n\t\0D=\xFF\0"s, {"x"}, "", {"A=b=c", "B==", "C= \n\t", "D=\xFF"}},
        {"odd names", 1, "x\0\0a.b-c=1\0 =2\0\xFF=3\0"s, {"x"}, "", {"a.b-c=1", " =2", "\xFF=3"}},
        {"a name twice", 1, "x\0\0A=2\0A=1\0A=2\0"s, {"x"}, "", {"A=2", "A=1", "A=2"}},
        {"bytes that are not UTF-8", 2, "\xFF\xFE\0\xC3\0\x80/\0"s, {"\xFF\xFE", "\xC3"}, "\x80/", {}},
    };
    for (const auto& [name, count, body, words, directory, environment] : table) {
        SCOPED_TRACE(name);
        const ExecRequest request = read(count, body, count == 1 ? ExecMode::shell : ExecMode::argv);
        EXPECT_EQ(request.words, words);
        EXPECT_EQ(request.directory, directory);
        EXPECT_EQ(request.environment, environment);
    }
    EXPECT_EQ(read(1, "ls\0\0"s, ExecMode::argv).words, Words{"ls"});
    EXPECT_EQ(read(1, "sftp\0\0"s, ExecMode::subsystem).words, Words{"sftp"});
}

// There is no such program, but that is the job's matter: the connection goes on.
TEST(ExecRequest, the_program_may_be_an_empty_word) {
    EXPECT_EQ(read(1, "\0\0"s).words, Words{""});
    EXPECT_EQ(read(3, "\0\0\0\0"s).words, (Words{"", "", ""}));
}

TEST(ExecRequest, anything_else_is_refused) {
    struct Case {
        std::string_view name;
        std::uint64_t count;
        std::string body;
    };
    const std::vector<Case> table = {
        {"nothing", 1, ""},
        {"no NUL", 1, "ls"},
        {"no directory", 1, "ls\0"s},
        {"directory without its NUL", 1, "ls\0/tmp"s},
        {"variable without its NUL", 1, "ls\0\0A=1"s},
        {"second variable without its NUL", 1, "ls\0\0A=1\0B=2"s},
        {"one byte behind", 1, "ls\0\0x"s},
        {"too few words", 3, "a\0b\0"s},
        {"no directory behind the words", 3, "a\0b\0c\0"s},
        {"a word too few, so that the directory is one", 2, "a\0\0"s},
        {"far too few words", 1000000, "a\0\0"s},
        {"as many words as there are numbers", ~std::uint64_t{0}, "a\0\0"s},
        {"one less", ~std::uint64_t{0} - 1, "a\0\0"s},
        {"an empty variable", 1, "ls\0\0\0"s},
        {"an empty variable between others", 1, "ls\0\0A=1\0\0B=2\0"s},
        {"a variable without =", 1, "ls\0\0A\0"s},
        {"a variable without a name", 1, "ls\0\0=1\0"s},
        {"only =", 1, "ls\0\0=\0"s},
        {"a variable without = among others", 1, "ls\0\0A=1\0B\0C=3\0"s},
        {"a word too many", 1, "ls\0-l\0/tmp\0"s},
    };
    for (const auto& [name, count, body] : table)
        EXPECT_EQ(refusal([&, c = count, &b = body] { read(c, b); }), "bad_message") << name;
}

// Every body that is cut off is refused, or means less; it never reads beyond its end.
TEST(ExecRequest, a_body_cut_at_any_byte_is_whole_or_refused) {
    const std::string body = "ls\0-l\0/tmp\0A=1\0BC=23\0"s;
    std::size_t good = 0;
    for (std::size_t size = 0; size <= body.size(); ++size) {
        // A block of its own, so that reading beyond it is noticed.
        const std::vector<char> block(body.begin(), body.begin() + static_cast<std::ptrdiff_t>(size));
        Exec exec;
        exec.mode = ExecMode::argv;
        exec.words = 2;
        const std::string refused = refusal([&] { read_exec_request(exec, std::as_bytes(std::span(block))); });
        if (refused.empty()) ++good;
        else EXPECT_EQ(refused, "bad_message");
    }
    EXPECT_EQ(good, 3U) << "behind the directory and behind each variable";
}

TEST(ExecRequest, takes_as_many_words_as_fit) {
    std::string body;
    for (int i = 0; i < 100000; ++i) body += "x\0"s;
    EXPECT_EQ(read(100000, body + '\0').words, Words(100000, "x"));
    EXPECT_EQ(read(200000, 'x' + std::string(200001, '\0')).words.size(), 200000U);
    EXPECT_EQ(refusal([&] { read(100000, body); }), "bad_message");
    std::string variables = "x\0\0"s;
    for (int i = 0; i < 60000; ++i) variables += "A=\0"s;
    EXPECT_EQ(read(1, variables).environment.size(), 60000U);
}

} // namespace
} // namespace rc
