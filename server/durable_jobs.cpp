#include "server/durable_jobs.hpp"

#include "common/async.hpp"
#include "common/codec.hpp"
#include "common/files.hpp"
#include "server/log.hpp"
#include "server/spool.hpp"

#include <boost/asio/detached.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <utility>

namespace rc {

namespace fs = std::filesystem;

namespace {

constexpr std::chrono::seconds retry_pause{1};
// Longer than any client repeats a request whose answer it has not seen.
constexpr std::chrono::seconds repeating{60};

void reap(pid_t pid) {
    while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
}

asio::awaitable<void> await_end(pid_t pid, std::atomic<std::size_t>& running) {
    asio::posix::stream_descriptor notice(co_await asio::this_coro::executor);
    while (!notice.is_open()) {
        const int fd = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
        if (fd >= 0) notice.assign(fd);
        else co_await sleep_for(retry_pause); // no descriptor is left
    }
    co_await notice.async_wait(asio::posix::stream_descriptor::wait_read, asio::use_awaitable);
    reap(pid);
    --running;
}

// Seconds since that file was written.
std::int64_t age_of(const fs::path& file) {
    struct stat status {};
    return ::stat(file.c_str(), &status) == 0 ? std::time(nullptr) - status.st_mtime : -1;
}

bool is_over(JobPhase phase) { return phase == JobPhase::finished || phase == JobPhase::unknown; }

} // namespace

DurableJobs::DurableJobs(fs::path directory, SupervisorOptions options)
    : directory_(std::move(directory)), options_(std::move(options)) {
    for (const std::string& key : keys()) {
        for (const JobDirectory& job : of_key(key)) index_.add(key, job.id());
    }
}

std::optional<JobDirectory> DurableJobs::find(const std::string& key, const std::string& id) const {
    if (!index_.contains(key, id)) return std::nullopt;
    const JobDirectory job(path_of(key, id));
    return job.phase() != JobPhase::missing ? std::optional(job) : std::nullopt;
}

std::vector<std::string> DurableJobs::keys() const {
    std::vector<std::string> keys;
    for (const fs::path& entry : entries_of(directory_)) {
        if (valid_key_id(entry.filename().string())) keys.push_back(entry.filename().string());
    }
    return keys;
}

std::vector<JobDirectory> DurableJobs::of_key(const std::string& key) const {
    std::vector<JobDirectory> jobs;
    for (const fs::path& entry : entries_of(directory_ / key)) {
        const JobDirectory job(entry);
        if (valid_job_id(job.id()) && job.phase() != JobPhase::missing) jobs.push_back(job);
    }
    return jobs;
}

std::size_t DurableJobs::running(const std::string& key) const {
    std::size_t count = 0;
    for (const std::string& id : index_.open(key)) {
        const JobPhase phase = JobDirectory(path_of(key, id)).phase();
        if (phase == JobPhase::missing) index_.remove(key, id);
        else if (is_over(phase)) index_.end(key, id);
        else ++count;
    }
    return count;
}

JobDirectory DurableJobs::start(const asio::any_io_executor& executor, const JobRecord& record) {
    const std::uint64_t used = spooled_bytes(directory_);
    if (used >= options_.max_state) {
        throw Error(ErrorCode::busy,
            "the kept jobs take " + std::to_string(used) +
                " bytes, which is all that this server gives them; it needs a larger --max-state, or a shorter --retain");
    }
    JobDirectory job(path_of(record.key_id, record.exec.job));
    const auto claimed = JobDirectory::create(job.path(), record);
    index_.add(record.key_id, job.id());
    try {
        if (claimed) launch(executor, job, *claimed);
    } catch (const Error&) { // or the next daemon would start it
        remove(job);
        throw;
    }
    return job;
}

void DurableJobs::remove(const JobDirectory& job) {
    job.remove();
    index_.remove(job.path().parent_path().filename().string(), job.id());
}

void DurableJobs::resume(const asio::any_io_executor& executor, const JobDirectory& job) {
    if (const auto claimed = job.claim()) launch(executor, job, *claimed);
}

void DurableJobs::launch(const asio::any_io_executor& executor, const JobDirectory& job, const JobClaimed& claimed) {
    const pid_t pid = start_supervisor(job, claimed, options_);
    ++running_;
    asio::co_spawn(executor, await_end(pid, running_), asio::detached);
}

void DurableJobs::recover(const asio::any_io_executor& executor) {
    for (const fs::path& key : entries_of(directory_)) {
        for (const fs::path& entry : entries_of(key)) {
            const JobDirectory job(entry);
            std::error_code ignored;
            if (is_leftover(entry)) fs::remove_all(entry, ignored);
            if (!valid_job_id(job.id()) || job.phase() != JobPhase::startable) continue;
            try {
                static_cast<void>(job.record()); // what is damaged was not started, and will not be
                resume(executor, job);
            } catch (const Error& error) {
                log_warning("job_refused", {{"job", job.id()}, {"key", key.filename().string()}, {"problem", error.what()}});
            }
        }
    }
}

void DurableJobs::remove_if_old(const JobDirectory& job, std::chrono::seconds retain) {
    try {
        const std::int64_t age = age_of(job.path() / (job.phase() == JobPhase::finished ? "end" : "starting"));
        if (age <= retain.count()) return;
        const JobRecord record = job.record();
        const auto most = static_cast<std::uint64_t>(options_.max_keep.count());
        const auto keep = static_cast<std::int64_t>(std::min(record.exec.keep, most));
        if (age <= keep + repeating.count()) return;
        const auto claimed = job.claim();
        if (!claimed) return;
        removed_asked_ = std::max<std::uint64_t>(removed_asked_, record.asked);
        remove(job);
    } catch (const Error&) { // damaged: it stays for somebody to look at
    }
}

void DurableJobs::clean(std::chrono::seconds retain) {
    for (const fs::path& key : entries_of(directory_)) {
        for (const fs::path& entry : entries_of(key)) {
            const JobDirectory job(entry);
            if (valid_job_id(job.id()) && is_over(job.phase())) remove_if_old(job, retain);
        }
    }
}

} // namespace rc
