#include "server/complete.hpp"

#include "tests/unit/scratch.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

namespace rc {
namespace {

using Names = std::vector<std::string>;

class Complete : public testing::Test {
protected:
    Complete() {
        for (const std::string name : {"passwd", "passwd-", "pam d", "中文", ".hidden", "new\nline"}) scratch.file(name, "");
        scratch.file("runs", "", 0755);
        std::filesystem::create_directory(scratch / "program files");
        std::filesystem::create_directory_symlink(scratch / "program files", scratch / "link");
        std::filesystem::create_symlink(scratch / "nowhere", scratch / "broken");
    }

    Names paths(const std::string& beginning) const { return completions("path", (scratch / beginning).string()); }

    Scratch scratch;
};

TEST_F(Complete, paths_come_without_their_directory) {
    EXPECT_EQ(paths("pass"), (Names{"passwd", "passwd-"}));
    EXPECT_EQ(paths("p"), (Names{"pam d", "passwd", "passwd-", "program files/"}));
    EXPECT_EQ(paths("program files"), Names{"program files/"});
    EXPECT_EQ(paths("link"), Names{"link/"});
    EXPECT_EQ(paths("broken"), Names{"broken"});
    EXPECT_EQ(paths("中"), Names{"中文"});
    EXPECT_EQ(paths("new"), Names{"new\nline"});
    EXPECT_EQ(paths("x"), Names{});
    EXPECT_EQ(paths("passwd/"), Names{});
    EXPECT_EQ(paths("no/such/folder"), Names{});
}

TEST_F(Complete, hidden_ones_must_be_asked_for) {
    EXPECT_EQ(std::ranges::count(paths(""), ".hidden"), 0);
    EXPECT_EQ(completions("path", (scratch / "").string() + "."), Names{".hidden"});
}

TEST_F(Complete, a_tilde_is_a_home_directory) {
    const std::string before = std::getenv("HOME");
    ::setenv("HOME", scratch.path().c_str(), 1);
    EXPECT_EQ(completions("path", "~/pass"), (Names{"passwd", "passwd-"}));
    ::setenv("HOME", before.c_str(), 1);
    EXPECT_EQ(completions("path", "~no-such-user/x"), Names{});
}

TEST_F(Complete, commands_are_programs_in_the_path) {
    const std::string before = std::getenv("PATH");
    ::setenv("PATH", (scratch.path().string() + ":/no/such/folder").c_str(), 1);
    EXPECT_EQ(completions("command", "ru"), Names{"runs"});
    EXPECT_EQ(completions("command", "passw"), Names{}) << "not executable";
    EXPECT_EQ(completions("command", "prog"), Names{}) << "a directory";
    EXPECT_EQ(completions("command", "expor"), Names{"export"}) << "built in";
    ::setenv("PATH", before.c_str(), 1);
}

TEST_F(Complete, variables_are_those_of_the_environment) {
    ::setenv("RC_TEST_ONE", "1", 1);
    ::setenv("RC_TEST_TWO", "", 1);
    EXPECT_EQ(completions("variable", "RC_TEST_"), (Names{"RC_TEST_ONE", "RC_TEST_TWO"}));
    EXPECT_EQ(completions("variable", "RC_TEST_ONE="), Names{});
    ::unsetenv("RC_TEST_ONE");
    ::unsetenv("RC_TEST_TWO");
}

TEST_F(Complete, other_kinds_have_none) { EXPECT_EQ(completions("", "a"), Names{}); }

TEST_F(Complete, there_is_a_most) {
    std::filesystem::create_directory(scratch / "many");
    for (std::size_t i = 0; i < most_completions + 5; ++i) scratch.file("many/" + std::to_string(i), "");
    EXPECT_EQ(paths("many/").size(), most_completions);
}

} // namespace
} // namespace rc
