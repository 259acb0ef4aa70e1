// Slow launches use up what their account is given; the usual ones do not.
#include "server/launch_budget.hpp"

#include "common/error.hpp"
#include "server/spawn.hpp"

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

namespace rc {
namespace {

using namespace std::chrono_literals;
using Time = LaunchBudget::Time;

constexpr Time start{1000h};

TEST(LaunchBudget, usual_launches_are_free) {
    LaunchBudget budget;
    for (int i = 0; i < 100'000; ++i) budget.spend(7, 500ms, start);
    EXPECT_EQ(budget.wait_of(7, start), std::nullopt);
}

TEST(LaunchBudget, what_is_given_may_be_used_at_once) {
    LaunchBudget budget;
    budget.spend(7, 9500ms, start);
    budget.spend(7, 1500ms, start);
    EXPECT_EQ(budget.wait_of(7, start), std::nullopt);
    budget.spend(7, 1500ms, start);
    EXPECT_EQ(budget.wait_of(7, start), 10s);
    EXPECT_EQ(budget.wait_of(8, start), std::nullopt) << "others need not wait";
    EXPECT_EQ(budget.wait_of(7, start + 9s), 1s);
    EXPECT_EQ(budget.wait_of(7, start + 10s), std::nullopt);
}

TEST(LaunchBudget, who_uses_all_again_and_again_waits_most_of_the_time) {
    LaunchBudget budget;
    Time now = start;
    for (int i = 0; i < 20; ++i) {
        now += 10s;
        budget.spend(7, 10s, now);
        now += budget.wait_of(7, now).value_or(0s);
    }
    EXPECT_GT(now - start, 20 * 60s);
}

TEST(LaunchBudget, nobody_waits_longer_than_a_minute) {
    LaunchBudget budget;
    for (int i = 0; i < 7; ++i) budget.spend(7, 10s, start);
    EXPECT_EQ(budget.wait_of(7, start), LaunchBudget::longest_wait);
}

TEST(LaunchBudget, what_was_used_is_regained) {
    LaunchBudget budget;
    budget.spend(7, 10500ms, start);
    budget.spend(7, 10500ms, start + 100s);
    EXPECT_EQ(budget.wait_of(7, start + 100s), std::nullopt);
    budget.spend(7, 5500ms, start + 150s);
    EXPECT_EQ(budget.wait_of(7, start + 150s), std::nullopt);
    budget.spend(7, 1500ms, start + 150s);
    EXPECT_EQ(budget.wait_of(7, start + 150s), 10s);
}

TEST(LaunchBudget, nothing_is_started_for_who_must_wait) {
    Account nobody;
    nobody.name = "nobody-of-the-tests";
    nobody.uid = 4'000'000;
    for (int i = 0; i < 3; ++i) launch_budget().spend(nobody.uid, 10s, std::chrono::steady_clock::now());
    boost::asio::io_context context;
    try {
        spawn(context.get_executor(), LaunchPlan{}, nobody, SpawnOptions{});
        FAIL() << "it was started";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::busy);
    }
}

} // namespace
} // namespace rc
