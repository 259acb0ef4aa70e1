#include "client/command.hpp"

#include "client/job_io.hpp"
#include "client/local_io.hpp"
#include "client/signals.hpp"

#include <unistd.h>

#include <memory>

namespace rc {

namespace {

asio::awaitable<void> move_bytes(const ClientOptions& options, RemoteJob& job, Captured& captured) {
    const auto executor = co_await asio::this_coro::executor;
    Output out(executor, STDOUT_FILENO);
    Output err(executor, STDERR_FILENO);
    Input input(executor, STDIN_FILENO);
    const auto delivery = [&] {
        if (options.json) return deliver(job, collect_in(captured.out), collect_in(captured.err));
        return deliver(job, write_to(out, "stdout"), write_to(err, "stderr"));
    };
    if (job.request.input) co_await race(delivery(), feed(job, input));
    else co_await delivery();
}

asio::awaitable<void> attend(const ClientOptions& options, Link& link, RemoteJob& job, Captured& captured) {
    {
        Signals signals(co_await asio::this_coro::executor);
        co_await race(move_bytes(options, job, captured), signals.forward(link, job));
    }
    if (job.exit) {
        link.release(job);
        link.close();
    } else {
        link.drop();
    }
}

// Where a seekable stdin stands, or -1.
off_t input_position() { return ::lseek(STDIN_FILENO, 0, SEEK_CUR); }

// What the command did not consume is there for whoever reads this stdin next.
void give_back_input(off_t start, const Exit& exit) {
    if (start >= 0) ::lseek(STDIN_FILENO, start + static_cast<off_t>(exit.stdin_), SEEK_SET);
}

} // namespace

JobRequest make_request(const ClientOptions& options) {
    JobRequest request;
    request.words = options.command;
    if (request.words.empty()) request.words.emplace_back();
    if (options.argv) request.mode = ExecMode::argv;
    request.directory = options.directory;
    request.environment = options.environment;
    request.input = !options.no_stdin;
    request.combine = options.combine;
    request.wait_eof = options.wait_eof;
    request.timeout = options.timeout;
    return request;
}

asio::awaitable<int> run_command(const ClientOptions& options, const Reporter& reporter, Link& link) {
    const auto job = std::make_shared<RemoteJob>(co_await asio::this_coro::executor, make_request(options));
    const off_t start = job->request.input ? input_position() : -1;
    Captured captured;
    link.on_started = [&](const RemoteJob& started) { reporter.started(started); };
    link.start(job);
    co_await join(link.run(), attend(options, link, *job, captured));
    if (job->exit) give_back_input(start, *job->exit);
    co_return reporter.finished(*job, options.json ? &captured : nullptr);
}

} // namespace rc
