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

constexpr std::chrono::milliseconds pause{10};

pid_t child_that(void (*waits)()) {
    const pid_t child = ::fork();
    if (child == 0) {
        waits();
        ::_exit(0);
    }
    return child;
}

void wait_forever() {
    for (;;) ::pause();
}

bool was_killed(pid_t child) {
    int status = 0;
    return ::waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

TEST(LaunchWatch, kills_a_child_that_is_held_up_and_leaves_the_others_alone) {
    LaunchWatch watch(pause, 5);
    const std::jthread keeper([&](const std::stop_token& stop) { watch.run(stop); });
    const pid_t past = child_that(wait_forever);
    LaunchWatch::Launch over(watch);
    over.set_pid(past);
    over.done();
    LaunchWatch::Launch launch(watch);
    const pid_t held_up = child_that(wait_forever);
    launch.set_pid(held_up);
    EXPECT_TRUE(was_killed(held_up));
    EXPECT_TRUE(launch.killed());
    EXPECT_FALSE(over.killed());
    EXPECT_EQ(::waitpid(past, nullptr, WNOHANG), 0);
    ::kill(past, SIGKILL);
    EXPECT_TRUE(was_killed(past));
}

TEST(LaunchWatch, does_not_wait_long_for_a_child_that_was_stopped) {
    LaunchWatch watch(pause, 1'000'000);
    const std::jthread keeper([&](const std::stop_token& stop) { watch.run(stop); });
    LaunchWatch::Launch launch(watch);
    const pid_t stopped = child_that([] { ::raise(SIGSTOP); });
    launch.set_pid(stopped);
    EXPECT_TRUE(was_killed(stopped));
    EXPECT_TRUE(launch.killed());
}

} // namespace
} // namespace rc
