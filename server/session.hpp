// The server's side of one connection, from accept to close. A coroutine that owns its channel: what it starts ends before
// it does, but for jobs, which linger when the client is gone.
#pragma once

#include "common/channel.hpp"
#include "common/outbox.hpp"
#include "common/sender.hpp"
#include "server/admission.hpp"
#include "server/key_holder.hpp"
#include "server/requests.hpp"
#include "server/residents.hpp"
#include "server/service.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <memory>

namespace rc {

// Who has come.
struct Visitor {
    boost::asio::ip::tcp::endpoint peer;
    std::unique_ptr<Stay> stay;     // among the strangers
    std::shared_ptr<Event> evicted; // it must make room
};

class Session : private RequestsOwner {
public:
    Session(Service& service, Residents& residents, boost::asio::ip::tcp::socket socket, Visitor visitor);
    ~Session();
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    // Serves the client until either end is done. Never throws.
    boost::asio::awaitable<void> run();

    // The server is ending: tells the client and closes as soon as the client has taken the end of its last job.
    void leave();

    // The authorized keys have changed: a session whose key opens nothing any more ends, and its jobs linger.
    void review(const AuthorizedKeys& keys);

private:
    boost::asio::awaitable<void> log_in();
    boost::asio::awaitable<void> establish();
    boost::asio::awaitable<void> establish_unless_evicted();
    void log_refused(const Error& why) const;
    boost::asio::awaitable<void> serve();
    boost::asio::awaitable<void> read();
    boost::asio::awaitable<void> read_messages();
    boost::asio::awaitable<void> watch();
    boost::asio::awaitable<void> refuse(const Error& error);
    void say_last(const Error& error) override;
    void close() override;
    void released() override;

    Service& service_;
    Visitor visitor_;
    KeyHolder holder_;
    Home home_;
    Channel channel_;
    Outbox outbox_;
    Sender sender_;
    Requests requests_;
    Clock::time_point heard_{}; // the last word of the client
    bool welcome_ = false;      // logged in
    bool leaving_ = false;
};

} // namespace rc
