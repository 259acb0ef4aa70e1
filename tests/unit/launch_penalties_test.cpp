// After a launch that had to be killed its account waits, longer each time.
#include "server/launch_penalties.hpp"

#include <gtest/gtest.h>

namespace rc {
namespace {

using namespace std::chrono_literals;
using Time = LaunchPenalties::Time;

constexpr Time start{1000h};

TEST(LaunchPenalties, the_wait_doubles_up_to_the_longest) {
    LaunchPenalties penalties;
    EXPECT_EQ(penalties.wait_of(7, start), std::nullopt);
    Time now = start;
    for (const auto wait : {10s, 20s, 40s, 80s, 160s, 320s, 600s, 600s}) {
        penalties.note_stuck(7, now);
        EXPECT_EQ(penalties.wait_of(7, now), wait);
        EXPECT_EQ(penalties.wait_of(7, now + wait - 1ms), 1s);
        now += wait;
        EXPECT_EQ(penalties.wait_of(7, now), std::nullopt);
    }
}

TEST(LaunchPenalties, others_need_not_wait) {
    LaunchPenalties penalties;
    penalties.note_stuck(7, start);
    EXPECT_EQ(penalties.wait_of(8, start), std::nullopt);
}

TEST(LaunchPenalties, what_was_long_ago_is_forgotten) {
    LaunchPenalties penalties;
    penalties.note_stuck(7, start);
    penalties.note_stuck(7, start + 10s);
    penalties.note_stuck(7, start + 30s + 600s);
    EXPECT_EQ(penalties.wait_of(7, start + 630s), 40s) << "just not";
    penalties.note_stuck(7, start + 670s + 601s);
    EXPECT_EQ(penalties.wait_of(7, start + 1271s), 10s);
}

} // namespace
} // namespace rc
