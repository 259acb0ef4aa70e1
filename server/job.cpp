#include "server/job.hpp"

#include "common/bytes.hpp"
#include "common/described_json.hpp"
#include "common/signal_name.hpp"
#include "server/log.hpp"
#include "server/options.hpp"
#include "server/typed_ahead.hpp"

#include <boost/asio/buffer.hpp>

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <csignal>

namespace rc {

namespace {

// What an end for that reason does to the process group, one step after the other.
std::span<const int> steps_of(ExitReason reason) {
    static constexpr std::array steps{SIGHUP, SIGTERM, SIGKILL};
    return reason == ExitReason::timeout ? std::span(steps).subspan(1) : std::span(steps);
}

// Linux's default. A command that fills it is held up less by a larger one; where that is refused, the default one will do.
constexpr std::size_t usual_pipe = 64 * 1024;

constexpr std::chrono::milliseconds between_output_and_exit{5};

bool widen(int pipe) {
    ::fcntl(pipe, F_SETPIPE_SZ, 256 * 1024);
    return true;
}

} // namespace

JobWindows windows_of(const Exec& exec) {
    const std::uint64_t most = exec.pty ? limits::terminal_window : limits::window;
    const auto window = [most](std::uint64_t granted) { return static_cast<std::size_t>(std::min(granted, most)); };
    JobWindows windows;
    windows.output = window(exec.limits.stdout_);
    if (!exec.combine) windows.error = window(exec.limits.stderr_);
    if (exec.stdin_) windows.input = windows.output;
    return windows;
}

Job::Job(
    const asio::any_io_executor& executor, JobFacts facts, const JobOptions& options, Child child, const OutputLimits& limits)
    : facts_(std::move(facts)), options_(options), child_(std::move(child)), pid_(child_.pid()), streams_(facts_.id),
      output_room_(executor), error_room_(executor), input_ready_(executor), end_asked_(executor), progress_(executor),
      claim_changed_(executor), held_(options.typed > 0) {
    streams_.open_sender(StreamName::stdout_, limits.stdout_, options_.windows.output);
    if (child_.error) streams_.open_sender(StreamName::stderr_, limits.stderr_, options_.windows.error);
    if (child_.input) streams_.open_receiver(StreamName::stdin_, options_.windows.input);
}

asio::awaitable<void> Job::run() {
    const auto self = shared_from_this();
    co_await join(collect_output(), feed_input(), enforce_end());
    finish();
}

Message Job::attach(JobClient& client, const JobClaim& claim) {
    const Attach& attach = claim.attach;
    if (released_) throw Error(claim.start ? ErrorCode::conflict : ErrorCode::no_such_job, "the job has been released");
    const Claimant* known = claimants_.find(attach.client);
    const bool same = known != nullptr && known == claimants_.latest();
    const std::uint64_t least = known == nullptr ? 0 : known->generation + (same ? 1 : 0);
    if (attach.generation < least) throw Error(ErrorCode::conflict, "a later connection of this client has the job");
    if (claim.start && output_taken()) throw Error(ErrorCode::conflict, "another client has taken output of the job");
    check_offset(StreamName::stdout_, attach.stdout_);
    check_offset(StreamName::stderr_, attach.stderr_);
    if (client_ != nullptr) client_->replaced(same);
    resume(attach, !same && !claim.start);
    client_ = &client;
    claimants_.call(attach.client).generation = attach.generation;
    linger_until(Clock::time_point::max());
    if (exit_) client.ended(*exit_);
    if (claim.start) return started();
    return attached();
}

bool Job::output_taken() {
    const SendStream* out = streams_.sender(StreamName::stdout_);
    const SendStream* error = streams_.sender(StreamName::stderr_);
    return out->acked() > 0 || (error != nullptr && error->acked() > 0);
}

void Job::check_offset(StreamName name, const std::optional<std::uint64_t>& offset) {
    if (!offset) return;
    const SendStream* stream = streams_.sender(name);
    if (stream != nullptr) stream->check_resume(*offset);
    else if (*offset > 0) throw Error(ErrorCode::bad_offset, "an offset of a stream that the job does not have");
}

void Job::resume(const Attach& attach, bool stranger) {
    const OutputLimits granted = attach.limits.value_or(OutputLimits{});
    const auto go_on = [&](StreamName name, const std::optional<std::uint64_t>& offset, std::uint64_t limit) {
        SendStream* stream = streams_.sender(name);
        if (stream == nullptr) return;
        stream->resume(attach.tail ? stream->most_sent() : offset.value_or(stream->acked()));
        if (stranger) stream->allow_anew(attach.limits ? limit : stream->sent() + limits::window);
        else if (attach.limits) stream->allow(limit);
    };
    go_on(StreamName::stdout_, attach.stdout_, granted.stdout_);
    go_on(StreamName::stderr_, attach.stderr_, granted.stderr_);
    streams_.resume();
    if (attach.pty && child_.on_terminal() && !finished_) child_.resize(*attach.pty);
}

Started Job::started() {
    Started message;
    message.job = facts_.id;
    message.pid = static_cast<std::uint64_t>(pid_);
    if (const RecvStream* input = streams_.receiver(StreamName::stdin_)) message.limits.stdin_ = input->limit();
    return message;
}

Attached Job::attached() {
    const auto sent = [&](StreamName name) {
        const SendStream* stream = streams_.sender(name);
        return stream != nullptr ? stream->sent() : 0;
    };
    Attached message;
    message.job = facts_.id;
    message.state = finished_ ? JobState::finished : JobState::running;
    message.signals = claimants_.latest()->signals;
    message.stdout_ = sent(StreamName::stdout_);
    message.stderr_ = sent(StreamName::stderr_);
    message.durable = options_.recorded;
    if (const RecvStream* input = streams_.receiver(StreamName::stdin_)) {
        message.stdin_ = input->received();
        message.limits.stdin_ = input->limit();
    }
    return message;
}

void Job::detach(const JobClient& client) {
    if (client_ != &client) return;
    client_ = nullptr;
    if (!released_) linger_until(Clock::now() + options_.keep);
}

void Job::release() {
    released_ = true;
    client_ = nullptr;
    claim_changed_.notify();
    if (!finished_) end(ExitReason::abandoned);
}

void Job::linger_until(Clock::time_point end) {
    linger_end_ = end;
    end_asked_.notify();
    claim_changed_.notify();
}

asio::awaitable<void> Job::collect_output() {
    pumps_ = child_.error ? 2 : 1;
    if (child_.error) {
        co_await join(pump(*child_.output, StreamName::stdout_, output_room_),
            pump(*child_.error, StreamName::stderr_, error_room_), await_exit());
    } else {
        co_await join(pump(*child_.output, StreamName::stdout_, output_room_), await_exit());
    }
    let_others_end();
}

// To cancel them would take longer than all else that they do.
void Job::let_others_end() {
    over_ = true;
    input_ready_.notify();
    if (child_.input && child_.input->is_open()) child_.input->cancel();
    end_asked_.notify();
}

asio::awaitable<void> Job::pump(asio::readable_pipe& pipe, StreamName name, Event& room) {
    SendStream& stream = *streams_.sender(name);
    std::array<std::byte, 4096> little; // NOLINT: written before it is read
    bool first = true;                  // most commands write nothing, and the stream takes no memory then
    bool wide = false;
    for (;;) {
        std::span<std::byte> space;
        if (discard_) space = little;
        else if (stream.stopped()) break;
        else if (first) space = std::span(little).first(std::min(little.size(), stream.room()));
        else space = stream.prepare();
        if (space.empty()) {
            co_await room.wait();
            continue;
        }
        ++reading_;
        active_ = Clock::now();
        progress_.notify();
        const auto [error, count] = co_await pipe.async_read_some(asio::buffer(space.data(), space.size()), no_throw);
        --reading_;
        active_ = Clock::now();
        if (count > 0 && !discard_) {
            if (first) stream.put(std::span(little).first(count));
            else stream.commit(count);
            first = false;
        }
        if (count >= usual_pipe && !wide) wide = widen(pipe.native_handle());
        if (count > 0) streams_.on_ready();
        if (open_ || (error && error != asio::error::operation_aborted)) break;
    }
    pipe.close();
    stream.close();
    say_end_soon();
    --pumps_;
    progress_.notify();
}

// Most commands end just after their output: both go out together, and are one message less to everybody.
void Job::say_end_soon() {
    if (ending_) return say_end(); // it may take its time to end
    if (end_due_ != Clock::time_point::max()) return;
    end_due_ = Clock::now() + between_output_and_exit;
    end_asked_.notify();
}

void Job::say_end() {
    end_due_ = Clock::time_point::max();
    streams_.on_ready();
}

// What the process left behind in the background may hold its output open for hours; that must not hold the client. Silence
// counts only while we are ready to read: a full window is the client's, not the command's.
asio::awaitable<void> Job::await_exit() {
    co_await child_.ended();
    command_ended_ = true;
    if (options_.recorded) streams_.on_ready();
    const Clock::time_point ended = Clock::now();
    if (child_.on_terminal()) co_await end_input();
    while (pumps_ > 0) {
        const Clock::time_point quiet = std::max(ended, active_) + quiet_after_exit;
        const bool waiting = reading_ == pumps_ && (!options_.wait_eof || ending_);
        if (waiting && Clock::now() >= quiet) break;
        co_await progress_.wait_until(waiting ? quiet : Clock::time_point::max());
    }
    open_ = pumps_ > 0;
    if (open_ && child_.output->is_open()) child_.output->cancel();
    if (open_ && child_.error && child_.error->is_open()) child_.error->cancel();
    if (child_.on_terminal()) co_await with_deadline(child_.dismiss(), leader_patience);
}

// Nothing more goes into the terminal: so it is certain what of the input nobody has read.
asio::awaitable<void> Job::end_input() {
    input_over_ = true;
    input_ready_.notify();
    if (child_.input) child_.input->cancel();
    co_await with_deadline(take_unread(), leader_patience);
}

asio::awaitable<void> Job::take_unread() {
    const std::string left = co_await child_.take_unread();
    unread_ = unread_typed(typed_, left);
}

asio::awaitable<void> Job::feed_input() {
    if (RecvStream* stream = streams_.receiver(StreamName::stdin_)) {
        co_await write_input(*stream);
        if (over_) co_return;
        if (held_) let_go();
        if (!input_over_) child_.close_input();
    }
}

asio::awaitable<void> Job::write_input(RecvStream& stream) {
    bool wide = child_.on_terminal();
    while (!stream.drained() && !input_over_ && !over_) {
        const std::span<const std::byte> bytes = stream.readable();
        if (bytes.empty()) {
            co_await input_ready_.wait();
            continue;
        }
        const auto [error, count] = co_await child_.input->async_write_some(asio::buffer(bytes.data(), bytes.size()), no_throw);
        note_input(bytes.first(count));
        if (count >= usual_pipe && !wide) wide = widen(child_.input->native_handle());
        stream.consume(count);
        if (error) { // nobody reads it any more
            streams_.stop_receiving(StreamName::stdin_);
            co_return;
        }
        streams_.on_ready();
    }
}

void Job::note_input(std::span<const std::byte> bytes) {
    written_ += bytes.size();
    if (!child_.on_terminal()) return;
    typed_ += as_text(bytes);
    if (typed_.size() > 2 * most_left) typed_.erase(0, typed_.size() - most_left);
    if (held_ && written_ >= options_.typed) let_go();
}

void Job::let_go() {
    held_ = false;
    child_.let_go();
}

asio::awaitable<void> Job::enforce_end() {
    while (!ending_) {
        const Clock::time_point due = std::min(std::min(time_limit(), linger_end_), end_due_);
        co_await end_asked_.wait_until(due);
        if (over_) co_return;
        if (Clock::now() >= end_due_) say_end();
        if (Clock::now() >= linger_end_) end(ExitReason::abandoned);
        else if (!ending_ && Clock::now() >= time_limit()) ending_ = ExitReason::timeout;
    }
    say_end();
    progress_.notify();
    for (const int number : steps_of(*ending_)) {
        child_.signal_all(number);
        const auto next = Clock::now() + ending_step;
        while (!over_ && Clock::now() < next) co_await end_asked_.wait_until(next);
        if (over_) co_return;
    }
    // Its output may still wait for a client that never comes back.
    while (!over_ && Clock::now() < linger_end_) co_await end_asked_.wait_until(linger_end_);
    if (!over_) end(ExitReason::abandoned);
}

Clock::time_point Job::time_limit() const { return options_.timeout ? started_ + *options_.timeout : Clock::time_point::max(); }

void Job::take(const JobMessage& message, std::span<const std::byte> body) {
    std::visit([&](const auto& one) { take_one(one, body); }, message);
}

void Job::take_one(const Data& message, std::span<const std::byte> body) {
    streams_.take(message, body);
    input_ready_.notify();
}

void Job::take_one(const Eof& message, std::span<const std::byte>) {
    streams_.take(message);
    input_ready_.notify();
}

void Job::take_one(const Ack& message, std::span<const std::byte>) {
    streams_.take(message);
    (message.stream == StreamName::stderr_ ? error_room_ : output_room_).notify();
}

void Job::take_one(const Stop& message, std::span<const std::byte>) {
    streams_.take(message);
    const bool is_error = message.stream == StreamName::stderr_;
    (is_error ? error_room_ : output_room_).notify();
    auto& pipe = is_error ? child_.error : child_.output;
    if (pipe && pipe->is_open()) pipe->cancel();
}

void Job::take_one(const Signal& message, std::span<const std::byte>) {
    std::uint64_t& taken = claimants_.latest()->signals;
    if (message.number <= taken) return;
    signal(message.name);
    taken = message.number;
}

void Job::signal(const std::string& name) {
    const auto number = signal_number(name);
    if (!number) throw Error(ErrorCode::bad_message, "field 'name' is not a signal of this host");
    child_.signal_group(*number);
}

void Job::kill(const std::string& name) {
    if (finished_) throw Error(ErrorCode::no_such_job, "the job has ended");
    signal(name);
}

std::uint64_t Job::produced(StreamName name) {
    const SendStream* stream = streams_.sender(name);
    return stream != nullptr ? stream->end() : 0;
}

Listed Job::listed() {
    Listed listed;
    listed.job = facts_.id;
    listed.state = finished_ ? Standing::finished : client_ != nullptr ? Standing::attached : Standing::lingering;
    listed.age = static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - started_).count());
    listed.stdout_ = produced(StreamName::stdout_);
    listed.stderr_ = produced(StreamName::stderr_);
    if (!exit_) return listed;
    listed.reason = exit_->reason;
    listed.code = exit_->code;
    listed.signal = exit_->signal;
    return listed;
}

