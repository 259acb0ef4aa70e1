// Waiting for one of several, for all of several, for an event, with a deadline.
#include "common/async.hpp"

#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <gtest/gtest.h>

#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace rc {
namespace {

using namespace std::chrono_literals;
using Log = std::vector<std::string>;

// What the tests' coroutines do; each notes how it ended.

asio::awaitable<void> at_once(Log& log, std::string name) {
    log.push_back(name);
    co_return;
}

asio::awaitable<void> after(Log& log, std::string name, Clock::duration duration) {
    co_await sleep_for(duration);
    log.push_back(name);
}

asio::awaitable<void> never(Log& log, std::string name) {
    try {
        co_await wait_forever();
    } catch (const boost::system::system_error&) {
        log.push_back(name + " cancelled");
        throw;
    }
    log.push_back(name + " ended");
}

asio::awaitable<void> throwing(Log& log, std::string name, Clock::duration duration) {
    if (duration > 0ms) co_await sleep_for(duration);
    log.push_back(name);
    throw std::runtime_error(name);
}

// Fails when it is cancelled, with something else than the cancellation.
asio::awaitable<void> throwing_late(Log& log, std::string name) {
    try {
        co_await wait_forever();
    } catch (const boost::system::system_error&) {
        log.push_back(name);
    }
    throw std::runtime_error(name);
}

asio::awaitable<void> wait_for(Log& log, std::string name, Event& event) {
    co_await event.wait();
    log.push_back(name);
}

// Runs it to its end; the text of its exception, if it threw one.
std::string run(asio::io_context& context, asio::awaitable<void> op) {
    std::optional<std::string> outcome;
    asio::co_spawn(context, std::move(op), [&](const std::exception_ptr& error) {
        outcome = "";
        try {
            if (error) std::rethrow_exception(error);
        } catch (const std::exception& thrown) {
            outcome = thrown.what();
        }
    });
    context.restart();
    context.run_for(20s); // far longer than any of them takes
    return outcome.value_or("has not ended");
}

class AsyncTest : public testing::Test {
protected:
    std::string run(asio::awaitable<void> op) { return rc::run(context, std::move(op)); }

