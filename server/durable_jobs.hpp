// The durable jobs of a state directory, as the daemon sees them: it makes their records, starts their supervisors, finds and
// removes them. What they are is on the disk only, so nothing is lost with the daemon. Any thread may call.
// A command is told from the durable ones without looking at the disk, so one process only may make jobs in a directory: the
// daemon, which has locked it. Others see those that were there when they began.
#pragma once

#include "server/durable_index.hpp"
#include "server/job_directory.hpp"
#include "server/supervisor_process.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace rc {

// Where they are.
inline std::filesystem::path jobs_directory(const std::filesystem::path& state_dir) { return state_dir / "jobs"; }

class DurableJobs {
public:
    // `directory`: made when the first job needs it.
    DurableJobs(std::filesystem::path directory, SupervisorOptions options);

    [[nodiscard]] std::optional<JobDirectory> find(const std::string& key, const std::string& id) const;
    [[nodiscard]] std::vector<JobDirectory> of_key(const std::string& key) const;
    [[nodiscard]] std::vector<std::string> keys() const; // that have or had any

    // Makes the job and starts its supervisor; nothing happens if it is there already. `executor` is where the supervisor's end is waited for. Throws
    // Error{busy} if the jobs take all the room they may have, Error{internal}.
    JobDirectory start(const boost::asio::any_io_executor& executor, const JobRecord& record);
    // Starts the supervisor of a job that is there and has not been started, unless somebody else does.
    void resume(const boost::asio::any_io_executor& executor, const JobDirectory& job);

    // When the daemon starts: resumes what the former one left half started, and removes its leftovers.
    void recover(const boost::asio::any_io_executor& executor);
    // Removes the jobs that ended longer than `retain` ago.
    void clean(std::chrono::seconds retain);

    // By wall_clock(): a job that was asked for until then may have been removed by clean().
    [[nodiscard]] std::uint64_t removed_asked() const { return removed_asked_; }

    // Supervisors that this daemon started and that run.
    [[nodiscard]] std::size_t running() const { return running_; }
    // Those of a key that are not over, whoever started them.
    [[nodiscard]] std::size_t running(const std::string& key) const;

private:
    [[nodiscard]] std::filesystem::path path_of(const std::string& key, const std::string& id) const {
        return directory_ / key / id;
    }
    void remove(const JobDirectory& job);
    void remove_if_old(const JobDirectory& job, std::chrono::seconds retain);
    void launch(const boost::asio::any_io_executor& executor, const JobDirectory& job, const JobClaimed& claimed);

    std::filesystem::path directory_;
    SupervisorOptions options_;
    mutable DurableIndex index_; // may know jobs that are gone: a supervisor, or an administrator, may remove them
    std::atomic<std::size_t> running_{0};
    std::atomic<std::uint64_t> removed_asked_{0};
};

} // namespace rc
