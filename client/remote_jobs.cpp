#include "client/remote_jobs.hpp"

#include "client/exit_status.hpp"
#include "common/auth.hpp"
#include "common/bytes.hpp"
#include "common/codec.hpp"

#include <algorithm>
#include <utility>
#include <variant>

namespace rc {

namespace {

// It was given here while there was no connection.
bool is_unasked(const RemoteJob& job) { return job.ran == Ran::no && !job.request.watch; }

} // namespace

RemoteJobs::RemoteJobs(Outbox& outbox, ServerRun run)
    : outbox_(outbox), run_(std::move(run)), client_id_(to_hex(make_random<Salt>())) {}

void RemoteJobs::start(const std::shared_ptr<RemoteJob>& job) {
    job->number = ++requests_;
    if (!connected_) static_cast<void>(make_exec(*job)); // throws what is wrong with it; it is asked for on the next connection
    else ask(*job);
    jobs_.emplace(job->id(), job);
    if (failure_) lose(*failure_);
}

// For the first time.
void RemoteJobs::ask(RemoteJob& job) {
    job.boot = run_.boot;
    job.uptime = run_.uptime;
    request(job); // throws before anything is queued
    job.ran = Ran::unknown;
}

void RemoteJobs::watch(const std::shared_ptr<RemoteJob>& job) {
    job->boot = run_.boot;
    attach(*job);
    jobs_.emplace(job->id(), job);
    if (failure_) lose(*failure_);
}

void RemoteJobs::start_or_fail(const std::shared_ptr<RemoteJob>& job) {
    try {
        start(job);
    } catch (const Failure& failure) {
        job->fail(failure);
    }
}

void RemoteJobs::decide(RemoteJob& job, bool begins) {
    if (!job.after) return;
    job.only_if_begun = !begins;
    if (begins) job.after.reset();
    else job.after->success = true;
    if (std::exchange(job.held_back, false) && !job.over()) request_again(job);
}

void RemoteJobs::skip(RemoteJob& job) {
    job.fail(Failure("skipped", "the command before it did not end well", Ran::no));
    release(job);
}

void RemoteJobs::signal(RemoteJob& job, const std::string& name) {
    if (is_unasked(job)) return job.fail(Failure("left", "a signal came before there was a connection again", Ran::no));
    job.signals.push_back(name);
    say_signals(job, job.signals.size() - 1);
}

void RemoteJobs::resize(RemoteJob& job, const WindowSize& size) {
    if (!job.request.pty) return;
    job.request.pty->rows = size.rows;
    job.request.pty->columns = size.columns;
    Resize message;
    message.job = job.id();
    message.rows = size.rows;
    message.columns = size.columns;
    outbox_.push(message);
}

// One that waits for another's end must not begin by that one's release.
void RemoteJobs::abandon() {
    auto jobs = in_order();
    std::reverse(jobs.begin(), jobs.end());
    for (const auto& job : jobs) {
        job->fail(Failure("left", "the client has given up the job", job->ran));
        release(*job);
    }
}

void RemoteJobs::release(RemoteJob& job) {
    outbox_.remove(job.streams);
    Release message;
    message.job = job.id();
    outbox_.push(message);
    jobs_.erase(job.id());
}

void RemoteJobs::request(RemoteJob& job) {
    ExecFrame frame = make_exec(job);
    frame.header.boot = job.boot;
    frame.header.uptime = job.uptime;
    frame.header.client = client_id_;
    frame.header.generation = generation_;
    if (!knows_after()) frame.header.after.reset(); // and is another run of the server, which does not execute it
    outbox_.push(frame.header, frame.body);
    outbox_.add(job.streams);
}

void RemoteJobs::attach(RemoteJob& job) {
    Attach message;
    message.job = job.id();
    message.client = client_id_;
    message.generation = generation_;
    const RecvStream* out = job.streams.receiver(StreamName::stdout_);
    const RecvStream* error = job.streams.receiver(StreamName::stderr_);
    if (out != nullptr) {
        message.stdout_ = out->received();
        if (error != nullptr) message.stderr_ = error->received();
        message.limits = OutputLimits{out->limit(), error != nullptr ? error->limit() : 0};
    } else if (job.request.watch) {
        message.stdout_ = job.request.watch->stdout_;
        message.stderr_ = job.request.watch->stderr_;
        message.tail = job.request.watch->tail;
    }
    if (job.request.pty) message.pty = WindowSize{job.request.pty->rows, job.request.pty->columns};
    outbox_.push(message);
}

void RemoteJobs::say_signals(const RemoteJob& job, std::size_t known) {
    for (std::size_t index = known; index < job.signals.size(); ++index) {
        Signal message;
        message.job = job.id();
        message.number = index + 1;
        message.name = job.signals[index];
        outbox_.push(message);
    }
}

void RemoteJobs::keep(std::optional<std::chrono::seconds> duration) {
    keep_ = duration;
    keep_said_ = true;
    say_keep();
}

void RemoteJobs::say_keep() {
    for (const auto& [id, job] : jobs_) {
        if (job->request.watch) continue; // that is for whoever started it to say
        Keep message;
        message.job = id;
        message.seconds = static_cast<std::uint64_t>(keep_.value_or(job->request.keep).count());
        outbox_.push(message);
    }
}

// What was queued and lost is made anew from what the jobs are.
void RemoteJobs::rejoin(ServerRun run) {
    ++generation_;
    run_ = std::move(run);
    connected_ = true;
    auto jobs = in_order();
    // As long as the server does not know what these follow, it starts none of them.
    std::stable_partition(jobs.begin(), jobs.end(), [](const auto& job) { return job->only_if_begun; });
    for (const auto& job : jobs) {
        if (!job->over()) rejoin(*job);
    }
    if (keep_said_) say_keep();
}

void RemoteJobs::rejoin(RemoteJob& job) {
    job.streams.resume();
    const bool may_be_there = job.durable || job.boot == run_.boot;
    if (!job.request.watch && job.ran != Ran::yes) {
        job.held_back = job.after && !job.only_if_begun && is_over(job.after->job);
        if (!job.held_back) request_again(job);
    } else if (may_be_there) {
        attach(job);
    } else {
        job.fail(Failure("restarted", "the server has been restarted and does not know the job any more", Ran::yes));
    }
}

void RemoteJobs::request_again(RemoteJob& job) {
    if (is_unasked(job)) ask(job);
    else request(job);
    say_signals(job, 0);
}

bool RemoteJobs::is_over(const std::string& id) {
    const RemoteJob* job = find(id);
    return job == nullptr || job->over();
}

std::vector<std::shared_ptr<RemoteJob>> RemoteJobs::in_order() const {
    std::vector<std::shared_ptr<RemoteJob>> jobs;
    for (const auto& [id, job] : jobs_) jobs.push_back(job);
    std::ranges::sort(jobs, {}, [](const auto& job) { return job->number; });
    return jobs;
}

void RemoteJobs::disconnect() { connected_ = false; }

void RemoteJobs::lose(const Failure& why) {
    failure_ = why;
    for (const auto& [id, job] : jobs_) {
        const Ran ran = job->ran == Ran::yes || is_unasked(*job) ? job->ran : why.ran();
        job->fail(Failure(why.code(), why.what(), ran, why.status()));
    }
}

// What concerns a job that has been released is late, not wrong.
void RemoteJobs::take(const Message& message, std::span<const std::byte> body) {
    const auto with_job = [&](const auto& content, auto action) {
        if (RemoteJob* job = find(content.job)) {
            action(*job);
            job->wake();
        }
    };
    const auto with_fed_job = [&](const auto& content) { // who watches one hears of the input that others have sent, too
        with_job(content, [&](RemoteJob& job) {
            if (!job.request.watch) job.streams.take(content);
        });
    };
    if (const auto* data = std::get_if<Data>(&message)) with_job(*data, [&](RemoteJob& job) { take(job, *data, body); });
    else if (const auto* eof = std::get_if<Eof>(&message)) with_job(*eof, [&](RemoteJob& job) { job.streams.take(*eof); });
    else if (const auto* ack = std::get_if<Ack>(&message)) with_fed_job(*ack);
    else if (const auto* stop = std::get_if<Stop>(&message)) with_fed_job(*stop);
    else if (const auto* started = std::get_if<Started>(&message))
        with_job(*started, [&](RemoteJob& job) { take(job, *started); });
    else if (const auto* attached = std::get_if<Attached>(&message))
        with_job(*attached, [&](RemoteJob& job) { take(job, *attached); });
    else if (const auto* exit = std::get_if<Exit>(&message)) with_job(*exit, [&](RemoteJob& job) { take(job, *exit, body); });
    else if (const auto* error = std::get_if<ErrorMessage>(&message)) {
        if (RemoteJob* job = find(*error->job)) take(*job, *error);
    } else if (!std::holds_alternative<Pong>(message)) {
        throw Error(ErrorCode::unexpected_message, "a message that answers nothing");
    }
}

// Of a job that was started by somebody else, or long ago.
void RemoteJobs::begin(RemoteJob& job, const Attached& message) {
    if (!job.request.watch) throw Error(ErrorCode::unexpected_message, "a job that was not started is attached");
    job.ran = Ran::yes;
    job.durable = message.durable;
    job.first_stdout = message.stdout_;
    job.first_stderr = message.stderr_;
    job.streams.open_receiver(StreamName::stdout_, static_cast<std::size_t>(job.request.window), message.stdout_);
    job.streams.open_receiver(StreamName::stderr_, static_cast<std::size_t>(job.request.window), message.stderr_);
    on_started(job);
}

void RemoteJobs::take(RemoteJob& job, const Started& message) {
    if (job.ran == Ran::yes || job.over() || job.request.watch)
        throw Error(ErrorCode::unexpected_message, "a job was started twice, or after its end");
    job.ran = Ran::yes;
    job.pid = message.pid;
    if (job.request.input) {
        job.streams.open_sender(StreamName::stdin_, message.limits.stdin_, static_cast<std::size_t>(job.request.window));
    }
    on_started(job);
}

void RemoteJobs::take(RemoteJob& job, const Attached& message) {
    if (job.ran != Ran::yes) begin(job, message);
    const auto fits = [&](StreamName name, std::uint64_t offset) {
        const RecvStream* stream = job.streams.receiver(name);
        return stream == nullptr || stream->stopped() || stream->received() == offset;
    };
    if (!fits(StreamName::stdout_, message.stdout_) || !fits(StreamName::stderr_, message.stderr_)) {
        throw Error(ErrorCode::bad_offset, "the server does not go on where the output was cut");
    }
    SendStream* input = job.streams.sender(StreamName::stdin_);
    if (input != nullptr && message.state == JobState::finished) {
        input->stop();
    } else if (input != nullptr) {
        input->resume(message.stdin_);
        input->ack(input->acked(), message.limits.stdin_);
    }
    outbox_.add(job.streams);
    say_signals(job, message.signals);
}

// Skipped is also a job whose turn it is all the same: the server has not heard how the one before it ended, or does not know that its failure is
// no matter.
void RemoteJobs::take(RemoteJob& job, const ErrorMessage& message) {
    const bool undecided = job.after && !job.only_if_begun;
    if (message.code != ErrorCode::skipped || !undecided)
        return job.fail(to_failure(message, job.ran == Ran::yes ? Ran::yes : Ran::no));
    outbox_.remove(job.streams);
    job.held_back = true;
}

void RemoteJobs::take(RemoteJob& job, const Data& message, std::span<const std::byte> body) {
    if (job.exit) throw Error(ErrorCode::unexpected_message, "output of a job behind its end");
    job.streams.take(message, body);
}

// The end counts only if every byte before it has come.
void RemoteJobs::take(RemoteJob& job, const Exit& message, std::span<const std::byte> body) {
    if (job.over() || job.ran != Ran::yes) throw Error(ErrorCode::unexpected_message, "the end of a job that is not running");
    const auto complete = [&](StreamName name, std::uint64_t total) {
        const RecvStream* stream = job.streams.receiver(name);
        if (stream == nullptr) return total == 0;
        const bool never_was = job.request.watch && total == 0; // who attaches does not know which streams there are
        return stream->stopped() || ((stream->ended() || never_was) && stream->received() == total);
    };
    if (complete(StreamName::stdout_, message.stdout_) && complete(StreamName::stderr_, message.stderr_)) {
        job.exit = message;
        job.state = as_text(body);
    } else {
        job.fail(Failure("protocol", "the server's end of the output does not match what arrived", Ran::yes));
    }
}

RemoteJob* RemoteJobs::find(const std::string& id) {
    const auto job = jobs_.find(id);
    return job != jobs_.end() ? job->second.get() : nullptr;
}

} // namespace rc
