// What leads to a server and the jobs there: a connection, and another one when it breaks.
#pragma once

#include "client/connection.hpp"
#include "client/remote_job.hpp"
#include "common/outbox.hpp"
#include "common/sender.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

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

    // Whether a request may have `after`.
    [[nodiscard]] bool knows_after() const { return connection_->knows_after; }
    // The connection is lost, and there is no other one yet.
    [[nodiscard]] bool is_broken() const { return broken_; }
    // Asks the server to run a job, which then belongs to this link too until release(). Throws what make_exec() throws.
    void start(const std::shared_ptr<RemoteJob>& job);
    // Asks for a job that is there.
    void watch(const std::shared_ptr<RemoteJob>& job);
    // The same for one job of many: a request that cannot be made is a job that failed.
    void start_or_fail(const std::shared_ptr<RemoteJob>& job);
    // What the job follows has been settled, or the job is to follow nothing any more. `begins`: it is as any other from now on. Otherwise
    // it only goes on if the server has begun it already, and is `skipped` if not.
    void decide(RemoteJob& job, bool begins);
    // What the job follows has failed, so that the server never begins it.
    void skip(RemoteJob& job);
    void signal(RemoteJob& job, const std::string& name);
    void resize(RemoteJob& job, const WindowSize& size);
    // The job's end has been taken, or is not wanted: the server ends it then.
    void release(RemoteJob& job);
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
    [[nodiscard]] const std::optional<Failure>& failure() const { return failure_; }

    // Called once when the server has accepted the proof.
    std::function<void()> on_welcome = [] {};
    // Called when a job has been started.
    std::function<void(const RemoteJob&)> on_started = [](const RemoteJob&) {};
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
    void rejoin();
    void rejoin(RemoteJob& job);
    bool is_over(const std::string& id);
    void request(RemoteJob& job);
    void request_again(RemoteJob& job);
    void ask(RemoteJob& job);
    // All jobs, as they were started: the server must know what others follow.
    [[nodiscard]] std::vector<std::shared_ptr<RemoteJob>> in_order() const;
    void attach(RemoteJob& job);
    void say_keep();
    void say_signals(const RemoteJob& job, std::size_t known);
    void take(const Incoming& incoming);
    void take_job_message(const Message& message, std::span<const std::byte> body);
    void begin(RemoteJob& job, const Attached& message);
    void take(RemoteJob& job, const ErrorMessage& message);
    void take(RemoteJob& job, const Started& message);
    void take(RemoteJob& job, const Attached& message);
    void take(RemoteJob& job, const Data& message, std::span<const std::byte> body);
    void take(RemoteJob& job, const Exit& message, std::span<const std::byte> body);
    void lose(const Failure& why);
    RemoteJob* find(const std::string& id);

    asio::any_io_executor executor_;
    std::unique_ptr<Connection> connection_;
    Dial dial_;
    std::chrono::seconds patience_;
    Outbox outbox_;
    std::optional<Sender> sender_; // of this connection
    Clock::time_point heard_{};    // the last word of the server
    Event closing_;
    bool is_closing_ = false;
    std::string client_id_;        // names this process
    std::uint64_t generation_ = 1; // of its connections
    bool welcome_ = false;
    bool broken_ = false;                      // the connection, and there is no other one yet
    std::optional<std::chrono::seconds> keep_; // while this program is stopped
    bool keep_said_ = false;
    std::map<std::string, std::shared_ptr<RemoteJob>, std::less<>> jobs_;
    std::uint64_t requests_ = 0;
    std::optional<Failure> failure_;
};

} // namespace rc
