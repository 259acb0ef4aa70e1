// The jobs that a client has at a server: what it says of them, and what it hears, over one connection after the other. Knows nothing of sockets.
#pragma once

#include "client/remote_job.hpp"
#include "client/server_run.hpp"
#include "common/outbox.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace rc {

// Life of a job here: from start() or watch() to release(). When the connection is lost, and there is another one, each goes on where it was:
// requests that were not answered are repeated under their job ids, so that none is executed twice.
class RemoteJobs {
public:
    // `outbox` takes what is said, and must outlive this. `run`: of the server at the other end.
    RemoteJobs(Outbox& outbox, ServerRun run);
    RemoteJobs(const RemoteJobs&) = delete;
    RemoteJobs& operator=(const RemoteJobs&) = delete;

    // Whether a request may have `after`.
    [[nodiscard]] bool knows_after() const { return run_.knows_after; }
    // False: the connection is lost, and there is no other one yet.
    [[nodiscard]] bool is_connected() const { return connected_; }
    // Asks the server to run a job, which then belongs here too until release(). Throws what make_exec() throws.
    void start(const std::shared_ptr<RemoteJob>& job);
    // The same for one job of many: a request that cannot be made is a job that failed.
    void start_or_fail(const std::shared_ptr<RemoteJob>& job);
    // Asks for a job that is there.
    void watch(const std::shared_ptr<RemoteJob>& job);
    // What the job follows has been settled, or the job is to follow nothing any more. `begins`: it is as any other from now on. Otherwise
    // it only goes on if the server has begun it already, and is `skipped` if not.
    void decide(RemoteJob& job, bool begins);
    // What the job follows has failed, so that the server never begins it.
    void skip(RemoteJob& job);
    void signal(RemoteJob& job, const std::string& name);
    void resize(RemoteJob& job, const WindowSize& size);
    // How long each goes on if this client vanishes from now on. Nothing: as long as it asked for when it was started.
    void keep(std::optional<std::chrono::seconds> duration);
    // The job's end has been taken, or is not wanted: the server ends it then.
    void release(RemoteJob& job);
    // Releases every job.
    void abandon();

    // The connection is lost: what is given here now is asked for on the next one.
    void disconnect();
    // There is another one, to `run`, on which nothing has been said of the jobs. What the outbox still has is to be forgotten before.
    void rejoin(ServerRun run);
    // There will be no other one: every job here fails with that, and each that is started later.
    void lose(const Failure& why);
    [[nodiscard]] const std::optional<Failure>& failure() const { return failure_; }

    // A message of the server, of those that come after its welcome and concern a job. Throws Error for one that must not come, or not now.
    void take(const Message& message, std::span<const std::byte> body);

    // Called when a job has been started.
    std::function<void(const RemoteJob&)> on_started = [](const RemoteJob&) {};

private:
    void ask(RemoteJob& job);
    void request(RemoteJob& job);
    void request_again(RemoteJob& job);
    void attach(RemoteJob& job);
    void rejoin(RemoteJob& job);
    bool is_over(const std::string& id);
    void say_keep();
    void say_signals(const RemoteJob& job, std::size_t known);
    // All jobs, as they were started: the server must know what others follow.
    [[nodiscard]] std::vector<std::shared_ptr<RemoteJob>> in_order() const;
    void begin(RemoteJob& job, const Attached& message);
    void take(RemoteJob& job, const ErrorMessage& message);
    void take(RemoteJob& job, const Started& message);
    void take(RemoteJob& job, const Attached& message);
    void take(RemoteJob& job, const Data& message, std::span<const std::byte> body);
    void take(RemoteJob& job, const Exit& message, std::span<const std::byte> body);
    RemoteJob* find(const std::string& id);

    Outbox& outbox_;
    ServerRun run_;
    bool connected_ = true;
    std::string client_id_;        // names this process
    std::uint64_t generation_ = 1; // of its connections
    std::optional<std::chrono::seconds> keep_;
    bool keep_said_ = false;
    std::map<std::string, std::shared_ptr<RemoteJob>, std::less<>> jobs_;
    std::uint64_t requests_ = 0;
    std::optional<Failure> failure_;
};

} // namespace rc
