#include "client/reporter.hpp"

#include "client/exit_status.hpp"
#include "client/local_io.hpp"
#include "client/terminal.hpp"
#include "common/bytes.hpp"
#include "common/described_json.hpp"
#include "common/descriptor.hpp"
#include "common/signal_name.hpp"

#include <boost/json/serialize.hpp>

#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

namespace rc {

namespace json = boost::json;

namespace {

json::value ran_value(Ran ran) {
    if (ran == Ran::unknown) return "unknown";
    return ran == Ran::yes;
}

constexpr int not_known = 255;

std::string_view ran_text(Ran ran) {
    switch (ran) {
    case Ran::no: return "the command was not started";
    case Ran::yes: return "the command was started, how it ended is unknown";
    case Ran::unknown: return "the command may have run";
    }
    return {};
}

void add_output(json::object& object, const std::string& name, const std::string& bytes) {
    if (is_utf8(bytes)) object.emplace(name, bytes);
    else object.emplace(name + "_base64", to_base64(as_bytes(bytes)));
}

void add_end(json::object& object, const Exit& exit) {
    if (exit.code) object.emplace("code", *exit.code);
    if (exit.signal) object.emplace("signal", *exit.signal);
    object.emplace("reason", to_string(exit.reason));
}

json::object error_object(const Failure& failure) { return {{"code", failure.code()}, {"message", failure.what()}}; }

std::string line_of(const json::object& object) { return json::serialize(object) + '\n'; }

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

} // namespace

void print_error(const std::string& text) {
    std::string line = "rcmd: ";
    line.append(text).append(row_end());
    write_all(STDERR_FILENO, as_bytes(line));
}

int Reporter::status_of(const Failure& failure) const {
    const bool unknown = failure.status() == not_known && failure.ran() != Ran::no;
    return unknown ? options_.unknown_status : failure.status();
}

void Reporter::note(const std::string& text) const {
    if (options_.verbose) print_error(text);
}

void Reporter::event(const json::object& event) const {
    if (options_.status_fd < 0 || events_lost_) return;
    events_.write(line_of(event));
    check_events(events_.error());
}

void Reporter::check_events(int error) const {
    if (error == 0 || std::exchange(events_lost_, true)) return;
    print_error("--status-fd " + std::to_string(options_.status_fd) + ": " + std::strerror(error) + "; events are lost");
}

bool Reporter::events_written() const {
    check_events(events_.finish());
    return !events_lost_;
}

// As any program does whose reader goes away; the server knows by now that nobody wants the job.
void Reporter::end_by_broken_pipe(const Failure& failure) const {
    if (failure.code() != "pipe") return;
    events_.finish();
    die_of(SIGPIPE);
}

void Reporter::connected(const std::string& server) const {
    note("connected to " + server + ", which knows this key");
    event({{"event", "connected"}, {"host", options_.target.host}, {"port", options_.port}});
}

void Reporter::started(const RemoteJob& job) const {
    note("job " + job.id() + " started, process " + std::to_string(job.pid));
    event({{"event", "started"}, {"job", job.id()}, {"pid", job.pid}});
}

std::string Reporter::object_of(const RemoteJob& job, const Captured& captured) const {
    json::object result{{"host", options_.target.host}, {"job", job.id()}};
    if (job.exit) add_end(result, *job.exit);
    else result.emplace("error", error_object(*job.failure));
    result.emplace("started", ran_value(job.exit ? Ran::yes : job.failure->ran()));
    add_output(result, "stdout", captured.out);
    add_output(result, "stderr", captured.err);
    const std::uint64_t sent = job.exit ? job.exit->stdin_ : 0;
    result.emplace("bytes", json::object{{"stdin", sent}, {"stdout", captured.out.size()}, {"stderr", captured.err.size()}});
    result.emplace("seconds", seconds_since(job.asked));
    return line_of(result);
}

int Reporter::finished(const RemoteJob& job) const {
    json::object report{{"event", job.exit ? "exit" : "error"}, {"job", job.id()}};
    if (job.exit) add_end(report, *job.exit);
    else
        report.insert(
            {{"code", job.failure->code()}, {"message", job.failure->what()}, {"started", ran_value(job.failure->ran())}});
    event(report);
    if (!job.exit) {
        end_by_broken_pipe(*job.failure);
        explain(*job.failure);
        return status_of(*job.failure);
    }
    warn_of_early_end(*job.exit);
    note("job " + job.id() + " ended with status " + std::to_string(exit_status(*job.exit)));
    return exit_status(*job.exit);
}

int Reporter::detached(const RemoteJob& job) const {
    if (job.ran != Ran::yes) return finished(job);
    try {
        if (options_.json) print(line_of({{"host", options_.target.host}, {"job", job.id()}, {"started", true}}));
        else print(job.id() + '\n');
    } catch (const Failure& failure) { // nobody else knows its name
        throw Failure(failure.code(), "job " + job.id() + ": " + failure.what(), failure.ran(), failure.status());
    }
    return 0;
}

void Reporter::attached(const RemoteJob& job) const {
    note("attached to job " + job.id());
    event({{"event", "attached"}, {"job", job.id()}, {"stdout", job.first_stdout}, {"stderr", job.first_stderr}});
}

int Reporter::left(const RemoteJob& job, int status) const {
    event({{"event", "left"}, {"job", job.id()}});
    const std::string how_long = job.durable ? "" : " as long as its --keep says";
    if (!options_.quiet) print_error(escape(options_.target.host) + ": left the job " + job.id() + ", which goes on" + how_long);
    return status;
}

int Reporter::unanswered(const Failure& failure) const {
    end_by_broken_pipe(failure);
    event({{"event", "error"}, {"code", failure.code()}, {"message", failure.what()}, {"started", ran_value(failure.ran())}});
    print_error(escape(options_.target.host) + ": " + failure.what());
    return failure.status();
}

int Reporter::given_up(const RemoteJob& job, const std::string& why) const {
    const Failure failure("left", why, job.ran);
    explain(failure);
    return status_of(failure);
}

void Reporter::warn_of_early_end(const Exit& exit) const {
    if (exit.signal && !signal_number(*exit.signal)) {
        print_error(escape(options_.target.host) + ": the command was ended by the signal " + escape(*exit.signal, 64) +
                    ", which this system does not have");
    }
    if (options_.quiet) return;
    if (exit.reason == ExitReason::shutdown)
        print_error(escape(options_.target.host) + ": the server is ending and has ended the command");
    if (exit.reason == ExitReason::timeout)
        print_error(escape(options_.target.host) + ": the command's time was up and it was ended");
}

int Reporter::failed(const Failure& failure) const {
    end_by_broken_pipe(failure);
    event({{"event", "error"}, {"code", failure.code()}, {"message", failure.what()}, {"started", ran_value(failure.ran())}});
    if (options_.json && failure.code() != "output") {
        print(line_of({{"host", options_.target.host}, {"error", error_object(failure)}, {"started", ran_value(failure.ran())}}));
    }
    explain(failure);
    return status_of(failure);
}

void Reporter::link_lost(const std::string& problem) const {
    event({{"event", "lost"}, {"message", problem}});
    if (!options_.quiet) print_error(escape(options_.target.host) + ": the connection was lost (" + problem + "); trying again");
}

void Reporter::link_back(Clock::duration after) const {
    const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(after).count();
    event({{"event", "resumed"}, {"milliseconds", milliseconds}});
    if (options_.quiet) return;
    const std::string tenths = std::to_string(milliseconds / 1000) + '.' + std::to_string(milliseconds / 100 % 10);
    print_error(escape(options_.target.host) + ": connected again after " + tenths + " s");
}

int Reporter::idle_link_lost(const Failure& failure) const {
    event({{"event", "error"}, {"code", failure.code()}, {"message", failure.what()}, {"started", ran_value(Ran::no)}});
    print_error(escape(options_.target.host) + ": " + failure.what() + "; no command was running");
    return failure.status();
}

void Reporter::explain(const Failure& failure) const {
    print_error(escape(options_.target.host) + ": " + failure.what() + "; " + std::string(ran_text(failure.ran())));
}

void Reporter::print(const std::string& text) const {
    const int error = write_all(STDOUT_FILENO, as_bytes(text));
    if (error == EPIPE) throw Failure("pipe", "stdout is closed", Ran::yes, 128 + SIGPIPE);
    if (error != 0) throw Failure("output", std::string("cannot write to stdout: ") + std::strerror(error), Ran::yes);
}

} // namespace rc
