// A connection's hold on a job, wherever the job lives: each job belongs to one thread, each connection to one.
#pragma once

#include "common/error.hpp"
#include "common/outbox.hpp"
#include "server/job.hpp"
#include "server/succession.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <atomic>
#include <functional>
#include <memory>
#include <span>
#include <string>

namespace rc {

// What a connection hears of the jobs it holds, called on its thread. It belongs to the connection, which empties it at its end.
struct JobListener {
    // Whole frames for the client. `taken` is to be called when there is room for more.
    std::function<void(const std::string& frames, std::function<void()> taken)> on_frames;
    // Not of durable jobs. Said before the frames that say so to the client.
    std::function<void(const std::string& job, const Predecessor& end)> on_ended;
    // The job is held no longer: another connection has taken it (`stale`: a later one of the same client), ...
    std::function<void(const std::string& job, bool stale)> on_replaced;
    // ... or it refuses what the client said.
    std::function<void(const std::string& job, const Error& error)> on_refused;
};

// Destroyed, it leaves the job to linger.
class JobHandle {
public:
    virtual ~JobHandle() = default;
    // Throws what Job::take() throws, or lets on_refused know.
    virtual void take(const JobMessage& message, std::span<const std::byte> body) = 0;
    // The client is done with it. The last call.
    virtual void release() = 0;
};

// Of a job that lives on this thread, `here`. Its answer and all it says goes to `outbox`. Throws what Job::attach() throws.
std::unique_ptr<JobHandle> hold_job(const boost::asio::any_io_executor& here, const std::shared_ptr<Job>& job,
    const JobClaim& claim, Outbox& outbox, const std::shared_ptr<JobListener>& listener);

// Finds a job on its thread, or starts it there. Throws Error for on_refused.
using GetJob = std::function<std::shared_ptr<Job>()>;

// Of a job that lives, or will live, on another thread, `there`, or on this one behind what is queued; `executor`: this one's. `ended`: of the
// service; no thread runs any more.
std::unique_ptr<JobHandle> hold_distant_job(const boost::asio::any_io_executor& there, const GetJob& get, const JobClaim& claim,
    const boost::asio::any_io_executor& executor, const std::shared_ptr<JobListener>& listener, const std::atomic<bool>& ended);

} // namespace rc
