#include "server/command_state.hpp"

#include "common/bytes.hpp"
#include "common/descriptor.hpp"
#include "common/limits.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include <unistd.h>

namespace rc {
namespace {

using namespace std::string_literals;

std::string read_back(const std::string& written) {
    const Descriptor file = make_state_file();
    EXPECT_EQ(::pwrite(file.get(), written.data(), written.size(), 0), static_cast<ssize_t>(written.size()));
    return read_state(file.get());
}

TEST(CommandState, an_empty_string_ends_it) {
    EXPECT_EQ(read_back("/tmp\00022\0A=1\0\0"s), "/tmp\00022\0A=1\0"s);
    EXPECT_EQ(read_back("/tmp\00022\0\0"s), "/tmp\00022\0"s);
    EXPECT_EQ(read_back("/tmp\00022\0A=1\0\0what was there before"s), "/tmp\00022\0A=1\0"s);
    EXPECT_EQ(read_back(""), "");
}

TEST(CommandState, anything_else_is_none) {
    for (const std::string& written : {"tmp\00022\0\0"s, "/tmp\0008\0\0"s, "/tmp\00000777\0\0"s, "/tmp\00022\0A\0\0"s,
             "/tmp\00022\0=1\0\0"s, "/tmp\00022\0RCMD_KEY=root\0\0"s, "\0\0"s, "/tmp\0 22\0\0"s}) {
        EXPECT_EQ(read_back(written), "") << testing::PrintToString(written);
    }
}

TEST(CommandState, the_file_takes_no_more_than_its_size) {
    const Descriptor file = make_state_file();
    EXPECT_LT(::pwrite(file.get(), "xx", 2, limits::state_body), 2);
    EXPECT_NE(::ftruncate(file.get(), limits::state_body * 2), 0);
    const std::string full(limits::state_body + 1, 'x');
    EXPECT_EQ(read_back("/" + full.substr(1)), "") << "it has no end";
}

TEST(CommandState, shells_that_have_traps) {
    for (const std::string shell : {"/bin/sh", "/bin/bash", "/usr/bin/zsh", "/bin/dash", "sh", "/usr/bin/ksh", "/bin/busybox"})
        EXPECT_TRUE(shell_has_traps(shell)) << shell;
    for (const std::string shell : {"/usr/bin/fish", "/bin/tcsh", "/usr/sbin/nologin", "", "/bin/bash/x"})
        EXPECT_FALSE(shell_has_traps(shell)) << shell;
}

TEST(CommandState, the_trap_stays_on_the_line_of_the_command) {
    EXPECT_EQ(state_trap(4711).find('\n'), std::string::npos);
    EXPECT_NE(state_trap(4711).find("/proc/4711/"), std::string::npos);
}

} // namespace
} // namespace rc