void Job::take_one(const Resize& message, std::span<const std::byte>) {
    if (child_.on_terminal() && !finished_) child_.resize({message.rows, message.columns});
}

void Job::take_one(const Keep& message, std::span<const std::byte>) {
    options_.keep =
        std::chrono::seconds(std::min<std::uint64_t>(message.seconds, static_cast<std::uint64_t>(options_.most_keep.count())));
}

void Job::end(ExitReason reason) {
    if (!options_.recorded && (reason == ExitReason::abandoned || client_ == nullptr)) {
        discard_ = true;
        output_room_.notify();
        error_room_.notify();
    }
    if (ending_) return;
    ending_ = reason;
    end_asked_.notify();
}

void Job::finish() {
    if (!child_.on_terminal()) child_.close_input();
    exit_ = describe(child_.reap());
    finished_ = true;
    log(*exit_);
    if (client_ != nullptr) client_->ended(*exit_);
    // What a signal cut short says nothing.
    streams_.finish_with(*exit_, exit_->code ? child_.state() : std::string());
}

Exit Job::describe(const ProcessEnd& end) {
    Exit exit;
    exit.job = facts_.id;
    exit.reason = ending_.value_or(ExitReason::exited);
    if (end.code) exit.code = static_cast<std::uint64_t>(*end.code);
    if (end.signal) exit.signal = signal_name(*end.signal);
    exit.stdout_ = produced(StreamName::stdout_);
    exit.stderr_ = produced(StreamName::stderr_);
    exit.stdin_ = written_ - std::min(written_, child_.on_terminal() ? unread_ : child_.unread_input());
    exit.open = open_;
    exit.usage = {
        static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - started_).count()),
        end.user_us, end.system_us, end.max_rss_kib};
    exit.boot = facts_.boot;
    return exit;
}

void Job::log(const Exit& exit) const {
    const std::string status = exit.code ? std::to_string(*exit.code) : *exit.signal;
    log_event("job", {{"job", facts_.id}, {"key", facts_.key_id}, {"from", facts_.address}, {"user", facts_.user},
                         {"command", facts_.command}, {"reason", std::string(to_string(exit.reason))}, {"status", status},
                         {"seconds", seconds_text(exit.usage.wall_us)}, {"stdin", std::to_string(exit.stdin_)},
                         {"stdout", std::to_string(exit.stdout_)}, {"stderr", std::to_string(exit.stderr_)}});
}

} // namespace rc
