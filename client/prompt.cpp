#include "client/prompt.hpp"

#include "client/command.hpp"
#include "client/job_io.hpp"
#include "client/lines.hpp"
#include "client/local_io.hpp"
#include "client/signals.hpp"
#include "common/bytes.hpp"
#include "common/descriptor.hpp"
#include "common/signal_name.hpp"

#include <unistd.h>

#include <charconv>
#include <csignal>
#include <memory>
#include <optional>
#include <string_view>

namespace rc {

namespace {

// `exit` and `exit N` leave; anything else is a command.
struct Leave {
    std::optional<int> status;
};

std::string_view trim(std::string_view text) {
    const std::size_t first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::optional<Leave> parse_leave(std::string_view line) {
    line = trim(line);
    if (!line.starts_with("exit")) return std::nullopt;
    const std::string_view rest = trim(line.substr(4));
    if (line.size() == 4) return Leave{};
    int status = 0;
    const auto [end, problem] = std::from_chars(rest.data(), rest.data() + rest.size(), status);
    const bool number = problem == std::errc{} && end == rest.data() + rest.size() && line[4] != rest.front();
    return number ? std::optional(Leave{status & 255}) : std::nullopt;
}

class Prompt {
public:
    Prompt(const ClientOptions& options, const Reporter& reporter, Link& link, const asio::any_io_executor& executor)
        : options_(options), reporter_(reporter), link_(link), executor_(executor), input_(executor, STDIN_FILENO),
          lines_(input_, limits::exec_body + 1), out_(executor, STDOUT_FILENO), err_(executor, STDERR_FILENO), signals_(executor),
          link_ended_(executor) {}

    asio::awaitable<void> run() { co_await join(keep_link(), converse()); }

    [[nodiscard]] int status() const { return status_; }

private:
    asio::awaitable<void> keep_link() {
        co_await link_.run();
        link_ended_.notify();
    }

    asio::awaitable<void> converse() {
        while (!leaving_ && !link_.failure()) {
            show(escape(options_.target.host) + "> ");
            std::optional<std::string> line;
            co_await race(take_line(line), take_signal(), link_ended_.wait());
            if (line && !link_.failure()) co_await run_line(*line);
        }
        if (link_.failure() && !loss_explained_) status_ = reporter_.idle_link_lost(*link_.failure());
        link_.close();
    }

    // `line` stays empty unless there is a command to run.
    asio::awaitable<void> take_line(std::optional<std::string>& line) {
        std::optional<std::string> text = co_await lines_.next();
        if (!text) show("\n");
        const std::optional<Leave> leave = text ? parse_leave(*text) : Leave{};
        leaving_ = leave.has_value();
        if (leave) status_ = leave->status.value_or(status_);
        else if (!trim(*text).empty()) line = std::move(text);
    }

    // At the prompt Ctrl-C only throws away what was typed.
    asio::awaitable<void> take_signal() {
        const int number = co_await signals_.next();
        lines_.clear();
        show("\n");
        if (number == SIGINT || number == SIGQUIT) co_return;
        status_ = 128 + number;
        leaving_ = true;
    }

    asio::awaitable<void> run_line(const std::string& line) {
        JobRequest request = make_request(options_);
        request.words = {line};
        request.input = false;
        // On one terminal the order of both is what the user wants to see.
        request.combine = options_.combine || (::isatty(STDOUT_FILENO) == 1 && ::isatty(STDERR_FILENO) == 1);
        const auto job = std::make_shared<RemoteJob>(executor_, std::move(request));
        link_.start_or_fail(job);
        co_await race(deliver(*job, write_to(out_, "stdout"), write_to(err_, "stderr")), pass_on_signals(*job));
        if (job->exit) link_.release(*job);
        loss_explained_ = job->failure && link_.failure();
        status_ = reporter_.finished(*job, nullptr);
        if (job->exit && status_ != 0) show("[status " + std::to_string(status_) + "]\n");
    }

    asio::awaitable<void> pass_on_signals(RemoteJob& job) {
        for (;;) {
            const int number = co_await signals_.next();
            lines_.clear();
            link_.signal(job, signal_name(number));
            leaving_ = leaving_ || number == SIGTERM || number == SIGHUP;
        }
    }

    static void show(const std::string& text) { write_all(STDERR_FILENO, as_bytes(text)); }

    const ClientOptions& options_;
    const Reporter& reporter_;
    Link& link_;
    asio::any_io_executor executor_;
    Input input_;
    Lines lines_;
    Output out_;
    Output err_;
    Signals signals_;
    Event link_ended_;
    bool leaving_ = false;
    bool loss_explained_ = false; // by the line of the job that it ended
    int status_ = 0;
};

} // namespace

asio::awaitable<int> run_prompt(const ClientOptions& options, const Reporter& reporter, Link& link) {
    link.on_started = [&](const RemoteJob& job) { reporter.started(job); };
    Prompt prompt(options, reporter, link, co_await asio::this_coro::executor);
    co_await prompt.run();
    co_return prompt.status();
}

} // namespace rc
