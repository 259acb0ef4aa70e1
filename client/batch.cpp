#include "client/batch.hpp"

#include "client/command.hpp"
#include "client/exit_status.hpp"
#include "client/job_io.hpp"
#include "client/lines.hpp"
#include "client/local_io.hpp"
#include "client/signals.hpp"
#include "common/bytes.hpp"
#include "common/signal_name.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <deque>
#include <memory>
#include <optional>

namespace rc {

namespace {

constexpr std::chrono::milliseconds look_again{20};

class Batch {
public:
    Batch(const ClientOptions& options, const Reporter& reporter, Link& link, const asio::any_io_executor& executor)
        : options_(options), reporter_(reporter), link_(link), executor_(executor), input_(executor, STDIN_FILENO),
          out_(executor, STDOUT_FILENO), err_(executor, STDERR_FILENO), jobs_changed_(executor), room_(executor),
          stop_(executor) {}

    asio::awaitable<void> run() { co_await join(keep_link(), attend()); }

    [[nodiscard]] int status() const { return status_; }

    // One that follows another is said to have started when the end of that one has been said.
    void started(const RemoteJob& job) const {
        const bool its_turn = !jobs_.empty() && jobs_.front().get() == &job;
        if (its_turn || !one_by_one()) reporter_.started(job);
    }

private:
    asio::awaitable<void> keep_link() {
        co_await link_.run();
        stop();
    }

    asio::awaitable<void> attend() {
        std::optional<Failure> problem;
        try {
            Signals signals(executor_, link_);
            co_await race(join(start_until_stopped(), deliver_jobs()), pass_on(signals));
        } catch (const Failure& failure) {
            problem = failure;
        }
        if (problem) {
            link_.abandon();
            co_await link_.flush();
            throw Failure(problem->code(), problem->what(), asked_ ? problem->ran() : Ran::no, problem->status());
        }
        if (ended_by_ && !complete_ && status_ == 0) status_ = 128 + *ended_by_; // lines that were never run are no success
        if (link_.failure() && !loss_explained_) {
            const int status = reporter_.idle_link_lost(*link_.failure());
            if (status_ == 0) status_ = status;
        }
        link_.close();
    }

    asio::awaitable<void> start_until_stopped() {
        co_await race(start_jobs(), stop_.wait());
        all_started_ = true;
        jobs_changed_.notify();
    }

    [[nodiscard]] bool one_by_one() const { return options_.jobs == 1; }

    // While one runs the next one is there already and waits: the server, if it can, starts it when that has ended. But --json writes at the very end.
    [[nodiscard]] bool may_ask() const {
        if (!one_by_one() || options_.json || !link_.jobs().knows_after()) return jobs_.size() < options_.jobs;
        return jobs_.empty() || (jobs_.size() == 1 && !jobs_.front()->over());
    }

    // Reads ahead no further than the jobs that may be asked for.
    asio::awaitable<void> start_jobs() {
        Lines lines(input_, limits::exec_body + 1);
        while (std::optional<std::string> line = co_await lines.next()) {
            while (!may_ask()) co_await room_.wait();
            while (reporter_.many_events_wait()) co_await sleep_for(look_again);
            if (stopped_) co_return;
            if (!line->empty()) start(*line);
        }
        complete_ = true;
    }

    // Starts no more.
    void stop() {
        stopped_ = true;
        stop_.notify();
    }

    void start(const std::string& line) {
        JobRequest request = make_request(options_);
        request.words = {line};
        request.input = false;
        request.window = std::clamp(limits::windows_of_connection / (2 * options_.jobs), limits::smallest_window, limits::window);
        const auto job = std::make_shared<RemoteJob>(executor_, std::move(request));
        if (one_by_one() && !jobs_.empty()) job->after = After{jobs_.back()->id(), !options_.keep_going};
        jobs_.push_back(job);
        asked_ = true;
        link_.jobs().start_or_fail(job);
        jobs_changed_.notify();
    }

