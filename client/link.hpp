// A connection to a server, authenticated or about to be, and the jobs on it.
#pragma once

#include "client/key_file.hpp"
#include "client/remote_job.hpp"
#include "common/channel.hpp"
#include "common/outbox.hpp"
#include "common/sender.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>

#include <functional>
#include <map>
#include <memory>
#include <string>

namespace rc {

// Life: secure(), then jobs may be started, then run() until close() or the connection's loss. The proof and the first requests
// go out together when run() begins: a fresh one-shot costs four round trips.
class Link {
public:
    // `socket` is connected.
    Link(boost::asio::ip::tcp::socket socket, boost::asio::ssl::context& tls);
    Link(const Link&) = delete;
    Link& operator=(const Link&) = delete;

    // TLS, hello, challenge; the server has proved that it knows `key`. Throws Error and system_error for what the server did
    // wrong, Failure{auth_failed} if it knows another key or none.
    asio::awaitable<void> secure(const Key& key, const std::string& user);

    // Asks the server to run a job, which then belongs to this link too until release(). Throws what make_exec() throws.
    void start(const std::shared_ptr<RemoteJob>& job);
    // The same for one job of many: a request that cannot be made is a job that failed.
    void start_or_fail(const std::shared_ptr<RemoteJob>& job);
    void signal(RemoteJob& job, const std::string& name);
    void resize(RemoteJob& job, const WindowSize& size);
    // The job's end has been taken.
    void release(RemoteJob& job);

    // Never throws: when the connection is lost, every job on it fails.
    asio::awaitable<void> run();
    // Sends what is waiting, then ends run().
    void close();
    // Cuts the connection: run() ends at once, and the server ends what is running here.
    void drop();
    // Why run() ended, unless by close().
    [[nodiscard]] const std::optional<Failure>& failure() const { return failure_; }

    // Called once when the server has accepted the proof.
    std::function<void()> on_welcome = [] {};
    // Called when a job has been started.
    std::function<void(const RemoteJob&)> on_started = [](const RemoteJob&) {};

private:
    asio::awaitable<void> read();
    void take(const Incoming& incoming);
    void take_job_message(const Message& message, std::span<const std::byte> body);
    void take(RemoteJob& job, const Started& message);
    void take(RemoteJob& job, const Exit& message, std::span<const std::byte> body);
    void lose(const Failure& why);
    RemoteJob* find(const std::string& id);

    asio::any_io_executor executor_;
    Channel channel_;
    Outbox outbox_;
    Sender sender_;
    std::string boot_;
    std::uint64_t uptime_{};
    std::string client_id_; // names this process
    bool welcome_ = false;
    std::map<std::string, std::shared_ptr<RemoteJob>, std::less<>> jobs_;
    std::optional<Failure> failure_;
};

} // namespace rc
