// Where each job is, for connections that ask for it by its id. Any thread may call.
#pragma once

#include "common/auth.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace rc {

class Job;

// A job is touched only on its executor. `job` is not there until it has been started, which is done in one go on that executor.
struct JobPlace {
    boost::asio::any_io_executor executor;
    Digest request;      // what was asked for
    std::size_t windows; // bytes
    std::shared_ptr<std::weak_ptr<Job>> job = std::make_shared<std::weak_ptr<Job>>();
};

class JobTable {
public:
    // Reserves the id of a key for a job that is about to be started, or returns where the one is that has it. `begin` is called for a
    // fresh one before anybody else can find it: what it posts to the job's executor is there first. If it throws, nothing is reserved.
    std::optional<JobPlace> reserve(
        const std::string& key, const std::string& id, const JobPlace& place, const std::function<void()>& begin = {});
    std::optional<JobPlace> find(const std::string& key, const std::string& id) const;
    std::vector<JobPlace> of_key(const std::string& key) const;
    std::vector<std::pair<std::string, JobPlace>> all() const; // each with its key
    void remove(const std::string& key, const std::string& id);

private:
    using Name = std::pair<std::string, std::string>;
    mutable std::mutex mutex_;
    std::map<Name, JobPlace> places_;
};

// An id that is taken for a while, for a job that does not come into the table.
class JobReservation {
public:
    JobReservation(JobTable& table, std::string key, std::string id) : table_(table), key_(std::move(key)), id_(std::move(id)) {}
    ~JobReservation() { table_.remove(key_, id_); }
    JobReservation(const JobReservation&) = delete;
    JobReservation& operator=(const JobReservation&) = delete;

private:
    JobTable& table_;
    std::string key_;
    std::string id_;
};

} // namespace rc
