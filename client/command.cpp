#include "client/command.hpp"

#include "client/job_io.hpp"
#include "client/local_io.hpp"
#include "client/signals.hpp"
#include "client/terminal.hpp"
#include "client/terminal_job.hpp"
#include "client/typed.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <memory>

namespace rc {

namespace {

// How a command gets what is typed here.
enum class Keys { none, as_input, raw };

// Without a terminal to type at, or with -n, a command's terminal has what stdin has, if anything, and its signals come as for any.
Keys keys_of(const JobRequest& request) {
    if (!request.input) return Keys::none;
    return request.pty && ::isatty(STDIN_FILENO) == 1 ? Keys::raw : Keys::as_input;
}

// Where the output goes.
class Outputs {
public:
    Outputs(const asio::any_io_executor& executor, const ClientOptions& options, Captured& captured)
        : options_(options), captured_(captured), out_(executor, STDOUT_FILENO), err_(executor, STDERR_FILENO) {}

    Sink out() { return options_.json ? collect_in(captured_.out) : write_to(out_, "stdout"); }
    Sink err() { return options_.json ? collect_in(captured_.err) : write_to(err_, "stderr"); }

private:
    const ClientOptions& options_;
    Captured& captured_;
    Output out_;
    Output err_;
};

asio::awaitable<void> move_bytes(RemoteJob& job, Outputs& outputs, Keys keys) {
    Sink out = outputs.out();
    Sink err = outputs.err();
    if (keys == Keys::none) {
        co_await deliver(job, std::move(out), std::move(err));
    } else {
        Input input(co_await asio::this_coro::executor, STDIN_FILENO);
        co_await race(deliver(job, std::move(out), std::move(err)), feed(job, input));
    }
}

asio::awaitable<void> run_raw(Link& link, RemoteJob& job, Outputs& outputs, Signals& signals, const Reporter& reporter) {
    const auto executor = co_await asio::this_coro::executor;
    Terminal terminal(executor, STDIN_FILENO);
    terminal.around_stop = [&link](std::function<void()> stop) { return link.while_stopped(std::move(stop)); };
    Typed typed(executor, STDIN_FILENO);
    Sink out = outputs.out();
    co_await race(run_on_terminal(link, job, terminal, typed, std::move(out)), signals.forward_from_terminal(job, reporter),
        terminal.guard());
}

asio::awaitable<void> run_plain(RemoteJob& job, Outputs& outputs, Signals& signals, const Reporter& reporter, Keys keys) {
    co_await race(move_bytes(job, outputs, keys), signals.forward(job, reporter));
}

// A job that is sure to run needs nobody any more.
asio::awaitable<void> leave_when_started(Link& link, RemoteJob& job) {
    co_await await_start(job);
    link.close();
}

asio::awaitable<void> run_to_end(Link& link, const std::shared_ptr<RemoteJob>& job, Outputs& outputs, const Reporter& reporter) {
    Signals signals(
        co_await asio::this_coro::executor, link); // first: a signal that ended this program now would leave the job behind
    link.jobs().start(job);
    const Keys keys = keys_of(job->request);
    if (keys == Keys::raw) co_await run_raw(link, *job, outputs, signals, reporter);
    else co_await run_plain(*job, outputs, signals, reporter, keys);
    if (job->exit) {
        link.jobs().release(*job);
        link.close();
    } else {
        link.abandon();
    }
}

// Of the terminal here, or the usual one.
WindowSize window_size() {
    winsize window{};
    const bool known = ::ioctl(STDIN_FILENO, TIOCGWINSZ, &window) == 0 || ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0;
    return known && window.ws_row > 0 ? WindowSize{window.ws_row, window.ws_col} : WindowSize{24, 80};
}

void choose_terminal(JobRequest& request, const ClientOptions& options) {
    const bool here = ::isatty(STDIN_FILENO) == 1;
    if (options.terminal == WantTerminal::if_here && !here && !options.quiet) {
        print_error("stdin is no terminal, so the command gets none; -tt gives it one all the same");
    }
    if (options.terminal == WantTerminal::always || (options.terminal == WantTerminal::if_here && here)) {
        want_terminal(request, window_size(), 0);
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
    if (options.subsystem) request.mode = ExecMode::subsystem;
    request.directory = options.directory;
    request.environment = options.environment;
    request.input = !options.no_stdin;
    request.combine = options.combine;
    request.wait_eof = options.wait_eof;
    request.timeout = options.timeout;
    request.keep = options.keep;
    request.id = options.job;
    request.detach = options.detach;
    request.durable = options.detach || !options.job.empty();
    if (options.detach) request.window = limits::smallest_window; // its output is not for us
    return request;
}

asio::awaitable<int> run_command(const ClientOptions& options, const Reporter& reporter, Link& link) {
    const auto executor = co_await asio::this_coro::executor;
    JobRequest request = make_request(options);
    choose_terminal(request, options);
    const auto job = std::make_shared<RemoteJob>(executor, std::move(request));
    const off_t start = job->request.input ? input_position() : -1;
    Captured captured;
    Outputs outputs(executor, options, captured);
    link.jobs().on_started = [&](const RemoteJob& started) { reporter.started(started); };
    co_await join(run_to_end(link, job, outputs, reporter), link.run()); // in this order: the request goes out with the proof
    if (job->exit) give_back_input(start, *job->exit);
    const int status = reporter.finished(*job);
    if (options.json) reporter.print(reporter.object_of(*job, captured));
    co_return status;
}

asio::awaitable<int> run_detached(const ClientOptions& options, const Reporter& reporter, Link& link) {
    const auto job = std::make_shared<RemoteJob>(co_await asio::this_coro::executor, make_request(options));
    link.jobs().on_started = [&](const RemoteJob& started) { reporter.started(started); };
    link.jobs().start(job);
    co_await join(link.run(), leave_when_started(link, *job));
    co_return reporter.detached(*job);
}

} // namespace rc
