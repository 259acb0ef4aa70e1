// One requested command, from the start of its process to the message that says how it ended.
#pragma once

#include "common/async.hpp"
#include "common/job_streams.hpp"
#include "common/message.hpp"
#include "server/spawn.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace rc {

// What the log says of a job beside what it knows itself.
struct JobFacts {
    std::string id;
    std::string key_id;
    std::string address;
    std::string user;
    std::string command;
    std::string boot; // for exit
};

// Bytes that this end keeps for each stream; 0 for one that the job does not have.
struct JobWindows {
    std::size_t output{};
    std::size_t error{};
    std::size_t input{};
    [[nodiscard]] std::size_t total() const { return output + error + input; }
};

// The windows of a request: what its client grants, but no more than limits::window each, or limits::terminal_window.
JobWindows windows_of(const Exec& exec);

struct JobOptions {
    std::optional<std::chrono::seconds> timeout;
    bool wait_eof{};
    std::uint64_t typed{}; // bytes of input before which a command on a terminal does not start
    JobWindows windows;
};

// Owned by the session that started it and by its own coroutine; lives on that session's thread. States: running until its
// process has ended and its output is complete (or abandoned), then finished: the closing message is in streams(), which
// keep what has not been sent. A job that nobody is attached to any more throws its output away.
class Job : public std::enable_shared_from_this<Job> {
public:
    // `child` has just been started. `limits`: what the client granted.
    Job(const asio::any_io_executor& executor, JobFacts facts, const JobOptions& options, Child child,
        const OutputLimits& limits);

    // Runs until the job is finished. Call once; it keeps the job alive.
    asio::awaitable<void> run();

    // Messages from the client. Throw Error{bad_offset}.
    void take(const Data& message, std::span<const std::byte> body);
    void take(const Eof& message);
    void take(const Ack& message);
    void take(const Stop& message);
    void take(const Signal& message);
    void take(const Resize& message);

    // Ends the job for that reason unless it is ending already: HUP, TERM, KILL to the process group (a time-out begins with TERM),
    // each a step after the other. Nothing more is sent to a client if it is abandoned.
    void end(ExitReason reason);

    [[nodiscard]] JobStreams& streams() { return streams_; }
    [[nodiscard]] const JobFacts& facts() const { return facts_; }
    [[nodiscard]] pid_t pid() const { return child_.pid(); }
    [[nodiscard]] std::uint64_t input_limit();
    [[nodiscard]] bool finished() const { return finished_; }
    [[nodiscard]] const JobWindows& windows() const { return options_.windows; }

private:
    asio::awaitable<void> collect_output();
    asio::awaitable<void> pump(asio::readable_pipe& pipe, StreamName name, Event& room);
    asio::awaitable<void> await_exit();
    asio::awaitable<void> feed_input();
    asio::awaitable<void> write_input(RecvStream& stream);
    void note_input(std::span<const std::byte> bytes);
    void let_go();
    asio::awaitable<void> end_input();
    asio::awaitable<void> take_unread();
    asio::awaitable<void> enforce_end();
    Clock::time_point time_limit() const;
    void finish();
    Exit describe(const ProcessEnd& end);
    void log(const Exit& exit) const;

    JobFacts facts_;
    JobOptions options_;
    Child child_;
    JobStreams streams_;
    Clock::time_point started_ = Clock::now();

    Event output_room_;
    Event error_room_;
    Event input_ready_;
    Event end_asked_;
    Event progress_; // of the pumps, for await_exit()

    std::optional<ExitReason> ending_;
    bool discard_ = false; // nobody will read the output
    bool open_ = false;    // the output was not at its end
    bool finished_ = false;
    int pumps_ = 0;              // output pipes that are not at their end
    int reading_ = 0;            // of these, the ones that wait for the command
    Clock::time_point active_{}; // the last time that output came or a pipe began to wait for it
    std::uint64_t written_ = 0;  // into the command's stdin
    std::string typed_;          // on a terminal: the last bytes of it
    std::uint64_t unread_ = 0;   // of it, that nobody has read
    bool held_;                  // the command waits for what was typed before it
    bool input_over_ = false;    // the command on the terminal has ended
    std::uint64_t signals_ = 0;  // the highest number taken
};

} // namespace rc
