#include "client/prompt.hpp"

#include "client/command.hpp"
#include "client/completion.hpp"
#include "client/escapes.hpp"
#include "client/history.hpp"
#include "client/line_editor.hpp"
#include "client/local_io.hpp"
#include "client/prompt_text.hpp"
#include "client/shell_state.hpp"
#include "client/shell_syntax.hpp"
#include "client/signals.hpp"
#include "client/terminal.hpp"
#include "client/terminal_job.hpp"
#include "common/bytes.hpp"
#include "common/descriptor.hpp"

#include <unistd.h>

#include <charconv>
#include <csignal>
#include <cstdlib>
#include <functional>
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
    const std::size_t first = text.find_first_not_of(" \t\n");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t\n") - first + 1);
}

std::optional<Leave> parse_leave(std::string_view line) {
    line = trim(line);
    if (line == "~.") return Leave{};
    if (!line.starts_with("exit")) return std::nullopt;
    const std::string_view rest = trim(line.substr(4));
    if (line.size() == 4) return Leave{};
    int status = 0;
    const auto [end, problem] = std::from_chars(rest.data(), rest.data() + rest.size(), status);
    const bool number = problem == std::errc{} && end == rest.data() + rest.size() && line[4] != rest.front();
    return number ? std::optional(Leave{status & 255}) : std::nullopt;
}

// The convention of no-color.org: set, and not empty.
bool no_colour() {
    const char* value = std::getenv("NO_COLOR");
    return value != nullptr && *value != '\0';
}

class Prompt {
public:
    Prompt(const ClientOptions& options, const Reporter& reporter, Link& link, const asio::any_io_executor& executor)
        : options_(options), reporter_(reporter), link_(link), executor_(executor), terminal_(executor, STDIN_FILENO),
          signals_(executor, link), typed_(executor, STDIN_FILENO), out_(executor, STDOUT_FILENO), history_(history_file()),
          link_ended_(executor) {
        terminal_.hold_input();
        terminal_.around_stop = [this](std::function<void()> stop) { return link_.while_stopped(std::move(stop)); };
        editor_.emplace(STDIN_FILENO, STDOUT_FILENO);
        for (const std::string& entry : history_.entries()) editor_->add_to_history(entry);
        if (history_.problem()) warn(*history_.problem());
    }

    asio::awaitable<void> run() { co_await join(keep_link(), converse_guarded()); }

    [[nodiscard]] int status() const { return status_; }

    // `speak` writes whole lines.
    void beside_the_line(const std::function<void()>& speak) {
        if (is_editing()) editor_->hide();
        speak();
        if (is_editing()) editor_->show();
    }

private:
    asio::awaitable<void> keep_link() {
        co_await link_.run();
        link_ended_.notify();
    }

    asio::awaitable<void> converse_guarded() { co_await race(converse(), terminal_.guard()); }

    asio::awaitable<void> converse() {
        while (!leaving_ && !link_.failure()) {
            std::string command;
            co_await read_command(command);
            if (!leaving_ && !link_.failure()) co_await obey(command);
        }
        if (link_.failure() && !loss_explained_) status_ = reporter_.idle_link_lost(*link_.failure());
        link_.close();
    }

    // One line, or as many as a shell would ask for. Empty if it was given up.
    asio::awaitable<void> read_command(std::string& command) {
        bool more = true;
        while (more) {
            begin_line(command.empty() ? main_prompt() : std::string("> "));
            co_await read_line();
            if (editor_->state() != LineEditor::State::line) {
                command.clear();
                co_return;
            }
            command += editor_->line();
            more = needs_more(command);
            if (more) command += '\n';
        }
    }

    std::string main_prompt() const {
        PromptText prompt;
        prompt.host = options_.target.host;
        prompt.directory = state_ ? state_->shown_directory() : options_.directory.empty() ? "~" : options_.directory;
        prompt.status = status_;
        prompt.coloured = !is_plain_terminal() && !no_colour();
        return rc::show(prompt);
    }

    void begin_line(const std::string& prompt) {
        editor_->begin(prompt);
        terminal_.on_continued = [this] { editor_->resize(); };
    }

    // To the state `line`, unless there is none.
    asio::awaitable<void> read_line() {
        while (is_editing() && !leaving_ && !link_.failure()) {
            if (!typed_.pending().empty() && !enter_waits()) typed_.drop(editor_->feed(typed_.pending()));
            else co_await wait_at_prompt();
        }
        terminal_.on_continued = [] {};
        if (editor_->state() == LineEditor::State::end_of_input) leave_by_end_of_input();
        if (is_editing()) give_up_line("");
    }

    // Enter behind a Tab is meant for the line that the Tab makes.
    bool enter_waits() const {
        const std::string_view keys = typed_.pending();
        return editor_->state() == LineEditor::State::completing && (keys.starts_with('\r') || keys.starts_with('\n'));
    }

    bool is_editing() const {
        return editor_->state() == LineEditor::State::editing || editor_->state() == LineEditor::State::completing;
    }

    asio::awaitable<void> wait_at_prompt() {
        if (typed_.ended()) {
            leaving_ = true;
            co_return;
        }
        co_await race(take_key(), take_signal(), take_size(), link_ended_.wait(), complete());
    }

