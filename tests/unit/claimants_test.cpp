// Clients of a job: known again when they come back, unless too many have come since.
#include "server/claimants.hpp"

#include <gtest/gtest.h>

namespace rc {
namespace {

TEST(Claimants, who_comes_back_is_known) {
    Claimants claimants(2);
    claimants.call("a").signals = 3;
    claimants.call("b").signals = 1;
    EXPECT_EQ(claimants.call("a").signals, 3U);
    EXPECT_EQ(claimants.call("b").signals, 1U);
}

TEST(Claimants, a_fresh_one_has_done_nothing) {
    Claimants claimants(2);
    EXPECT_EQ(claimants.find("a"), nullptr);
    claimants.call("a");
    ASSERT_NE(claimants.find("a"), nullptr);
    EXPECT_EQ(claimants.find("a")->generation, 0U);
    EXPECT_EQ(claimants.find("a")->signals, 0U);
}

TEST(Claimants, the_one_that_has_been_away_longest_is_forgotten) {
    Claimants claimants(2);
    claimants.call("a");
    claimants.call("b");
    claimants.call("a");
    claimants.call("c");
    EXPECT_NE(claimants.find("a"), nullptr);
    EXPECT_EQ(claimants.find("b"), nullptr);
    EXPECT_NE(claimants.find("c"), nullptr);
}

TEST(Claimants, the_latest_stays_where_it_is) {
    Claimants claimants(1);
    Claimant& first = claimants.call("a");
    first.generation = 7;
    EXPECT_EQ(&claimants.call("a"), &first);
    EXPECT_EQ(claimants.call("b").generation, 0U);
}

} // namespace
} // namespace rc
