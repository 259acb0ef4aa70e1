// Whoever asks for input, errors or a terminal gets all of it or an error, however few descriptors are left.
#include "server/child_wiring.hpp"

#include "common/error.hpp"
#include "tests/unit/limited_descriptors.hpp"

#include <gtest/gtest.h>

#include <optional>

namespace rc {
namespace {

// What `wire` makes with ever more descriptors, from the first time that it makes anything.
template <class Wire>
std::optional<ChildWiring> with_just_enough(Wire wire) {
    for (rlim_t count = 0; count < 1000; ++count) {
        const LimitedDescriptors limited(count);
        try {
            return wire();
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ErrorCode::internal) << error.what();
        }
    }
    return std::nullopt;
}

TEST(ChildWiring, pipes_are_whole_or_an_error) {
    const auto made = with_just_enough([] { return wire_pipes(true, false); });
    ASSERT_TRUE(made);
    EXPECT_TRUE(made->input.is_open() && made->output.is_open() && made->error.is_open());
    EXPECT_TRUE(made->daemon.input.is_open() && made->daemon.output.is_open() && made->daemon.error.is_open());
    EXPECT_FALSE(made->daemon.control.is_open());
}

TEST(ChildWiring, a_terminal_is_whole_or_an_error) {
    const Account account = own_account();
    const auto made = with_just_enough([&] { return wire_terminal(Pty{24, 80, "dumb", 0}, account, true, true); });
    ASSERT_TRUE(made);
    EXPECT_TRUE(made->input.is_open() && made->output.is_open() && made->control.is_open());
    EXPECT_TRUE(made->daemon.input.is_open() && made->daemon.output.is_open());
    EXPECT_TRUE(made->daemon.control.is_open() && made->daemon.state.is_open());
}

TEST(ChildWiring, what_was_not_asked_for_is_not_there) {
    const ChildWiring made = wire_pipes(false, true);
    EXPECT_EQ(made.input_fd(), no_input());
    EXPECT_EQ(made.error_fd(), made.output_fd());
    EXPECT_FALSE(made.daemon.input.is_open() || made.daemon.error.is_open());
}

} // namespace
} // namespace rc