    asio::awaitable<void> deliver_jobs() {
        for (;;) {
            while (jobs_.empty() && !all_started_) co_await jobs_changed_.wait();
            if (jobs_.empty()) co_return;
            const std::shared_ptr<RemoteJob> job = jobs_.front();
            Captured captured;
            co_await deliver_output(*job, captured);
            if (output_lost(*job)) { // which fails the jobs behind it, too
                link_.abandon();
                co_await link_.flush();
            }
            if (options_.json) {
                co_await settle_and_tell(*job, captured);
                leave_front();
            } else {
                leave_front(); // first: the next request goes out together with the release of this one
                settle(*job);
            }
            if (one_by_one() && !jobs_.empty()) begin_turn(*jobs_.front(), *job);
        }
    }

    void leave_front() {
        jobs_.pop_front();
        room_.notify();
    }

    void begin_turn(RemoteJob& job, const RemoteJob& before) {
        const bool failed = before.exit && exit_status(*before.exit) != 0;
        if (failed && !options_.keep_going && job.ran != Ran::yes) link_.jobs().skip(job);
        else link_.jobs().decide(job, !stopped_);
        job.asked = Clock::now();
        if (job.ran == Ran::yes) reporter_.started(job);
    }

    asio::awaitable<void> deliver_output(RemoteJob& job, Captured& captured) {
        if (options_.json) co_await deliver(job, collect_in(captured.out), collect_in(captured.err));
        else co_await deliver(job, write_to(out_, "stdout"), write_to(err_, "stderr"));
    }

    // While its object waits for a reader the job keeps its place.
    asio::awaitable<void> settle_and_tell(RemoteJob& job, const Captured& captured) {
        if (!settle(job)) co_return;
        const std::string object = reporter_.object_of(job, captured);
        const Sink write = write_to(out_, "stdout");
        try {
            co_await write(as_bytes(object));
        } catch (const Failure&) {
            stop();
            throw;
        }
    }

    static bool output_lost(const RemoteJob& job) {
        return job.failure && (job.failure->code() == "output" || job.failure->code() == "pipe");
    }

    // Asked for before it was clear that the batch ends with the one before.
    [[nodiscard]] bool asked_in_vain(const RemoteJob& job) const {
        if (!one_by_one() || !job.failure || job.ran == Ran::yes) return false;
        const bool stopped = ended_by_ || (status_ != 0 && !options_.keep_going);
        return job.failure->code() == "left" || (stopped && job.failure->ran() == Ran::no);
    }

    // All in one go: before the next job is started it is clear whether this one ends the batch. False: there is nothing to be told of it.
    bool settle(RemoteJob& job) {
        link_.jobs().release(job);
        if (asked_in_vain(job)) {
            complete_ = false;
            return false;
        }
        const int status = reporter_.finished(job);
        if (status_ == 0) status_ = status;
        if (status_ != 0 && !options_.keep_going) stop();
        loss_explained_ = loss_explained_ || output_lost(job) || (job.failure && link_.failure());
        return true;
    }

    // The first one goes to every job that is running or about to, and no more are started.
    asio::awaitable<void> pass_on(Signals& signals) {
        ended_by_ = co_await signals.next();
        if (!ended_by_) co_return;
        std::for_each(jobs_.rbegin(), jobs_.rend(), [&](const auto& job) { // the last one first: none may follow
            link_.jobs().decide(*job, false);
            link_.jobs().signal(*job, signal_name(*ended_by_));
        });
        stop();
        co_await signals.another();
        link_.abandon();
        co_await link_.flush();
        print_error("jobs are still ending; not waiting for them any longer");
        std::_Exit(options_.unknown_status);
    }

    const ClientOptions& options_;
    const Reporter& reporter_;
    Link& link_;
    asio::any_io_executor executor_;
    Input input_;
    Output out_;
    Output err_;
    Event jobs_changed_;
    Event room_;
    Event stop_;
    std::deque<std::shared_ptr<RemoteJob>> jobs_; // in the order of the lines; the first one's output is being delivered
    bool asked_ = false;                          // for any job
    bool stopped_ = false;
    bool loss_explained_ = false; // by the line of a job that it ended
    bool all_started_ = false;
    bool complete_ = false;       // the last line has been read and its job started
    std::optional<int> ended_by_; // a signal
    int status_ = 0;
};

} // namespace

asio::awaitable<int> run_batch(const ClientOptions& options, const Reporter& reporter, Link& link) {
    Batch batch(options, reporter, link, co_await asio::this_coro::executor);
    link.jobs().on_started = [&](const RemoteJob& job) { batch.started(job); };
    co_await batch.run();
    co_return batch.status();
}

} // namespace rc
