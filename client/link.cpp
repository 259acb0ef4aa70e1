#include "client/link.hpp"

#include "client/exit_status.hpp"
#include "common/bytes.hpp"

#include <algorithm>
#include <utility>
#include <variant>

namespace rc {

namespace {

constexpr std::chrono::hours longest_keep{24 * 365};
constexpr std::chrono::seconds farewell{1}; // for what is to be sent last
constexpr std::chrono::milliseconds first_pause{50};
constexpr std::chrono::milliseconds longest_pause{5000};

// What may go away by itself.
bool may_pass(const Failure& failure) {
    return failure.code() == "no_server" || failure.code() == "no_host" || failure.code() == "not_rcmd_server" ||
           failure.code() == "busy" || failure.code() == "penalty";
}

Failure lost_for_good(const std::string& problem) { return {"lost", "the connection was lost: " + problem, Ran::unknown}; }

} // namespace

Link::Link(
    const asio::any_io_executor& executor, std::unique_ptr<Connection> connection, Dial dial, std::chrono::seconds patience)
    : executor_(executor), connection_(std::move(connection)), dial_(std::move(dial)), patience_(patience),
      jobs_(outbox_, connection_->run), closing_(executor) {
    outbox_.push(Auth{}, as_text(connection_->proof));
}

asio::awaitable<void> Link::while_stopped(std::function<void()> stop) {
    jobs_.keep(longest_keep);
    co_await flush();
    stop();
    jobs_.keep(std::nullopt);
}

asio::awaitable<void> Link::flush() {
    const auto deadline = Clock::now() + farewell;
    while (outbox_.queued() > 0 && Clock::now() < deadline) co_await sleep_for(std::chrono::milliseconds(5));
}

asio::awaitable<void> Link::run() {
    for (;;) {
        std::optional<Failure> why;
        std::string problem;
        try {
            co_await serve();
            co_return; // close()
        } catch (const Failure& failure) {
            why = failure;
        } catch (const Error& error) {
            why = protocol_failure(error, Ran::unknown);
        } catch (const boost::system::system_error& error) {
            problem = error.code().message();
        }
        if (!why && is_closing_) co_return;
        jobs_.disconnect();
        if (!why) why = co_await reconnect(problem);
        if (!why) continue;
        jobs_.lose(*why);
        co_return;
    }
}

asio::awaitable<void> Link::serve() {
    heard_ = Clock::now();
    sender_.emplace(connection_->channel, outbox_, executor_);
    if (is_closing_) sender_->finish();
    co_await race(read(), sender_->run(), watch(), give_up_farewell());
}

// Notices a server, or a network, that says nothing any more.
asio::awaitable<void> Link::watch() {
    while (co_await rest_for(limits::ping_after)) {
        const auto silence = Clock::now() - heard_;
        if (silence >= limits::longest_silence) throw boost::system::system_error(asio::error::timed_out);
        if (silence >= limits::ping_after) outbox_.push(Ping{});
    }
}

asio::awaitable<void> Link::give_up_farewell() {
    co_await closing_.wait();
    co_await rest_for(farewell);
}

// Nothing if the link is there again.
asio::awaitable<std::optional<Failure>> Link::reconnect(std::string problem) {
    const auto lost = Clock::now();
    if (patience_.count() == 0) co_return lost_for_good(problem);
    on_lost(problem);
    Clock::duration pause{}; // a connection that was cut can be made again at once
    std::optional<Failure> why;
    const auto end = lost + patience_;
    while (!is_closing_ && Clock::now() < end) {
        if (pause.count() > 0) co_await with_deadline(closing_.wait(), std::min(pause, end - Clock::now()));
        if (is_closing_) break;
        pause = std::clamp<Clock::duration>(2 * pause, first_pause, longest_pause);
        why = Failure("lost", problem);
        co_await race(dial_again(why), closing_.wait());
        if (!why) {
            begin_again();
            on_back(Clock::now() - lost);
            co_return std::nullopt;
        }
        if (!is_closing_ && !may_pass(*why)) co_return why;
    }
    co_return lost_for_good(why ? why->what() : problem);
}

asio::awaitable<void> Link::dial_again(std::optional<Failure>& problem) {
    try {
        connection_ = co_await dial_();
        problem.reset();
    } catch (const Failure& failure) {
        problem = Failure(failure.code(), failure.what(), Ran::unknown);
    }
}

void Link::begin_again() {
    welcome_ = false;
    outbox_.clear();
    outbox_.push(Auth{}, as_text(connection_->proof));
    jobs_.rejoin(connection_->run);
}

void Link::close() {
    is_closing_ = true;
    closing_.notify();
    if (sender_) sender_->finish();
}

void Link::abandon() {
    jobs_.abandon();
    close();
}

asio::awaitable<void> Link::read() {
    while (co_await connection_->channel.readable()) {
        const Incoming incoming = co_await connection_->channel.receive();
        heard_ = Clock::now();
        take(incoming);
        co_await sender_->room();
    }
}

void Link::take(const Incoming& incoming) {
    if (std::holds_alternative<Welcome>(incoming.message)) {
        welcome_ = true;
        connection_->channel.set_phase(Phase::open);
        if (!std::exchange(greeted_, true)) on_welcome();
        return;
    }
    const auto* error = std::get_if<ErrorMessage>(&incoming.message);
    // Before the proof is accepted no request is acted upon.
    if (error != nullptr && !error->job) throw to_failure(*error, welcome_ ? Ran::unknown : Ran::no);
    jobs_.take(incoming.message, incoming.body);
}

} // namespace rc
