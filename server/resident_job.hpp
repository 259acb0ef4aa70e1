// A job on the books: of its thread, of its key, and of the server.
#pragma once

#include "common/error.hpp"
#include "server/job_table.hpp"
#include "server/residents.hpp"
#include "server/service.hpp"
#include "server/start_job.hpp"

#include <memory>

namespace rc {

// What a job counts for: from its request on until it is finished, and while its result is kept for nobody in particular.
struct JobBudget {
    JobSlots::Slot slot;
    Counted counted;
};

// The answer to requests that come too late.
Error server_is_ending();

// On the job's thread, `home`, for whoever asked for it to attach in the same go: it runs from the next go on, and is in the job table until its
// result is not kept any more. Throws server_is_ending() and what start_job() throws; its id is free then.
std::shared_ptr<Job> start_resident_job(
    const Home& home, const JobPlace& place, const JobStart& wanted, const std::shared_ptr<JobBudget>& budget, Service& service);

} // namespace rc
