#include "server/start_job.hpp"

#include "server/launch_plan.hpp"
#include "server/log.hpp"
#include "server/spawn.hpp"

#include <algorithm>
#include <cstdint>
#include <utility>

namespace rc {

namespace {

constexpr std::uint64_t longest_timeout = 10ULL * 365 * 24 * 60 * 60; // seconds

std::chrono::seconds at_most(std::uint64_t wanted, std::uint64_t most) { return std::chrono::seconds(std::min(wanted, most)); }

SpawnOptions spawn_options(const JobStart& start) {
    SpawnOptions options;
    options.input = start.exec.stdin_;
    options.combine = start.exec.combine;
    options.terminal = start.exec.pty;
    options.open_files = start.open_files;
    return options;
}

JobOptions job_options(const JobStart& start) {
    const Exec& exec = start.exec;
    JobOptions options;
    options.wait_eof = exec.wait_eof;
    options.recorded = start.recorded;
    options.typed = exec.pty ? exec.pty->typed : 0;
    options.windows = windows_of(exec);
    options.most_keep = start.max_keep;
    options.keep = at_most(exec.keep, static_cast<std::uint64_t>(start.max_keep.count()));
    if (exec.timeout) options.timeout = at_most(*exec.timeout, longest_timeout);
    return options;
}

LaunchPlan plan_of(const JobStart& start) {
    return make_launch_plan(
        start.exec, start.request, start.account, {start.exec.job, start.key_id, start.address}, start.sftp_server);
}

} // namespace

void check_startable(const JobStart& start) { plan_of(start); }

std::shared_ptr<Job> start_job(const boost::asio::any_io_executor& executor, const JobStart& start) {
    const LaunchPlan plan = plan_of(start);
    JobFacts facts{start.exec.job, start.key_id, start.address, start.account.name, one_line(start.request.words), start.boot};
    auto job = std::make_shared<Job>(executor, std::move(facts), job_options(start),
        spawn(executor, plan, start.account, spawn_options(start)), start.exec.limits);
    const JobFacts& known = job->facts();
    log_event("job_started", {{"job", known.id}, {"key", known.key_id}, {"from", known.address}, {"user", known.user},
                                 {"command", known.command}, {"pid", std::to_string(job->pid())}});
    return job;
}

} // namespace rc
