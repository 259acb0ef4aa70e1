// What all threads of the server share.
#pragma once

#include "common/auth.hpp"
#include "common/identity.hpp"
#include "server/admission.hpp"
#include "server/durable_jobs.hpp"
#include "server/job_ids.hpp"
#include "server/job_slots.hpp"
#include "server/job_table.hpp"
#include "server/key_store.hpp"
#include "server/options.hpp"
#include "server/residents.hpp"

#include <boost/asio/ssl/context.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <sys/resource.h>

namespace rc {

// Made before the threads start, destroyed after they have ended. What is not const may be used from any thread.
struct Service {
    Service(const ServerOptions& options, const Secret& decoy_secret, const Identity& identity, const rlimit& open_files);

    const ServerOptions& options;
    const Secret decoy_secret;
    const rlimit open_files; // the limit that the daemon was started with, for its children
    const std::string boot;  // names this run
    KeyStore keys;
    Admission admission;
    JobSlots job_slots;
    JobIds job_ids{remembered_jobs};
    JobTable job_table;
    DurableJobs durable_jobs;
    boost::asio::ssl::context tls;
    std::vector<Home> homes; // of all workers; complete before the first session

    std::atomic<bool> stopping{false}; // no new jobs
    std::atomic<bool> ended{false};    // no thread runs any more
    std::atomic<std::size_t> sessions{0};
    std::atomic<std::size_t> jobs{0};
    std::atomic<std::size_t> kept_results{0}; // of jobs that have ended, for clients that have vanished
    // Called, on any thread, when a session or a job has ended while the service is stopping.
    std::function<void()> on_end = [] {};

    // Milliseconds since the start of this run.
    [[nodiscard]] std::uint64_t uptime() const;

private:
    std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
};

// Counts a session or a job for as long as it lives.
class Counted {
public:
    Counted(Service& service, std::atomic<std::size_t>& counter) : service_(service), counter_(counter) { ++counter_; }
    ~Counted() {
        --counter_;
        if (service_.stopping) service_.on_end();
    }
    Counted(const Counted&) = delete;
    Counted& operator=(const Counted&) = delete;

private:
    Service& service_;
    std::atomic<std::size_t>& counter_;
};

} // namespace rc
