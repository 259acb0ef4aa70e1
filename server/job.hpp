// One requested command, from the start of its process to the message that says how it ended.
#pragma once

#include "common/async.hpp"
#include "common/job_streams.hpp"
#include "common/message.hpp"
#include "server/child.hpp"
#include "server/claimants.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
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
    std::chrono::seconds keep{};      // how long it lingers
    std::chrono::seconds most_keep{}; // and may at most
    bool recorded{};                  // whatever happens, its output is wanted
    std::uint64_t typed{};            // bytes of input before which a command on a terminal does not start
    JobWindows windows;
};

using JobMessage = std::variant<Data, Eof, Ack, Stop, Signal, Resize, Keep>;

// A client's claim to a job: to one that it starts (`start`, also if it says so again because it has not seen the answer), or to
// one that is there.
struct JobClaim {
    bool start = false;
    Attach attach;
};

// The connection that a job is attached to.
class JobClient {
public:
    virtual ~JobClient() = default;
    // Another one has taken the job: what the streams say does not go to this one any more. `stale`: it is a later connection of
    // the same client.
    virtual void replaced(bool stale) = 0;
    // The job is finished. Called before its streams say so; to whoever attaches later, at once.
    virtual void ended(const Exit& exit) = 0;
};

// Owned by its own coroutine and by the connections that hold it; lives on the thread of the one that started it. States: running until its
// process has ended and its output is complete (or abandoned), then finished: the closing message is in streams(). In both it is attached,
// or lingers: then it goes on, and stays, for the time that its client asked for. A job that was abandoned throws its output away.
class Job : public std::enable_shared_from_this<Job> {
public:
    // `child` has just been started. `limits`: what the client granted.
    Job(const asio::any_io_executor& executor, JobFacts facts, const JobOptions& options, Child child,
        const OutputLimits& limits);

    // Runs until the job is finished. Call once; it keeps the job alive.
    asio::awaitable<void> run();
    // Then: whether somebody can still want the result.
    [[nodiscard]] bool result_wanted() const { return !released_ && Clock::now() < linger_end_; }
    // Until another client has the job, or none, or nobody can want the result any more. One coroutine at a time.
    asio::awaitable<void> claim_change() { co_await claim_changed_.wait_until(linger_end_); }

    // Whoever had the job before is told. Returns the answer to the claim, which goes to the client before anything of streams().
    // Throws Error{conflict} if a later connection of that client has it, Error{no_such_job} if it was released, Error{bad_offset}.
    Message attach(JobClient& client, const JobClaim& claim);
    // Nothing happens if another one is attached meanwhile.
    void detach(const JobClient& client);
    // The client has taken the result, or does not want it.
    void release();

    // A signal from whom the job is not attached to. Throws Error{no_such_job} if it has ended, Error{bad_message}.
    void kill(const std::string& signal);
    // As it is now.
    [[nodiscard]] Listed listed();

    // A message from the client. Throws Error{bad_offset, bad_message}.
    void take(const JobMessage& message, std::span<const std::byte> body);

    // Ends the job for that reason unless it is ending already: HUP, TERM, KILL to the process group (a time-out begins with TERM),
    // each a step after the other. Nothing more is kept for a client if it is abandoned, or lingers.
    void end(ExitReason reason);

    [[nodiscard]] JobStreams& streams() { return streams_; }
    [[nodiscard]] const JobFacts& facts() const { return facts_; }
    [[nodiscard]] pid_t pid() const { return pid_; }
    [[nodiscard]] bool command_ended() const { return command_ended_; } // its output may go on
    [[nodiscard]] bool ending() const { return ending_.has_value(); }
    [[nodiscard]] bool has_client() const { return client_ != nullptr; }
    [[nodiscard]] bool finished() const { return finished_; }

private:
    Started started();
    Attached attached();
    bool output_taken();
    std::uint64_t produced(StreamName name); // bytes so far
    void signal(const std::string& name);
    void check_offset(StreamName name, const std::optional<std::uint64_t>& offset);
    // `stranger`: to the client, who does not know what the former one allowed.
    void resume(const Attach& attach, bool stranger);
    void take_one(const Data& message, std::span<const std::byte> body);
    void take_one(const Eof& message, std::span<const std::byte> body);
    void take_one(const Ack& message, std::span<const std::byte> body);
    void take_one(const Stop& message, std::span<const std::byte> body);
    void take_one(const Signal& message, std::span<const std::byte> body);
    void take_one(const Resize& message, std::span<const std::byte> body);
    void take_one(const Keep& message, std::span<const std::byte> body);
    void linger_until(Clock::time_point end);
    asio::awaitable<void> collect_output();
    void let_others_end();
    asio::awaitable<void> pump(asio::readable_pipe& pipe, StreamName name, Event& room);
    asio::awaitable<void> await_exit();
    asio::awaitable<void> feed_input();
    asio::awaitable<void> write_input(RecvStream& stream);
    void note_input(std::span<const std::byte> bytes);
    void let_go();
    void say_end_soon();
    void say_end();
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
    pid_t pid_; // its process, also when that has been reaped
    JobStreams streams_;
    Clock::time_point started_ = Clock::now();

    Event output_room_;
    Event error_room_;
    Event input_ready_;
    Event end_asked_;
    Event progress_; // of the pumps, for await_exit()
    Event claim_changed_;

    JobClient* client_ = nullptr;                          // nobody: it lingers
    Claimants claimants_;                                  // the latest one is or was attached
    Clock::time_point end_due_ = Clock::time_point::max(); // when the end of an output has to be said at the latest
    Clock::time_point linger_end_ = Clock::time_point::max();
    bool released_ = false;

    std::optional<ExitReason> ending_;
    bool discard_ = false; // nobody will read the output
    bool command_ended_ = false;
    bool over_ = false; // the command has ended, and its output has been taken or given up
    bool open_ = false; // the output was not at its end
    bool finished_ = false;
    std::optional<Exit> exit_;
    int pumps_ = 0;              // output pipes that are not at their end
    int reading_ = 0;            // of these, the ones that wait for the command
    Clock::time_point active_{}; // the last time that output came or a pipe began to wait for it
    std::uint64_t written_ = 0;  // into the command's stdin
    std::string typed_;          // on a terminal: the last bytes of it
    std::uint64_t unread_ = 0;   // of it, that nobody has read
    bool held_;                  // the command waits for what was typed before it
    bool input_over_ = false;    // the command on the terminal has ended
};

} // namespace rc
