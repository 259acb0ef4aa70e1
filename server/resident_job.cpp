#include "server/resident_job.hpp"

#include "server/job.hpp"
#include "server/log.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>

#include <exception>
#include <memory>
#include <utility>

namespace rc {

namespace asio = boost::asio;

namespace {

// Keeps a job alive until it is finished.
asio::awaitable<void> run_job(std::shared_ptr<Job> job, std::shared_ptr<JobBudget>) {
    try {
        co_await job->run();
    } catch (const std::exception& error) {
        const JobFacts& facts = job->facts();
        log_warning("job_failed", {{"job", facts.id}, {"key", facts.key_id}, {"from", facts.address}, {"problem", error.what()}});
    }
}

// On the books of its thread as long as this lives.
class Resident {
public:
    Resident(Residents& residents, Job& job) : residents_(residents), job_(job) { residents_.jobs.insert(&job_); }
    ~Resident() { residents_.jobs.erase(&job_); }
    Resident(const Resident&) = delete;
    Resident& operator=(const Resident&) = delete;

private:
    Residents& residents_;
    Job& job_;
};

// A client that has vanished may never come for it: so long the result takes a place among the jobs.
asio::awaitable<void> keep_result(std::shared_ptr<Job> job, Service& service) {
    while (job->result_wanted()) {
        std::unique_ptr<JobBudget> budget;
        if (!job->has_client())
            budget.reset(new JobBudget{service.job_slots.add(job->facts().key_id), Counted(service, service.kept_results)});
        co_await job->claim_change();
    }
}

asio::awaitable<void> run_and_keep_job(
    std::shared_ptr<Job> job, std::shared_ptr<JobBudget> budget, Service& service, std::shared_ptr<Resident>) {
    co_await run_job(job, std::move(budget));
    co_await keep_result(job, service);
    service.job_table.remove(job->facts().key_id, job->facts().id);
}

} // namespace

Error server_is_ending() { return {ErrorCode::shutdown, "the server is ending and starts nothing any more"}; }

std::shared_ptr<Job> start_resident_job(
    const Home& home, const JobPlace& place, const JobStart& wanted, const std::shared_ptr<JobBudget>& budget, Service& service) {
    try {
        if (service.stopping) throw server_is_ending();
        auto job = start_job(home.executor, wanted);
        *place.job = job;
        const auto resident =
            std::make_shared<Resident>(home.residents, *job); // from now on, or a server that is ending would overlook it
        asio::post(home.executor, [home, job, budget, resident, &service] {
            asio::co_spawn(home.executor, run_and_keep_job(job, budget, service, resident), asio::detached);
        });
        return job;
    } catch (...) {
        service.job_table.remove(wanted.key_id, wanted.exec.job);
        throw;
    }
}

} // namespace rc
