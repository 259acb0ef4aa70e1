#include "client/signals.hpp"

#include "client/local_io.hpp"
#include "client/terminal.hpp"
#include "common/signal_name.hpp"

#include <csignal>
#include <cstdlib>

namespace rc {

namespace {

constexpr std::chrono::milliseconds still_from_keyboard{200};
constexpr std::chrono::seconds patience{5};
// GNU timeout sends its signal to the process and to the group that the process is in: that is one wish, not two.
constexpr std::chrono::milliseconds sent_twice{100};

} // namespace

Signals::Signals(const asio::any_io_executor& executor, Link& link) : link_(link), set_(executor) {
    for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGTSTP}) {
        struct sigaction current {};
        const bool ignored = ::sigaction(number, nullptr, &current) == 0 && current.sa_handler == SIG_IGN;
        if (!ignored) set_.add(number);
    }
}

asio::awaitable<std::optional<int>> Signals::next() {
    for (;;) {
        const auto [error, number] = co_await set_.async_wait(no_throw);
        if (error) co_return std::nullopt;
        if (number != SIGTSTP) co_return number;
        co_await link_.while_stopped(&stop_by_terminal);
    }
}

asio::awaitable<void> Signals::forward(RemoteJob& job, const Reporter& reporter) {
    const auto number = co_await next();
    if (!number) co_return;
    link_.jobs().signal(job, signal_name(*number));
    co_await another();
    co_await give_up(job, reporter);
}

asio::awaitable<void> Signals::forward_from_terminal(RemoteJob& job, const Reporter& reporter) {
    const auto raw = Clock::now() + still_from_keyboard;
    while (!ending_) {
        const auto number = co_await next();
        if (!number) co_return;
        link_.jobs().signal(job, signal_name(*number));
        const bool typed = (*number == SIGINT || *number == SIGQUIT) && Clock::now() < raw;
        if (!typed) ending_ = number;
    }
    co_await with_deadline(another(), patience);
    co_await give_up(job, reporter);
}

asio::awaitable<void> Signals::another() {
    const auto first = Clock::now();
    do {
        if (!co_await next())
            throw boost::system::system_error(asio::error::operation_aborted); // what comes next must not happen
    } while (Clock::now() - first < sent_twice);
}

asio::awaitable<void> Signals::give_up(RemoteJob& job, const Reporter& reporter) {
    const char* why = !link_.jobs().is_connected()
                          ? " cannot be told to end, and goes on as long as --keep says; not waiting for it"
                          : " is still ending; not waiting for it any longer";
    link_.jobs().release(job);
    co_await link_.flush();
    restore_terminal();
    std::_Exit(reporter.given_up(job, "job " + job.id() + why)); // a write that nobody reads may be under way
}

} // namespace rc
