// What a connection may ask about the jobs of its key without being attached to them.
#pragma once

#include "common/async.hpp"
#include "common/job_listing.hpp"
#include "common/message.hpp"
#include "server/durable_jobs.hpp"
#include "server/job_table.hpp"

#include <optional>
#include <string>

namespace rc {

// Nothing if the job has gone meanwhile.
asio::awaitable<std::optional<ListedJob>> list_job(JobPlace place);
// Its supervisor has until `deadline` to say more than the disk does.
asio::awaitable<std::optional<ListedJob>> list_job(JobDirectory job, Clock::time_point deadline);

// Sends a signal. Throws Error{no_such_job} if the job has ended, Error{bad_message} if it is no signal, Error{internal} if
// nobody says whether it was sent.
asio::awaitable<void> kill_job(JobPlace place, std::string signal);
asio::awaitable<void> kill_job(JobDirectory job, std::string signal);

} // namespace rc
