// What the local administrator asks about the jobs of all keys.
#pragma once

#include "common/async.hpp"
#include "server/durable_jobs.hpp"
#include "server/job_table.hpp"

#include <boost/describe/class.hpp>

#include <string>

namespace rc {

// Which jobs there are, or, with a signal, that it be sent to one of them.
struct ControlRequest {
    bool json = false;
    std::string signal; // without SIG; empty: list them
    std::string key;
    std::string job; // empty: all of the key
};
BOOST_DESCRIBE_STRUCT(ControlRequest, (), (json, signal, key, job))

// `table`: of the daemon; null: there is none, and only durable jobs are. Returns what is to be printed. Throws Error{no_such_job,
// bad_message, internal}.
asio::awaitable<std::string> control_jobs(const ControlRequest& request, const JobTable* table, const DurableJobs& durable);

} // namespace rc
