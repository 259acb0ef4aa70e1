#include "client/attach.hpp"

#include "client/exit_status.hpp"
#include "client/job_io.hpp"
#include "client/local_io.hpp"
#include "client/signals.hpp"

#include <unistd.h>

#include <optional>

namespace rc {

namespace {

// Of a job whose beginning is not asked for by an offset the oldest bytes may have gone. That is no warning, which could be left out: it is all
// that tells this output from a whole one.
void tell_what_is_gone(const ClientOptions& options, const RemoteJob& job) {
    if (options.watch.tail || options.watch.stdout_) return;
    for (const auto& [name, offset] : {std::pair{"stdout", job.first_stdout}, {"stderr", job.first_stderr}}) {
        if (offset > 0) print_error("the first " + std::to_string(offset) + " bytes of " + name + " are not kept any more");
    }
}

asio::awaitable<void> show(const ClientOptions& options, RemoteJob& job) {
    co_await await_start(job);
    if (job.ran != Ran::yes) co_return;
    tell_what_is_gone(options, job);
    const auto executor = co_await asio::this_coro::executor;
    Output out(executor, STDOUT_FILENO);
    Output err(executor, STDERR_FILENO);
    Sink to_out = write_to(out, "stdout");
    Sink to_err = write_to(err, "stderr");
    co_await deliver(job, std::move(to_out), std::move(to_err));
}

asio::awaitable<void> leave_on_signal(Signals& signals, std::optional<int>& number) { number = co_await signals.next(); }

asio::awaitable<void> attend(const ClientOptions& options, Link& link, RemoteJob& job, std::optional<int>& left) {
    Signals signals(co_await asio::this_coro::executor, link);
    co_await race(show(options, job), leave_on_signal(signals, left));
    link.close();
}

} // namespace

asio::awaitable<int> run_attach(const ClientOptions& options, const Reporter& reporter, Link& link) {
    JobRequest request;
    request.id = options.job;
    request.watch = options.watch;
    request.keep = options.keep;
    const auto job = std::make_shared<RemoteJob>(co_await asio::this_coro::executor, std::move(request));
    link.jobs().on_started = [&](const RemoteJob& found) { reporter.attached(found); };
    link.jobs().watch(job);
    std::optional<int> left;
    co_await join(link.run(), attend(options, link, *job, left));
    if (job->failure && job->ran != Ran::yes) co_return reporter.unanswered(*job->failure);
    if (left) co_return reporter.left(*job, signalled + *left);
    co_return reporter.finished(*job);
}

} // namespace rc
