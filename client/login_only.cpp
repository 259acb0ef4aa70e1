#include "client/login_only.hpp"

#include "client/exit_status.hpp"
#include "client/signals.hpp"

#include <optional>

namespace rc {

namespace {

asio::awaitable<void> leave_on_signal(Link& link, int& status) {
    Signals signals(co_await asio::this_coro::executor, link);
    if (const auto number = co_await signals.next()) status = signalled + *number;
}

} // namespace

asio::awaitable<int> run_nothing(const Reporter& reporter, Link& link) {
    int status = 0;
    co_await race(link.run(), leave_on_signal(link, status));
    if (link.failure()) co_return reporter.idle_link_lost(*link.failure());
    co_return status;
}

} // namespace rc
