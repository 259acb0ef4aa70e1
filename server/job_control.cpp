#include "server/job_control.hpp"

#include "common/bytes.hpp"
#include "common/signal_name.hpp"
#include "server/job_queries.hpp"

#include <optional>
#include <utility>
#include <vector>

namespace rc {

namespace {

constexpr std::chrono::seconds patience{5}; // with all supervisors together

void add(std::vector<ListedJob>& jobs, const std::string& key, std::optional<ListedJob> job) {
    if (!job) return;
    job->key = key;
    jobs.push_back(std::move(*job));
}

asio::awaitable<std::vector<ListedJob>> list(const JobTable* table, const DurableJobs& durable) {
    std::vector<ListedJob> jobs;
    std::vector<std::pair<std::string, JobPlace>> places;
    if (table != nullptr) places = table->all();
    for (const auto& [key, place] : places) {
        auto job = co_await list_job(place);
        add(jobs, key, std::move(job));
    }
    const auto deadline = Clock::now() + patience;
    for (const std::string& key : durable.keys()) {
        for (const JobDirectory& directory : durable.of_key(key)) {
            auto job = co_await list_job(directory, deadline);
            add(jobs, key, std::move(job));
        }
    }
    co_return jobs;
}

// Those that have not ended.
asio::awaitable<std::vector<std::string>> running(const JobTable* table, const DurableJobs& durable, const std::string& key) {
    std::vector<std::string> ids;
    for (const ListedJob& job : co_await list(table, durable)) {
        const bool over = job.facts.state == Standing::finished || job.facts.state == Standing::unknown;
        if (job.key == key && !over) ids.push_back(job.facts.job);
    }
    co_return ids;
}

asio::awaitable<void> kill(
    const ControlRequest& request, const std::string& id, const JobTable* table, const DurableJobs& durable) {
    const auto place = table != nullptr ? table->find(request.key, id) : std::nullopt;
    const auto directory = place ? std::nullopt : durable.find(request.key, id);
    if (!place && !directory)
        throw Error(ErrorCode::no_such_job, "there is no job " + escape(id, 64) + " of the key " + escape(request.key, 64));
    if (place) co_await kill_job(*place, request.signal);
    else co_await kill_job(*directory, request.signal);
}

} // namespace

asio::awaitable<std::string> control_jobs(const ControlRequest& request, const JobTable* table, const DurableJobs& durable) {
    if (request.signal.empty()) {
        const std::vector<ListedJob> jobs = co_await list(table, durable);
        co_return request.json ? json_of(jobs) : table_of(jobs);
    }
    if (!signal_number(request.signal)) throw Error(ErrorCode::bad_message, escape(request.signal, 64) + " is no signal");
    std::vector<std::string> ids{request.job};
    if (request.job.empty()) ids = co_await running(table, durable, request.key);
    if (ids.empty()) throw Error(ErrorCode::no_such_job, "the key " + escape(request.key, 64) + " has no job that runs");
    for (const std::string& id : ids) co_await kill(request, id, table, durable);
    co_return std::string();
}

} // namespace rc
