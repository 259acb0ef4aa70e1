// Looks after the durable jobs of the past, on a thread of its own: removing gigabytes takes a disk its time.
#pragma once

#include "server/durable_jobs.hpp"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace rc {

class Housekeeper {
public:
    // `durable` outlives this object. `retain`: see DurableJobs::clean().
    Housekeeper(DurableJobs& durable, std::chrono::seconds retain);
    ~Housekeeper();
    Housekeeper(const Housekeeper&) = delete;
    Housekeeper& operator=(const Housekeeper&) = delete;

private:
    void run();

    DurableJobs& durable_;
    std::chrono::seconds retain_;
    std::mutex mutex_;
    std::condition_variable ending_changed_;
    bool ending_ = false;
    std::thread thread_;
};

} // namespace rc
