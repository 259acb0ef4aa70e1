// The server's side of one connection, from accept to close. A coroutine that owns its channel: what it starts ends before
// it does, but for jobs, which linger when the client is gone.
#pragma once

#include "common/channel.hpp"
#include "common/outbox.hpp"
#include "common/sender.hpp"
#include "server/authenticate.hpp"
#include "server/exec_request.hpp"
#include "server/job_client.hpp"
#include "server/job_queries.hpp"
#include "server/permission.hpp"
#include "server/residents.hpp"
#include "server/service.hpp"
#include "server/start_job.hpp"
#include "server/succession.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <variant>

namespace rc {

// Who has come.
struct Visitor {
    boost::asio::ip::tcp::endpoint peer;
    std::unique_ptr<Stay> stay;     // among the strangers
    std::shared_ptr<Event> evicted; // it must make room
};

class Session {
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
    boost::asio::awaitable<void> serve();
    boost::asio::awaitable<void> read();
    boost::asio::awaitable<void> read_messages();
    boost::asio::awaitable<void> watch();
    boost::asio::awaitable<void> refuse(const Error& error);
    void say_last(const Error& error);

    // Requests. Those that throw Error name a violation of the protocol.
    void handle(const Message& message, std::span<const std::byte> body);
    void take_turn_or_wait(const Exec& exec, std::span<const std::byte> body);
    [[nodiscard]] bool is_waiting(const std::string& job) const;
    void give_turn(const std::string& job, const Predecessor& before);
    void skip(const std::string& job);
    void note_end(const std::string& job, const Predecessor& end);
    void handle_exec(const Exec& exec, std::span<const std::byte> body);
    void start_or_rejoin(const Exec& exec, std::span<const std::byte> body);
    std::optional<JobPlace> start(const Exec& exec, const ExecRequest& request, const Digest& digest);
    Home next_home();
    [[nodiscard]] Grant grant_request(const Exec& exec, const ExecRequest& request) const;
    JobStart job_start(const Exec& exec, const ExecRequest& request);
    void start_or_view(const Exec& exec, const ExecRequest& request, std::span<const std::byte> body);
    JobDirectory record(const Exec& exec, const ExecRequest& request, std::span<const std::byte> body);
    JobDirectory find_durable(const std::string& id) const;
    void view(const JobDirectory& job, const std::variant<Exec, Attach>& claim, std::size_t windows, std::string command);
    void handle_attach(const Attach& attach);
    void hold(const JobPlace& place, const JobClaim& claim);
    void check_not_held(const std::string& id) const;
    boost::asio::awaitable<void> list_jobs();
    boost::asio::awaitable<void> say(const ListedJob& listing);
    boost::asio::awaitable<void> kill_job(const Kill& message);
    void release(const Release& message);
    template <class Request>
    void hand_to_job(const Request& message, std::span<const std::byte> body = {});
    void say_job_error(const std::string& job, const Error& error, const std::string& command = {});
    void answer(const std::string& job, const Error& error);
    void log_attach(const std::string& job) const;

    void take_key_from(const AuthorizedKeys& keys);
    void renew_key();
    [[nodiscard]] std::size_t most_jobs() const;
    [[nodiscard]] std::size_t most_ordinary_jobs() const;
    [[nodiscard]] JobSlots::Slot take_slot() const;
    void check_admissible(const Exec& exec) const;
    void check_not_removed(const Exec& exec) const;
    void check_windows(std::size_t wanted) const;
    void admit_id(const Exec& exec);
    void listen_to_jobs();
    boost::asio::awaitable<void> give_credit();

    Service& service_;
    Residents& residents_;
    boost::asio::any_io_executor executor_;
    Visitor visitor_;
    std::string address_; // ADDR:PORT of the client
    Channel channel_;
    Outbox outbox_;
    Sender sender_;
    Login login_;
    RecentAccount account_;
    Clock::time_point heard_{}; // the last word of the client
    struct Held {
        std::unique_ptr<JobHandle> handle;
        std::size_t windows; // bytes
        bool durable;        // there is a next server for it
        std::string command; // the beginning of one that a supervisor may refuse yet
        std::optional<Predecessor> end{};
        [[nodiscard]] Predecessor as_predecessor() const;
        [[nodiscard]] Predecessor as_released() const; // now
    };
    std::shared_ptr<JobListener> listener_ = std::make_shared<JobListener>();
    std::deque<std::function<void()>> credits_; // to be given for frames that came from other threads
    Event credit_due_;
    std::map<std::string, Held, std::less<>> jobs_; // until they are released
    std::optional<WaitingRequest> waiting_;         // for the end of one of these
    std::size_t turn_ = 0;                          // of the homes
    bool welcome_ = false;                          // logged in
    bool leaving_ = false;
};

} // namespace rc