    asio::awaitable<void> take_key() {
        if (enter_waits()) co_await wait_forever();
        else co_await typed_.wait();
    }

    asio::awaitable<void> complete() {
        if (editor_->state() == LineEditor::State::completing) co_await complete_word(link_, *editor_, request_here());
        else co_await wait_forever();
    }

    asio::awaitable<void> take_size() {
        co_await terminal_.resized();
        editor_->resize();
    }

    // At the prompt Ctrl-C only throws away what was typed.
    asio::awaitable<void> take_signal() {
        const auto number = co_await signals_.next();
        if (!number) co_return;
        typed_.clear();
        give_up_line(*number == SIGINT ? "^C" : "");
        if (*number == SIGINT || *number == SIGQUIT) co_return;
        status_ = 128 + *number;
        leaving_ = true;
    }

    void give_up_line(const std::string& mark) {
        editor_->cancel();
        say(mark);
        editor_->hide();
    }

    void leave_by_end_of_input() {
        say("\r\n");
        leaving_ = true;
    }

    asio::awaitable<void> obey(const std::string& command) {
        if (history_.remember(command)) editor_->add_to_history(command);
        const std::string_view text = trim(command);
        if (const auto leave = parse_leave(text)) {
            leaving_ = true;
            status_ = leave->status.value_or(status_);
        } else if (text == "~?") {
            say(escape_help());
        } else if (!text.empty()) {
            co_await run_command(command);
        }
    }

    JobRequest request_here() const {
        JobRequest request = make_request(options_);
        request.input = false;
        if (state_) state_->apply_to(request);
        return request;
    }

    asio::awaitable<void> run_command(const std::string& command) {
        JobRequest request = request_here();
        request.words = {command};
        request.input = true;
        request.state = true;
        want_terminal(request, terminal_.size(), typed_.pending().size());
        const auto job = std::make_shared<RemoteJob>(executor_, std::move(request));
        link_.jobs().start_or_fail(job);
        last_byte_ = '\n';
        Sink screen = [this](std::span<const std::byte> bytes) { return show(bytes); };
        co_await race(
            run_on_terminal(link_, *job, terminal_, typed_, std::move(screen)), signals_.forward_from_terminal(*job, reporter_));
        link_.jobs().release(*job); // also if it is the terminal that has gone
        begin_row();
        take_end(*job);
    }

    void take_end(const RemoteJob& job) {
        const bool left = job.failure && job.failure->code() == "left";
        loss_explained_ = left || (job.failure && link_.failure());
        status_ = reporter_.finished(job);
        if (auto state = read_shell_state(job.state)) state_ = std::move(state);
        if (job.failure && job.failure->code() == "no_directory") go_home();
        const auto duration = show_duration(std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - job.asked));
        if (duration && job.exit) say(std::string("[").append(*duration).append("]\r\n"));
        leaving_ = leaving_ || left || signals_.ending();
    }

    // Or no further command could be run.
    void go_home() {
        if (!state_) return;
        state_->directory.clear();
        std::erase_if(state_->environment, [](const std::string& assignment) { return assignment.starts_with("PWD="); });
        warn("the next command runs in the home directory");
    }

    asio::awaitable<void> show(std::span<const std::byte> bytes) {
        const int error = co_await out_.write(bytes);
        if (error != 0) throw Failure("output", "the terminal is gone; output is lost", Ran::yes);
        last_byte_ = static_cast<char>(bytes.back());
    }

    // Where the cursor stands after a last line without its end only the terminal knows. As many blanks as a row is wide
    // lead into the next row, but not from the beginning of one.
    void begin_row() const {
        if (last_byte_ == '\n') return;
        if (is_plain_terminal()) say("\r\n");
        else say(std::string(terminal_.size().columns, ' ').append("\r"));
    }

    static void say(const std::string& text) { write_all(STDOUT_FILENO, as_bytes(text)); }

    void warn(const std::string& text) const {
        if (!options_.quiet) print_error(escape(text));
    }

    const ClientOptions& options_;
    const Reporter& reporter_;
    Link& link_;
    asio::any_io_executor executor_;
    Terminal terminal_;
    Signals signals_;
    Typed typed_;
    Output out_;
    History history_;
    std::optional<LineEditor> editor_;
    Event link_ended_;
    std::optional<ShellState> state_; // nothing: that of a login, and what the options say
    bool leaving_ = false;
    bool loss_explained_ = false; // by the line of the job that it ended
    char last_byte_ = '\n';       // of the last command's output
    int status_ = 0;
};

} // namespace

asio::awaitable<int> run_prompt(const ClientOptions& options, const Reporter& reporter, Link& link) {
    link.jobs().on_started = [&](const RemoteJob& job) {
        if (job.request.mode != ExecMode::subsystem) reporter.started(job);
    };
    Prompt prompt(options, reporter, link, co_await asio::this_coro::executor);
    link.on_lost = [&](const std::string& problem) { prompt.beside_the_line([&] { reporter.link_lost(problem); }); };
    link.on_back = [&](Clock::duration after) { prompt.beside_the_line([&] { reporter.link_back(after); }); };
    co_await prompt.run();
    co_return prompt.status();
}

} // namespace rc
