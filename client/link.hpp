// What leads to a server and the jobs there: a connection, and another one when it breaks.
#pragma once

#include "client/connection.hpp"
#include "client/remote_jobs.hpp"
#include "common/outbox.hpp"
#include "common/sender.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace rc {

// Life: jobs may be started, then run() until close() or until the server cannot be reached any more. The proof and the first requests
// go out together when run() begins: a fresh one-shot costs four round trips. When the connection breaks another one is made, and each job goes
// on where it was: requests that were not answered are repeated under their job ids, so that none is executed twice.
class Link {
public:
    // `connection` is secured. `patience`: how long to try when the connection is lost; 0: not at all.
    Link(const asio::any_io_executor& executor, std::unique_ptr<Connection> connection, Dial dial, std::chrono::seconds patience);
    Link(const Link&) = delete;
    Link& operator=(const Link&) = delete;

    // What is asked of the server.
    [[nodiscard]] RemoteJobs& jobs() { return jobs_; }
    // `stop` stops this program for a while: meanwhile the jobs here may live on as long as the server allows.
    asio::awaitable<void> while_stopped(std::function<void()> stop);
    // Ends when what has been asked for is on its way, or after 1 s.
    asio::awaitable<void> flush();

    // Never throws: when the server cannot be reached any more, every job there fails.
    asio::awaitable<void> run();
    // Sends what is waiting, for at most 1 s, then ends run().
    void close();
    // Releases every job, then the same.
    void abandon();
    // Why run() ended, unless by close().
    [[nodiscard]] const std::optional<Failure>& failure() const { return jobs_.failure(); }

    // Called once when the server has accepted the proof.
    std::function<void()> on_welcome = [] {};
    // Called when the connection was lost and another one is tried, and when that is there.
    std::function<void(const std::string& problem)> on_lost = [](const std::string&) {};
    std::function<void(Clock::duration after)> on_back = [](Clock::duration) {};

private:
    asio::awaitable<void> serve();
    asio::awaitable<void> read();
    asio::awaitable<void> watch();
    asio::awaitable<void> give_up_farewell();
    asio::awaitable<std::optional<Failure>> reconnect(std::string problem);
    asio::awaitable<void> dial_again(std::optional<Failure>& problem);
    void begin_again();
    void take(const Incoming& incoming);

    asio::any_io_executor executor_;
    std::unique_ptr<Connection> connection_;
    Dial dial_;
    std::chrono::seconds patience_;
    Outbox outbox_;
    RemoteJobs jobs_;
    std::optional<Sender> sender_; // of this connection
    Clock::time_point heard_{};    // the last word of the server
    Event closing_;
    bool is_closing_ = false;
    bool welcome_ = false; // on this connection
    bool greeted_ = false; // on any
};

} // namespace rc
