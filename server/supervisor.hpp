// The process that runs one durable job, and outlives the daemon: this same program, started in another mode. To its job it is the
// client: it takes the output, writes it to the job's directory, and acknowledges what has been written. The daemon's sessions
// that show the job to clients are its viewers: they read the output from the directory, and speak to it over its socket.
//
// On that socket: a viewer says `exec` (without a body: the client that asks for a job that it starts, or has started) or `attach`, and is
// answered by `started` or `attached`, or `error`; then `data`, `eof`, `signal`, `resize`, `keep`, `release` and `ack` as from a client. It
// hears `ack` and `stop` of stdin; and `ack` of stdout and stderr: so much has been written to the spool. The end of the connection says
// that the job has ended: how is in the directory. `jobs` and `kill` need no `attach`.
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
