// The few things that coroutines here need beyond Asio: waiting for one of several, for all of several, for an event,
// with a deadline. The only place that uses asio::experimental. All of it stays on one executor: nothing here may be
// used from two threads.
#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <exception>
#include <utility>

namespace rc {

namespace asio = boost::asio;

using Clock = std::chrono::steady_clock;

// Completion token for operations whose error is looked at instead of thrown: [error, result...].
inline constexpr auto no_throw = asio::as_tuple(asio::use_awaitable);

namespace detail {

// Rethrows the exception of the operation that completed first, if it had one, and returns its index.
template <class Order, class... Errors>
std::size_t first_outcome(const Order& order, const Errors&... errors) {
    const std::array<std::exception_ptr, sizeof...(Errors)> all{errors...};
    if (all[order[0]]) std::rethrow_exception(all[order[0]]);
    return order[0];
}

} // namespace detail

// Runs all, ends when the first has ended, having cancelled the others and waited for them. Returns the index of the first,
// or rethrows its exception.
template <class... Ops>
asio::awaitable<std::size_t> race(Ops... ops) {
    const auto executor = co_await asio::this_coro::executor;
    auto group = asio::experimental::make_parallel_group(asio::co_spawn(executor, std::move(ops), asio::deferred)...);
    auto outcome = co_await group.async_wait(asio::experimental::wait_for_one(), asio::use_awaitable);
    co_return std::apply([](const auto&... parts) { return detail::first_outcome(parts...); }, outcome);
}

// Runs all until each has ended. If one throws, the others are cancelled, and its exception is rethrown.
template <class... Ops>
asio::awaitable<void> join(Ops... ops) {
    const auto executor = co_await asio::this_coro::executor;
    auto group = asio::experimental::make_parallel_group(asio::co_spawn(executor, std::move(ops), asio::deferred)...);
    auto outcome = co_await group.async_wait(asio::experimental::wait_for_one_error(), asio::use_awaitable);
    std::apply(
        [](const auto& order, const auto&... errors) {
            const std::array<std::exception_ptr, sizeof...(errors)> all{errors...};
            for (const std::size_t index : order)
                if (all[index]) std::rethrow_exception(all[index]);
        },
        outcome);
}

inline asio::awaitable<void> sleep_for(Clock::duration duration) {
    asio::steady_timer timer(co_await asio::this_coro::executor, duration);
    co_await timer.async_wait(asio::use_awaitable);
}

// Whether `duration` has passed; false: it has been cancelled. For the last thing that one side of a race does: an exception on its
// way through the coroutines takes longer than all the rest of a race.
inline asio::awaitable<bool> rest_for(Clock::duration duration) {
    asio::steady_timer timer(co_await asio::this_coro::executor, duration);
    const auto [error] = co_await timer.async_wait(no_throw);
    co_return !error;
}

inline asio::awaitable<void> rest(Clock::duration duration) { co_await rest_for(duration); } // where both will do

// Never ends, except by cancellation: for the side of a race that has nothing more to do.
inline asio::awaitable<void> wait_forever() {
    asio::steady_timer timer(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
    co_await timer.async_wait(asio::use_awaitable);
}

// Whether `op` ended within `duration`; otherwise it has been cancelled.
inline asio::awaitable<bool> with_deadline(asio::awaitable<void> op, Clock::duration duration) {
    const std::size_t first = co_await race(std::move(op), rest(duration));
    co_return first == 0;
}

// Something that one coroutine waits for and others announce. An announcement while nobody waits is kept (one, not a
// count); waiting takes it.
class Event {
public:
    explicit Event(const asio::any_io_executor& executor) : timer_(executor, asio::steady_timer::time_point::max()) {}

    void notify() {
        announced_ = true;
        timer_.cancel();
    }

    asio::awaitable<void> wait() { co_await wait_until(Clock::time_point::max()); }

    // Ends at the announcement or at `deadline`, whichever is first; true if it was announced.
    asio::awaitable<bool> wait_until(Clock::time_point deadline) {
        while (!announced_) {
            timer_.expires_at(deadline);
            // A cancelled coroutine gets the same answer as an announcement; its next co_await throws.
            const auto [error] = co_await timer_.async_wait(no_throw);
            if (!error) break;
        }
        co_return std::exchange(announced_, false);
    }

private:
    asio::steady_timer timer_;
    bool announced_ = false;
};

// A change that any number of coroutines wait for. An announcement is not kept: whoever waits looks first, in a loop, whether
// there is anything to wait for.
class Condition {
public:
    explicit Condition(const asio::any_io_executor& executor) : timer_(executor, asio::steady_timer::time_point::max()) {}

    void notify_all() { timer_.cancel(); }

    asio::awaitable<void> wait() { co_await timer_.async_wait(no_throw); }

private:
    asio::steady_timer timer_;
};

} // namespace rc
