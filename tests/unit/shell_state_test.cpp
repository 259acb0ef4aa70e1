#include "client/shell_state.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace rc {
namespace {

using namespace std::string_literals;

TEST(ShellState, is_read_from_the_body_of_exit) {
    const auto state = read_shell_state("/tmp\00022\0A=1\0B=\0C=x=y\nz\0"s);
    ASSERT_TRUE(state);
    EXPECT_EQ(state->directory, "/tmp");
    EXPECT_EQ(state->umask, 022U);
    EXPECT_EQ(state->environment, (std::vector{"A=1"s, "B="s, "C=x=y\nz"s}));
    EXPECT_EQ(state->variable("A"), "1");
    EXPECT_EQ(state->variable("B"), "");
    EXPECT_EQ(state->variable("C"), "x=y\nz");
    EXPECT_FALSE(state->variable("D"));
    EXPECT_FALSE(state->variable("A=1"));
    EXPECT_TRUE(read_shell_state("/\0000777\0"s));
}

TEST(ShellState, is_taken_whole_or_not_at_all) {
    for (const std::string& body :
        {""s, "/tmp"s, "/tmp\0"s, "/tmp\00022"s, "tmp\00022\0"s, "\00022\0"s, "/tmp\0\0"s, "/tmp\0008\0"s, "/tmp\0001000\0"s,
            "/tmp\000-1\0"s, "/tmp\00022 \0"s, "/tmp\00022\0A=1"s, "/tmp\00022\0A\0"s, "/tmp\00022\0=1\0"s, "/tmp\00022\0\0"s}) {
        EXPECT_FALSE(read_shell_state(body)) << testing::PrintToString(body);
    }
}

TEST(ShellState, the_directory_is_shown_as_the_user_calls_it) {
    struct Case {
        std::string directory;
        std::vector<std::string> environment;
        std::string shown;
    };
    const std::vector<Case> table = {
        {"", {"HOME=/home/bob"}, "~"},
        {"/tmp", {}, "/tmp"},
        {"/home/bob", {"HOME=/home/bob"}, "~"},
        {"/home/bob/x", {"HOME=/home/bob"}, "~/x"},
        {"/home/bobby", {"HOME=/home/bob"}, "/home/bobby"},
        {"/tmp", {"HOME=/"}, "/tmp"},
        {"/", {"HOME=/"}, "/"},
        {"/tmp", {"HOME="}, "/tmp"},
        {"/srv/data", {"PWD=/home/bob/link", "HOME=/home/bob"}, "~/link"},
    };
    for (const auto& [directory, environment, shown] : table)
        EXPECT_EQ((ShellState{directory, 0, environment}).shown_directory(), shown);
}

TEST(ShellState, the_next_request_goes_on_from_it) {
    JobRequest request;
    request.environment = {"OLD=1"};
    ShellState{"/tmp", 077, {"A=1"}}.apply_to(request);
    EXPECT_EQ(request.directory, "/tmp");
    EXPECT_EQ(request.environment, std::vector{"A=1"s});
    EXPECT_EQ(request.umask, 077U);
}

} // namespace
} // namespace rc
