// Everything the client says beside the command's output: errors and notes on stderr, events on --status-fd, the object of --json.
#pragma once

#include "client/line_writer.hpp"
#include "client/options.hpp"
#include "client/remote_job.hpp"

#include <boost/json/object.hpp>

#include <string>

namespace rc {

// The output of one job, held for --json.
struct Captured {
    std::string out;
    std::string err;
};

class Reporter {
public:
    explicit Reporter(const ClientOptions& options) : options_(options), events_(options.status_fd) {}

    void connected(const std::string& server) const;
    void started(const RemoteJob& job) const;
    // For --json: what is to be told of a job that is over, a line.
    [[nodiscard]] std::string object_of(const RemoteJob& job, const Captured& captured) const;
    // The job is over: its event, the line on stderr if it failed. Returns the exit status.
    int finished(const RemoteJob& job) const;
    // A job that needs no client any more, or that could not be started: its id on stdout. Returns the exit status.
    int detached(const RemoteJob& job) const;
    // A job that was there has been found.
    void attached(const RemoteJob& job) const;
    // It was left alone, before it was over. Returns `status`.
    int left(const RemoteJob& job, int status) const;
    // It is not waited for any longer: a line on stderr says `why`, and nothing else is written, where a write might wait for its reader.
    int given_up(const RemoteJob& job, const std::string& why) const;
    // A question about jobs has no answer. Returns the exit status.
    int unanswered(const Failure& failure) const;
    // Text for stdout. Throws Failure if it cannot be written.
    void print(const std::string& text) const;
    // There never was a job.
    int failed(const Failure& failure) const;
    // The connection was lost and another one is tried; it is there.
    void link_lost(const std::string& problem) const;
    void link_back(Clock::duration after) const;
    // The link was lost for good while no job was on it. Returns the exit status.
    int idle_link_lost(const Failure& failure) const;
    // --status-fd is not read as quickly as events come: no more should be caused.
    [[nodiscard]] bool many_events_wait() const { return events_.keeps_many(); }
    // Waits until all events have been written, as long as that takes. False: --status-fd could not be written, which has been said.
    [[nodiscard]] bool events_written() const;

private:
    [[nodiscard]] int status_of(const Failure& failure) const;
    void note(const std::string& text) const; // with -v
    void event(const boost::json::object& event) const;
    void check_events(int error) const;
    void end_by_broken_pipe(const Failure& failure) const;
    void explain(const Failure& failure) const;
    void warn_of_early_end(const Exit& exit) const;

    const ClientOptions& options_;
    mutable LineWriter events_;
    mutable bool events_lost_ = false;
};

// `rcmd: TEXT` on stderr, as one write.
void print_error(const std::string& text);

} // namespace rc
