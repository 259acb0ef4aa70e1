// One thread with an io_context of its own: a connection is pinned to it, and all that the connection owns runs on it.
#pragma once

#include "server/residents.hpp"
#include "server/service.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <memory>
#include <thread>

namespace rc {

class Worker {
public:
    // Starts the thread, a home of the service. It lives as long as the worker, which its children rely on (see spawn.hpp).
    explicit Worker(Service& service);
    // Call stop() before. Connections are cut, processes killed.
    ~Worker() = default;
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    // Ends the thread at once. What lives on one worker speaks to what lives on another: all are stopped before any goes.
    void stop();

    [[nodiscard]] boost::asio::io_context& context() { return context_; }

    // These may be called on any thread.
    // Serves a socket of context().
    void serve(boost::asio::ip::tcp::socket socket, const boost::asio::ip::tcp::endpoint& peer);
    // Ends the sessions whose keys open nothing any more, and the jobs of keys that are gone.
    void review(const std::shared_ptr<const AuthorizedKeys>& keys);
    // Ends every job that runs here, for the reason shutdown.
    void end_jobs();
    // Lets every session here say goodbye.
    void end_sessions();

private:
    Service& service_;
    Residents residents_; // outlives what context_ holds
    boost::asio::io_context context_{1};
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
    std::thread thread_;
};

} // namespace rc
