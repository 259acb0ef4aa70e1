// A connection's hold on a durable job: reads its output from the job's directory, at the client's pace, and speaks for the
// client to the job's supervisor as long as there is one.
#pragma once

#include "common/outbox.hpp"
#include "server/durable_jobs.hpp"
#include "server/job_client.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <functional>
#include <memory>
#include <variant>

namespace rc {

// `claim`: Exec if the client asks for the job that it starts, or has started, or Attach. All goes to `outbox` and `listener`, as with
// hold_job(). `durable` outlives every connection.
std::unique_ptr<JobHandle> view_job(DurableJobs& durable, const JobDirectory& job, const std::variant<Exec, Attach>& claim,
    const boost::asio::any_io_executor& executor, Outbox& outbox, const std::shared_ptr<JobListener>& listener);

} // namespace rc
