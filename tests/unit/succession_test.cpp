#include "server/succession.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace rc {
namespace {

using State = Predecessor::State;

TEST(Succession, table) {
    struct Case {
        Predecessor before;
        Turn after_success; // if that one has to exit with 0
        Turn after_any_end;
    };
    const std::vector<Case> table = {
        {{State::unknown, false}, Turn::never, Turn::now},
        {{State::running, false}, Turn::later, Turn::later},
        {{State::ended, true}, Turn::later, Turn::later},
        {{State::ended, false}, Turn::never, Turn::later},
        {{State::taken, true}, Turn::now, Turn::now},
        {{State::taken, false}, Turn::never, Turn::now},
        {{State::given_up, false}, Turn::never, Turn::never},
    };
    for (const auto& [before, after_success, after_any_end] : table) {
        EXPECT_EQ(turn_after(After{"before", true}, before), after_success) << static_cast<int>(before.state) << before.success;
        EXPECT_EQ(turn_after(After{"before", false}, before), after_any_end) << static_cast<int>(before.state) << before.success;
    }
}

} // namespace
} // namespace rc
