// What the process of a durable job does (see supervisor_process.hpp). To its job it is the client: it takes the output, writes it to the job's
// directory, and acknowledges what has been written. The daemon's sessions that show the job to clients are its viewers: they read the
// output from the directory, and speak to it over its socket.
//
// On that socket: a viewer says `exec` (without a body: the client that asks for a job that it starts, or has started) or `attach`, and is
// answered by `started` or `attached`, or `error`; then `data`, `eof`, `signal`, `resize`, `keep`, `release` and `ack` as from a client. It
// hears `ack` and `stop` of stdin; and `ack` of stdout and stderr: so much has been written to the spool. The end of the connection says
// that the job has ended: how is in the directory. `jobs` and `kill` need no `attach`.
#pragma once

#include "server/job_directory.hpp"
#include "server/supervisor_process.hpp"

namespace rc {

// Starts the job, or says on `listener`, a listening socket, why it cannot be started; returns when the job has ended. Throws what
// JobDirectory::record() throws.
void supervise_job(const SupervisorOptions& options, const JobDirectory& directory, int listener);

} // namespace rc
