// What a client that has logged in asks for on its connection, and the jobs that the connection holds.
#pragma once

#include "common/async.hpp"
#include "common/job_listing.hpp"
#include "common/message.hpp"
#include "common/outbox.hpp"
#include "common/sender.hpp"
#include "server/exec_request.hpp"
#include "server/job_client.hpp"
#include "server/job_directory.hpp"
#include "server/job_table.hpp"
#include "server/key_holder.hpp"
#include "server/permission.hpp"
#include "server/residents.hpp"
#include "server/service.hpp"
#include "server/start_job.hpp"
#include "server/succession.hpp"

#include <boost/asio/awaitable.hpp>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>

namespace rc {

// The connection, as far as requests have a say in it.
class RequestsOwner {
public:
    // The connection ends behind that.
    virtual void say_last(const Error& error) = 0;
    // It ends at once.
    virtual void close() = 0;
    // The client is done with one of its jobs.
    virtual void released() = 0;

protected:
    ~RequestsOwner() = default;
};

// Lives on one thread, `home`, as long as its connection. Destroyed, it leaves its jobs to linger.
class Requests {
public:
    // All must outlive this object.
    Requests(Service& service, const Home& home, KeyHolder& holder, Outbox& outbox, Sender& sender, RequestsOwner& owner);
    ~Requests();
    Requests(const Requests&) = delete;
    Requests& operator=(const Requests&) = delete;

    // All that is said to the server but Jobs and Kill. These three throw Error for a violation of the protocol; what cannot be done is said to
    // the client.
    void handle(const Message& message, std::span<const std::byte> body);
    boost::asio::awaitable<void> list_jobs();
    boost::asio::awaitable<void> kill_job(const Kill& message);

    // Lets jobs on other threads say more when the client has taken what they said. Runs as long as the connection is open.
    boost::asio::awaitable<void> give_credit();

    void let_linger();
    void forget_waiting() { waiting_.reset(); }
    [[nodiscard]] bool none_held() const { return jobs_.empty(); }
    // There is a next server for all jobs that are held.
    [[nodiscard]] bool only_durable() const;

private:
    struct Held {
        std::unique_ptr<JobHandle> handle;
        std::size_t windows; // bytes
        bool durable;        // there is a next server for it
        std::string command; // the beginning of one that a supervisor may refuse yet
        std::optional<Predecessor> end{};
        [[nodiscard]] Predecessor as_predecessor() const;
        [[nodiscard]] Predecessor as_released() const; // now
    };

    void take_turn_or_wait(RequestedJob request);
    [[nodiscard]] bool is_waiting(const std::string& job) const;
    void give_turn(const std::string& job, const Predecessor& before);
    void skip(const std::string& job);
    void note_end(const std::string& job, const Predecessor& end);
    void handle_exec(const RequestedJob& request);
    void start_or_rejoin(const RequestedJob& request);
    std::optional<JobPlace> start(const RequestedJob& request);
    [[nodiscard]] std::optional<JobPlace> begun_elsewhere(const Exec& exec) const;
    Home next_home();
    [[nodiscard]] Grant grant_request(const RequestedJob& request) const;
    JobStart job_start(Grant granted);
    void start_or_view(const RequestedJob& request);
    JobDirectory record(const RequestedJob& request);
    JobDirectory find_durable(const std::string& id) const;
    void view(const JobDirectory& job, const std::variant<Exec, Attach>& claim, std::size_t windows, std::string command);
    void handle_attach(const Attach& attach);
    void hold(const JobPlace& place, const JobClaim& claim);
    void check_not_held(const std::string& id) const;
    void check_windows(std::size_t wanted) const;
    void release(const Release& message);
    template <class Request>
    void hand_to_job(const Request& message, std::span<const std::byte> body = {});
    boost::asio::awaitable<void> say(const ListedJob& listing);
    void listen_to_jobs();
    void say_job_error(const std::string& job, const Error& error, const std::string& command = {});
    void refuse(const RequestedJob& request, const Error& error);
    void answer(const std::string& job, const Error& error);
    void log_attach(const std::string& job) const;

    Service& service_;
    const Home& home_;
    KeyHolder& holder_;
    Outbox& outbox_;
    Sender& sender_;
    RequestsOwner& owner_;
    std::shared_ptr<JobListener> listener_ = std::make_shared<JobListener>();
    std::deque<std::function<void()>> credits_; // to be given for frames that came from other threads
    Event credit_due_;
    std::map<std::string, Held, std::less<>> jobs_; // until they are released
    std::optional<RequestedJob> waiting_;           // for the end of one of these
    std::size_t turn_ = 0;                          // of the homes
};

} // namespace rc
