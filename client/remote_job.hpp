// The client's end of a job.
#pragma once

#include "client/failure.hpp"
#include "common/async.hpp"
#include "common/job_streams.hpp"
#include "common/message.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace rc {

// Where to begin with the output of a job that is there.
struct Watch {
    std::optional<std::uint64_t> stdout_; // offsets; absent: the oldest byte kept
    std::optional<std::uint64_t> stderr_;
    bool tail = false; // where it ends now
};

// What to run; or, with `watch`, what to show.
struct JobRequest {
    std::string id;                 // empty: a new one
    std::optional<Watch> watch;     // of the job `id`, of which only what stands here is known
    bool durable = false;           // it survives the server
    bool detach = false;            // it needs no client
    std::vector<std::string> words; // joined by blanks for the remote shell; in the other modes as they stand
    ExecMode mode = ExecMode::shell;
    std::string directory;                // empty: the remote home
    std::vector<std::string> environment; // NAME=VALUE
    bool input = false;                   // bytes will be sent to its stdin
    bool combine = false;
    bool wait_eof = false;
    std::optional<std::chrono::seconds> timeout;
    std::chrono::seconds keep{60}; // how long it goes on if this client vanishes
    std::optional<Pty> pty;
    bool state = false;                    // the state at its end is wanted
    std::optional<std::uint64_t> umask;    // directory and environment are a state that an earlier command ended with
    std::uint64_t window = limits::window; // bytes of each output stream that may wait here
};

// Filled by RemoteJobs as the server's messages come in; whoever uses it waits for the events, each of which has one waiter.
// It is over when either `exit` or `failure` is set; then nothing more comes in.
struct RemoteJob {
    RemoteJob(const asio::any_io_executor& executor, JobRequest what);

    [[nodiscard]] const std::string& id() const { return streams.job(); }
    [[nodiscard]] bool over() const { return exit || failure; }
    // Sets `failure` unless it is over already, and wakes all.
    void fail(const Failure& why);
    // This side lost some of its input or output: whatever end the job has come to, it failed.
    void fail_here(const Failure& why);
    void wake();

    JobRequest request;
    JobStreams streams;
    Ran ran = Ran::no; // unknown from when the request is handed over for sending
    std::uint64_t pid{};
    bool durable;                   // it will be there after a restart of the server, too; or, until it is attached to, may be
    std::uint64_t first_stdout = 0; // where its output begins, for this client
    std::uint64_t first_stderr = 0;
    std::vector<std::string> signals; // sent so far, by name
    std::uint64_t number{};           // counts the requests of its RemoteJobs
    std::optional<After> after;       // what its request follows, until that has been settled: see RemoteJobs::decide()
    bool only_if_begun = false;
    bool held_back = false; // the server does not have it: what it follows has ended, but is not settled yet
    std::string boot;       // of the server, and its clock, before the job was first asked for
    std::uint64_t uptime{};
    Clock::time_point asked = Clock::now();
    std::optional<Exit> exit;
    std::string state; // exit's body
    std::optional<Failure> failure;

    Event output; // stdout has bytes or has ended
    Event error;  // likewise stderr
    Event input;  // stdin may be sent further
    Event end;    // it is over
};

// The messages of a request: header and body. Throws Failure{too_large} (126) if the body is over its limit, Failure{usage} for a NUL
// in a command.
struct ExecFrame {
    Exec header;
    std::string body;
};
ExecFrame make_exec(const RemoteJob& job);

} // namespace rc
