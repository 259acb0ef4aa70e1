// The process that runs one durable job, and outlives the daemon: this same program, started in another mode. It inherits the job's lock and the
// socket at which the daemon finds it.
#pragma once

#include "server/job_directory.hpp"
#include "server/log.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include <sys/resource.h>
#include <sys/types.h>

namespace rc {

inline constexpr std::string_view supervise_verb = "supervise";

struct SupervisorOptions {
    std::uint64_t max_spool{}; // bytes of one job's output
    std::uint64_t max_state{}; // bytes of all jobs' output
    std::chrono::seconds max_keep{};
    rlim_t open_files{}; // the soft limit that the daemon was started with, for the command
    LogOptions log;
};

// Starts it for a job whose claim it inherits. Returns its process, a child of this one, to be waited for. Throws Error{internal}.
pid_t start_supervisor(const JobDirectory& directory, const JobClaimed& claimed, const SupervisorOptions& options);

// Does the work of that process. `argc` and `argv` are those of main(). Returns its exit status.
int supervise(int argc, char** argv);

} // namespace rc
