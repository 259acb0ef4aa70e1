// Every message of the protocol: one described struct each, and ONE table that gives its name on the wire, who sends
// it, in which phase it is legal and how large its body may be. Nobody else spells a message's name.
// PROTOCOL.md is the normative text. A field's name on the wire is the member's, less one trailing underscore.
#pragma once

#include "common/error.hpp"
#include "common/limits.hpp"

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <variant>
#include <vector>

namespace rc {

BOOST_DEFINE_ENUM_CLASS(StreamName, stdin_, stdout_, stderr_)
BOOST_DEFINE_ENUM_CLASS(ExecMode, shell, argv, subsystem)
BOOST_DEFINE_ENUM_CLASS(ExitReason, exited, timeout, abandoned, shutdown)
BOOST_DEFINE_ENUM_CLASS(JobState, running, finished)
// As `jobs` shows it. full: it waits because its output has no room left; unknown: it was started, and nobody saw its end.
BOOST_DEFINE_ENUM_CLASS(Standing, attached, lingering, detached, full, finished, unknown)

struct Hello {
    std::vector<std::uint64_t> versions;
    std::vector<std::string> features;
    std::string key_id;
    std::string user;  // the remote user asked for; empty: the key's first
    std::string nonce; // base64 of 32 bytes
};
BOOST_DESCRIBE_STRUCT(Hello, (), (versions, features, key_id, user, nonce))

// Body: the server's proof, 32 bytes.
struct Challenge {
    std::uint64_t version{};
    std::vector<std::string> features;
    std::string nonce;      // base64 of 32 bytes
    std::string salt;       // base64 of 16 bytes
    std::string boot;       // names this run of the daemon
    std::uint64_t uptime{}; // milliseconds on the clock of this run
};
BOOST_DESCRIBE_STRUCT(Challenge, (), (version, features, nonce, salt, boot, uptime))

// Body: the client's proof, 32 bytes.
struct Auth {};
BOOST_DESCRIBE_STRUCT(Auth, (), ())

struct ServerLimits {
    std::uint64_t jobs{};    // jobs that the key may have at a time, on all its connections
    std::uint64_t window{};  // bytes, of one stream
    std::uint64_t windows{}; // bytes, of all open streams of this connection
};
BOOST_DESCRIBE_STRUCT(ServerLimits, (), (jobs, window, windows))

struct Welcome {
    ServerLimits limits;
};
BOOST_DESCRIBE_STRUCT(Welcome, (), (limits))

struct WindowSize {
    std::uint64_t rows{};
    std::uint64_t columns{};
};
BOOST_DESCRIBE_STRUCT(WindowSize, (), (rows, columns))

// A terminal for the job.
struct Pty {
    std::uint64_t rows{};
    std::uint64_t columns{};
    std::string term; // TERM; may be empty
    // Bytes of stdin that were typed before the command starts: it starts when it can read them, and they are not echoed.
    std::uint64_t typed{};
};
BOOST_DESCRIBE_STRUCT(Pty, (), (rows, columns, term, typed))

// The highest offsets that the receiver of a request's output allows for now.
struct OutputLimits {
    std::uint64_t stdout_{};
    std::uint64_t stderr_{};
};
BOOST_DESCRIBE_STRUCT(OutputLimits, (), (stdout_, stderr_))

struct InputLimits {
    std::uint64_t stdin_{};
};
BOOST_DESCRIBE_STRUCT(InputLimits, (), (stdin_))

// The job of this connection whose end a request waits for.
struct After {
    std::string job;
    bool success{}; // if that one does not exit with 0 the request is not executed
};
BOOST_DESCRIBE_STRUCT(After, (), (job, success))

// Body: `words` NUL-terminated words, the directory (empty: the home directory), then NAME=VALUE until the end.
struct Exec {
    std::string job;
    std::string boot;       // as last seen before this request was first sent
    std::uint64_t uptime{}; // likewise
    std::string client;     // random for each client process
    std::uint64_t generation{};
    ExecMode mode{};
    std::uint64_t words{};
    std::optional<Pty> pty;
    bool stdin_{}; // false: the job reads /dev/null
    bool combine{};
    bool state{};                         // send back the directory, umask and environment at the end
    std::optional<std::uint64_t> umask;   // the request goes on from a state: this is its umask, and its environment is whole
    std::uint64_t keep{};                 // seconds
    std::optional<std::uint64_t> timeout; // seconds
    bool wait_eof{};
    bool durable{};
    bool detach{};
    std::optional<After> after;
    OutputLimits limits;
};
BOOST_DESCRIBE_STRUCT(Exec, (),
    (job, boot, uptime, client, generation, mode, words, pty, stdin_, combine, state, umask, keep, timeout, wait_eof, durable,
        detach, after, limits))

struct Attach {
    std::string job;
    std::string client;
    std::uint64_t generation{};
    std::optional<std::uint64_t> stdout_; // received so far; absent: from the oldest kept byte
    std::optional<std::uint64_t> stderr_;
    bool tail{};                        // begin where the output ends now instead
    std::optional<OutputLimits> limits; // absent: a window beyond the offset
    std::optional<WindowSize> pty;
};
BOOST_DESCRIBE_STRUCT(Attach, (), (job, client, generation, stdout_, stderr_, tail, limits, pty))

struct Started {
    std::string job;
    std::uint64_t pid{};
    InputLimits limits;
};
BOOST_DESCRIBE_STRUCT(Started, (), (job, pid, limits))

struct Attached {
    std::string job;
    JobState state{};
    std::uint64_t stdin_{};  // received so far
    std::uint64_t signals{}; // the highest signal number taken
    std::uint64_t stdout_{}; // where sending goes on
    std::uint64_t stderr_{};
    bool durable{}; // it will be found again after a restart of the server, too
    InputLimits limits;
};
BOOST_DESCRIBE_STRUCT(Attached, (), (job, state, stdin_, signals, stdout_, stderr_, durable, limits))

// Body: 1 to 64 KiB of the stream, from `offset`.
struct Data {
    std::string job;
    StreamName stream{};
    std::uint64_t offset{};
};
BOOST_DESCRIBE_STRUCT(Data, (), (job, stream, offset))

struct Eof {
    std::string job;
    StreamName stream{};
    std::uint64_t offset{}; // the stream's total
};
BOOST_DESCRIBE_STRUCT(Eof, (), (job, stream, offset))

struct Ack {
    std::string job;
    StreamName stream{};
    std::uint64_t offset{}; // everything before it has been written
    std::uint64_t limit{};  // the highest offset that may be sent
};
BOOST_DESCRIBE_STRUCT(Ack, (), (job, stream, offset, limit))

struct Stop {
    std::string job;
    StreamName stream{};
};
BOOST_DESCRIBE_STRUCT(Stop, (), (job, stream))

struct Signal {
    std::string job;
    std::uint64_t number{}; // counts this job's signals from 1
    std::string name;       // without SIG: INT, TERM …
};
BOOST_DESCRIBE_STRUCT(Signal, (), (job, number, name))

struct Resize {
    std::string job;
    std::uint64_t rows{};
    std::uint64_t columns{};
};
BOOST_DESCRIBE_STRUCT(Resize, (), (job, rows, columns))

struct Keep {
    std::string job;
    std::uint64_t seconds{};
};
BOOST_DESCRIBE_STRUCT(Keep, (), (job, seconds))

struct Release {
    std::string job;
};
BOOST_DESCRIBE_STRUCT(Release, (), (job))

// Which jobs there are.
struct Jobs {};
BOOST_DESCRIBE_STRUCT(Jobs, (), ())

// One of them. Body: the beginning of its command.
struct Listed {
    std::string job;
    Standing state{};
    bool durable{};
    std::uint64_t age{};     // seconds since it was asked for
    std::uint64_t stdout_{}; // bytes so far
    std::uint64_t stderr_{};
    std::optional<ExitReason> reason; // of its end, then as in exit
    std::optional<std::uint64_t> code;
    std::optional<std::string> signal;
};
BOOST_DESCRIBE_STRUCT(Listed, (), (job, state, durable, age, stdout_, stderr_, reason, code, signal))

// That was all of them.
struct ListedAll {
    std::uint64_t count{};
};
BOOST_DESCRIBE_STRUCT(ListedAll, (), (count))

// A signal to a job that this connection need not be attached to.
struct Kill {
    std::string job;
    std::string name; // without SIG
};
BOOST_DESCRIBE_STRUCT(Kill, (), (job, name))

struct Killed {
    std::string job;
};
BOOST_DESCRIBE_STRUCT(Killed, (), (job))

struct Ping {};
BOOST_DESCRIBE_STRUCT(Ping, (), ())

struct Pong {
    std::string boot;
    std::uint64_t uptime{};
};
BOOST_DESCRIBE_STRUCT(Pong, (), (boot, uptime))

struct Usage {
    std::uint64_t wall_us{};
    std::uint64_t user_us{};
    std::uint64_t system_us{};
    std::uint64_t max_rss_kib{};
};
BOOST_DESCRIBE_STRUCT(Usage, (), (wall_us, user_us, system_us, max_rss_kib))

// Body: the state that the command ended with, if it was asked for. Exactly one of code and signal is present.
struct Exit {
    std::string job;
    ExitReason reason{};
    std::optional<std::uint64_t> code;
    std::optional<std::string> signal; // without SIG
    std::uint64_t stdout_{};           // the totals of what was sent
    std::uint64_t stderr_{};
    std::uint64_t stdin_{}; // what the job consumed
    bool open{};            // output descriptors were still held by another process
    Usage usage;
    std::string boot;
};
BOOST_DESCRIBE_STRUCT(Exit, (), (job, reason, code, signal, stdout_, stderr_, stdin_, open, usage, boot))

struct ErrorMessage {
    std::optional<std::string> job;
    ErrorCode code{};
    std::string message;
    std::optional<std::uint64_t> retry_after; // seconds
};
BOOST_DESCRIBE_STRUCT(ErrorMessage, (), (job, code, message, retry_after))

enum class Peer { client, server };

// A receiver's place in the conversation. The server is in `greeting` until it has taken hello, in `proof` until it
// has verified auth; the client in `greeting` until challenge, in `proof` until welcome; then both are `open`.
enum class Phase { greeting, proof, open };

enum class From { client, server, either };
enum class In { greeting, proof, open, any };

template <class T>
struct MessageRow {
    using Type = T;
    std::string_view name;
    From from;
    In phase;
    std::optional<std::size_t> body; // its limit in bytes; none: the message has no body and no `size`
};

inline constexpr auto message_table = std::tuple{
    MessageRow<Hello>{"hello", From::client, In::greeting, {}},
    MessageRow<Challenge>{"challenge", From::server, In::greeting, limits::body_before_proof},
    MessageRow<Auth>{"auth", From::client, In::proof, limits::body_before_proof},
    MessageRow<Welcome>{"welcome", From::server, In::proof, {}},
    MessageRow<Exec>{"exec", From::client, In::open, limits::exec_body},
    MessageRow<Attach>{"attach", From::client, In::open, {}},
    MessageRow<Started>{"started", From::server, In::open, {}},
    MessageRow<Attached>{"attached", From::server, In::open, {}},
    MessageRow<Data>{"data", From::either, In::open, limits::data_body},
    MessageRow<Eof>{"eof", From::either, In::open, {}},
    MessageRow<Ack>{"ack", From::either, In::open, {}},
    MessageRow<Stop>{"stop", From::either, In::open, {}},
    MessageRow<Signal>{"signal", From::client, In::open, {}},
    MessageRow<Resize>{"resize", From::client, In::open, {}},
    MessageRow<Keep>{"keep", From::client, In::open, {}},
    MessageRow<Release>{"release", From::client, In::open, {}},
    MessageRow<Jobs>{"jobs", From::client, In::open, {}},
    MessageRow<Listed>{"listed", From::server, In::open, limits::listed_body},
    MessageRow<ListedAll>{"listed_all", From::server, In::open, {}},
    MessageRow<Kill>{"kill", From::client, In::open, {}},
    MessageRow<Killed>{"killed", From::server, In::open, {}},
    MessageRow<Ping>{"ping", From::client, In::open, {}},
    MessageRow<Pong>{"pong", From::server, In::open, {}},
    MessageRow<Exit>{"exit", From::server, In::open, limits::state_body},
    MessageRow<ErrorMessage>{"error", From::server, In::any, {}},
};

namespace detail {
template <class Table>
struct VariantOf;
template <class... T>
struct VariantOf<std::tuple<MessageRow<T>...>> {
    using Type = std::variant<T...>;
};
} // namespace detail

using Message = detail::VariantOf<std::remove_cv_t<decltype(message_table)>>::Type;

} // namespace rc
