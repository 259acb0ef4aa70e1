#include "server/succession.hpp"

#include <gtest/gtest.h>

namespace rc {
namespace {

using State = Predecessor::State;

TEST(Succession, only_after_success) {
    const After wish{"before", true};
    EXPECT_EQ(turn_after(wish, {State::unknown, false}), Turn::never);
    EXPECT_EQ(turn_after(wish, {State::running, false}), Turn::later);
    EXPECT_EQ(turn_after(wish, {State::ended, true}), Turn::later);
    EXPECT_EQ(turn_after(wish, {State::ended, false}), Turn::never);
    EXPECT_EQ(turn_after(wish, {State::taken, true}), Turn::now);
    EXPECT_EQ(turn_after(wish, {State::taken, false}), Turn::never);
    EXPECT_EQ(turn_after(wish, {State::given_up, false}), Turn::never);
}

TEST(Succession, whatever_the_end_was) {
    const After wish{"before", false};
    EXPECT_EQ(turn_after(wish, {State::unknown, false}), Turn::now);
    EXPECT_EQ(turn_after(wish, {State::running, false}), Turn::later);
    EXPECT_EQ(turn_after(wish, {State::ended, true}), Turn::later);
    EXPECT_EQ(turn_after(wish, {State::ended, false}), Turn::later);
    EXPECT_EQ(turn_after(wish, {State::taken, true}), Turn::now);
    EXPECT_EQ(turn_after(wish, {State::taken, false}), Turn::now);
    EXPECT_EQ(turn_after(wish, {State::given_up, false}), Turn::never);
}

} // namespace
} // namespace rc