    asio::io_context context;
    Log log;
};

asio::awaitable<void> note_race(Log& log, asio::awaitable<void> a, asio::awaitable<void> b) {
    const std::size_t first = co_await race(std::move(a), std::move(b));
    log.push_back("first: " + std::to_string(first));
}

asio::awaitable<void> note_race_of_three(Log& log, asio::awaitable<void> a, asio::awaitable<void> b, asio::awaitable<void> c) {
    const std::size_t first = co_await race(std::move(a), std::move(b), std::move(c));
    log.push_back("first: " + std::to_string(first));
}

TEST_F(AsyncTest, race_returns_the_first_and_has_ended_the_other) {
    EXPECT_EQ(run(note_race(log, after(log, "a", 1ms), never(log, "b"))), "");
    EXPECT_EQ(log, (Log{"a", "b cancelled", "first: 0"}));
    log.clear();
    EXPECT_EQ(run(note_race(log, never(log, "a"), after(log, "b", 1ms))), "");
    EXPECT_EQ(log, (Log{"b", "a cancelled", "first: 1"}));
}

TEST_F(AsyncTest, race_of_three_ends_both_others) {
    EXPECT_EQ(run(note_race_of_three(log, never(log, "a"), after(log, "b", 1ms), never(log, "c"))), "");
    ASSERT_EQ(log.size(), 4U);
    EXPECT_EQ(log.front(), "b");
    EXPECT_EQ(log.back(), "first: 1");
}

TEST_F(AsyncTest, race_is_won_by_what_does_not_wait) {
    EXPECT_EQ(run(note_race(log, never(log, "a"), at_once(log, "b"))), "");
    EXPECT_EQ(log.back(), "first: 1");
    log.clear();
    EXPECT_EQ(run(note_race(log, at_once(log, "a"), never(log, "b"))), "");
    EXPECT_EQ(log.back(), "first: 0");
}

TEST_F(AsyncTest, race_rethrows_what_the_first_threw_when_the_other_has_ended) {
    EXPECT_EQ(run(note_race(log, throwing(log, "bad a", 1ms), never(log, "b"))), "bad a");
    EXPECT_EQ(log, (Log{"bad a", "b cancelled"}));
    log.clear();
    EXPECT_EQ(run(note_race(log, never(log, "a"), throwing(log, "bad b", 0ms))), "bad b");
    EXPECT_EQ(log.front(), "bad b");
}

TEST_F(AsyncTest, race_does_not_ask_how_the_others_ended) {
    EXPECT_EQ(run(note_race(log, throwing_late(log, "late"), after(log, "b", 1ms))), "");
    EXPECT_EQ(log, (Log{"b", "late", "first: 1"}));
}

asio::awaitable<void> join_three(Log& log, asio::awaitable<void> a, asio::awaitable<void> b, asio::awaitable<void> c) {
    co_await join(std::move(a), std::move(b), std::move(c));
    log.push_back("joined");
}

TEST_F(AsyncTest, join_waits_for_all) {
    EXPECT_EQ(run(join_three(log, after(log, "a", 3ms), at_once(log, "b"), after(log, "c", 1ms))), "");
    EXPECT_EQ(log, (Log{"b", "c", "a", "joined"}));
}

TEST_F(AsyncTest, join_rethrows_after_all_have_ended) {
    EXPECT_EQ(run(join_three(log, never(log, "a"), throwing(log, "bad b", 1ms), at_once(log, "c"))), "bad b");
    EXPECT_EQ(log, (Log{"c", "bad b", "a cancelled"}));
    log.clear();
    EXPECT_EQ(run(join_three(log, throwing(log, "bad a", 0ms), never(log, "b"), never(log, "c"))), "bad a");
    EXPECT_EQ(log.size(), 3U);
}

TEST_F(AsyncTest, join_rethrows_the_first_of_several) {
    EXPECT_EQ(
        run(join_three(log, throwing_late(log, "late a"), throwing(log, "bad b", 1ms), throwing_late(log, "late c"))), "bad b");
    EXPECT_EQ(log.size(), 3U);
    EXPECT_EQ(log.front(), "bad b");
}

asio::awaitable<void> note_deadline(Log& log, asio::awaitable<void> op, Clock::duration duration) {
    const bool in_time = co_await with_deadline(std::move(op), duration);
    log.push_back(in_time ? "in time" : "too late");
}

TEST_F(AsyncTest, with_deadline_says_whether_it_ended) {
    EXPECT_EQ(run(note_deadline(log, after(log, "a", 1ms), 1h)), "");
    EXPECT_EQ(log, (Log{"a", "in time"}));
    log.clear();
    EXPECT_EQ(run(note_deadline(log, at_once(log, "a"), 1h)), "");
    EXPECT_EQ(log, (Log{"a", "in time"}));
    log.clear();
    EXPECT_EQ(run(note_deadline(log, never(log, "a"), 1ms)), "");
    EXPECT_EQ(log, (Log{"a cancelled", "too late"}));
}

TEST_F(AsyncTest, with_deadline_rethrows) {
    EXPECT_EQ(run(note_deadline(log, throwing(log, "bad", 1ms), 1h)), "bad");
    EXPECT_EQ(run(note_deadline(log, throwing_late(log, "late"), 1ms)), "") << "it was not asked any more";
    EXPECT_EQ(log.back(), "too late");
}

TEST_F(AsyncTest, deadlines_may_lie_in_one_another) {
    EXPECT_EQ(run(note_deadline(log, note_deadline(log, never(log, "a"), 1ms), 1h)), "");
    EXPECT_EQ(log, (Log{"a cancelled", "too late", "in time"}));
    log.clear();
    EXPECT_EQ(run(note_deadline(log, note_deadline(log, never(log, "a"), 1h), 1ms)), "");
    EXPECT_EQ(log, (Log{"a cancelled", "too late"}));
}

asio::awaitable<void> note_rest(Log& log, Clock::duration duration) {
    const bool whole = co_await rest_for(duration);
    log.push_back(whole ? "rested" : "disturbed");
}

TEST_F(AsyncTest, a_rest_ends_quietly_when_it_is_cancelled) {
    EXPECT_EQ(run(note_race(log, note_rest(log, 1ms), never(log, "b"))), "");
    EXPECT_EQ(log, (Log{"rested", "b cancelled", "first: 0"}));
    log.clear();
    EXPECT_EQ(run(note_race(log, note_rest(log, Clock::duration::max()), after(log, "b", 1ms))), "");
    EXPECT_EQ(log, (Log{"b", "disturbed", "first: 1"}));
}

class EventTest : public AsyncTest {
protected:
    Event event{context.get_executor()};
};

asio::awaitable<void> wait_until(Log& log, Event& event, Clock::time_point deadline) {
    const bool announced = co_await event.wait_until(deadline);
    log.push_back(announced ? "announced" : "timeout");
}

asio::awaitable<void> notify_after(Event& event, Clock::duration duration) {
    co_await sleep_for(duration);
    event.notify();
}

TEST_F(EventTest, wakes_the_one_that_waits) {
    asio::co_spawn(context, notify_after(event, 1ms), asio::detached);
    EXPECT_EQ(run(wait_for(log, "awake", event)), "");
    EXPECT_EQ(log, Log{"awake"});
    asio::co_spawn(context, notify_after(event, 1ms), asio::detached);
    EXPECT_EQ(run(wait_until(log, event, Clock::now() + 1h)), "");
    EXPECT_EQ(log.back(), "announced");
}

TEST_F(EventTest, an_announcement_is_kept_and_taken_once) {
    event.notify();
    EXPECT_EQ(run(wait_for(log, "awake", event)), "");
    EXPECT_EQ(log, Log{"awake"});
    EXPECT_EQ(run(wait_until(log, event, Clock::now() + 1ms)), "");
    EXPECT_EQ(log.back(), "timeout");
}

TEST_F(EventTest, several_announcements_are_one) {
    for (int i = 0; i < 3; ++i) event.notify();
    EXPECT_EQ(run(wait_until(log, event, Clock::now() + 1h)), "");
    EXPECT_EQ(run(wait_until(log, event, Clock::now())), "");
    EXPECT_EQ(log, (Log{"announced", "timeout"}));
}

TEST_F(EventTest, a_kept_announcement_comes_before_a_deadline_that_has_passed) {
    event.notify();
    EXPECT_EQ(run(wait_until(log, event, Clock::now() - 1h)), "");
    EXPECT_EQ(run(wait_until(log, event, Clock::now() - 1h)), "");
    EXPECT_EQ(log, (Log{"announced", "timeout"}));
}

TEST_F(EventTest, can_be_waited_for_again_after_a_timeout) {
    EXPECT_EQ(run(wait_until(log, event, Clock::now() + 1ms)), "");
    event.notify();
    EXPECT_EQ(run(wait_until(log, event, Clock::now() + 1h)), "");
    asio::co_spawn(context, notify_after(event, 1ms), asio::detached);
    EXPECT_EQ(run(wait_for(log, "awake", event)), "");
    EXPECT_EQ(log, (Log{"timeout", "announced", "awake"}));
}

TEST_F(EventTest, that_lost_a_race_can_be_waited_for_again) {
    EXPECT_EQ(run(note_race(log, wait_for(log, "awake", event), after(log, "b", 1ms))), "");
    EXPECT_EQ(log, (Log{"b", "first: 1"})) << "it was not announced";
    EXPECT_EQ(run(note_deadline(log, wait_for(log, "awake", event), 1ms)), "");
    EXPECT_EQ(log.back(), "too late");
    asio::co_spawn(context, notify_after(event, 1ms), asio::detached);
    EXPECT_EQ(run(note_race(log, wait_for(log, "awake", event), never(log, "b"))), "");
    EXPECT_EQ(log.back(), "first: 0");
}

asio::awaitable<void> take_many(Event& event, int& given, int& taken, int most) {
    while (taken < most) {
        co_await event.wait();
        taken = given;
    }
}

asio::awaitable<void> give_many(Event& event, int& given, int most) {
    while (given < most) {
        ++given;
        event.notify();
        if (given % 3 == 0) co_await asio::post(asio::use_awaitable);
    }
}

TEST_F(EventTest, no_announcement_is_missed) {
    int given = 0;
    int taken = 0;
    asio::co_spawn(context, give_many(event, given, 1000), asio::detached);
    EXPECT_EQ(run(take_many(event, given, taken, 1000)), "");
    EXPECT_EQ(taken, 1000);
}

} // namespace
} // namespace rc
