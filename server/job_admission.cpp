#include "server/job_admission.hpp"

#include "server/durable_jobs.hpp"
#include "server/resident_job.hpp"

#include <algorithm>
#include <utility>

namespace rc {

namespace {

// Those on the disk are counted only if that could matter.
std::size_t most_ordinary_jobs(Service& service, const KeyHolder& holder) {
    const std::size_t most = most_jobs(service, holder);
    if (most >= service.options.max_jobs) return most;
    return most - std::min(most, service.durable_jobs.running(holder.key_id()));
}

void require_fresh(JobIds::Answer answer) {
    switch (answer) {
    case JobIds::Answer::fresh: return;
    case JobIds::Answer::known: throw Error(ErrorCode::conflict, "the job id has been used");
    case JobIds::Answer::expired: throw Error(ErrorCode::expired, "the job id is older than this server remembers");
    }
}

} // namespace

void check_room(const Service& service) {
    if (service.stopping) throw server_is_ending();
    if (service.jobs + service.kept_results + service.durable_jobs.running() >= service.options.max_jobs)
        throw Error(ErrorCode::busy, "the server has as many jobs as it may have");
}

std::size_t most_jobs(const Service& service, const KeyHolder& holder) {
    return std::min(holder.options().max_jobs.value_or(service.options.max_jobs), service.options.max_jobs_per_key);
}

JobSlots::Slot take_slot(Service& service, const KeyHolder& holder) {
    if (auto slot = service.job_slots.take(holder.key_id(), most_ordinary_jobs(service, holder))) return std::move(*slot);
    throw Error(ErrorCode::busy, "this key has as many jobs as it may have");
}

void check_not_removed(Service& service, const Exec& exec) {
    const std::uint64_t now = service.uptime();
    const std::uint64_t made = wall_clock() - (now - std::min(now, exec.uptime));
    if (exec.boot == service.boot && made <= service.durable_jobs.removed_asked())
        throw Error(ErrorCode::expired, "the request is older than jobs that have been removed");
}

void check_not_begun(Service& service, const KeyHolder& holder, const Exec& exec) {
    if (exec.boot != service.boot) throw Error(ErrorCode::restarted, "the server has been restarted since the request was made");
    require_fresh(service.job_ids.look(holder.key_id(), exec.job, exec.uptime));
}

void admit_id(Service& service, const KeyHolder& holder, const Exec& exec) {
    require_fresh(service.job_ids.admit(holder.key_id(), exec.job, exec.uptime, service.uptime()));
}

} // namespace rc
