// A child that does not get to its program is killed; one that does is left alone.
#include "server/launch_watch.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <thread>

#include <sys/wait.h>
#include <unistd.h>

namespace rc {
namespace {

TEST(LaunchWatch, kills_a_child_that_is_held_up) {
    LaunchWatch watch(std::chrono::milliseconds(10), 5);
    const std::jthread keeper([&](const std::stop_token& stop) { watch.run(stop); });
    const pid_t past = ::fork();
    if (past == 0) {
        for (;;) ::pause();
    }
    LaunchWatch::Launch over(watch);
    over.set_pid(past);
    over.done();
    LaunchWatch::Launch launch(watch);
    const pid_t stopped = ::fork();
    if (stopped == 0) {
        ::raise(SIGSTOP);
        ::_exit(0);
    }
    launch.set_pid(stopped);
    int status = 0;
    ASSERT_EQ(::waitpid(stopped, &status, 0), stopped);
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    EXPECT_TRUE(launch.killed());
    EXPECT_FALSE(over.killed());
    EXPECT_EQ(::waitpid(past, &status, WNOHANG), 0);
    ::kill(past, SIGKILL);
    ::waitpid(past, &status, 0);
}

} // namespace
} // namespace rc
