// Starting processes: the ONLY file that includes boost/process. A child gets a session and process group of its own, no
// descriptor but 0, 1 and 2, default signal dispositions and an empty mask, the daemon's original limits, and HUP when the
// thread that started it ends; so call spawn() only from threads that live as long as the daemon.
#pragma once

#include "common/descriptor.hpp"
#include "server/account.hpp"
#include "server/launch_plan.hpp"
#include "server/terminal_leader.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/readable_pipe.hpp>
#include <boost/asio/writable_pipe.hpp>

#include <cstdint>
#include <optional>
#include <string>

#include <sys/resource.h>
#include <sys/types.h>

namespace rc {

// How a process ended. Exactly one of code and signal says it.
struct ProcessEnd {
    std::optional<int> code;
    std::optional<int> signal;
    std::uint64_t user_us{};
    std::uint64_t system_us{};
    std::uint64_t max_rss_kib{};
};

// A process that was started here, and the daemon's ends of its pipes. It is a zombie from its end until reap(), so that its
// process group's id belongs to nobody else. Destroyed before that, it kills the group and waits.
// On a terminal the process is the terminal's leader (see terminal_leader.hpp), and the command is its child.
class Child {
public:
    Child(pid_t pid, const boost::asio::any_io_executor& executor);
    Child(Child&& other) noexcept;
    Child& operator=(Child&&) = delete;
    ~Child();

    [[nodiscard]] pid_t pid() const { return pid_; }
    [[nodiscard]] bool on_terminal() const { return control_.has_value(); }

    // To be called once before ended(). Throws Error{outcome_unknown}: by then the program may have done its work.
    void watch();
    // Ends when the command has ended; does not reap it.
    boost::asio::awaitable<void> ended();
    // To the command's whole process group; nothing happens if it is gone.
    void signal_group(int number);
    // To what else the command has started, too, in process groups of its own.
    void signal_all(int number);
    // Call once, after ended().
    ProcessEnd reap();

    // Closes input, if there is one: the command will find its end there. On a terminal it is typed.
    void close_input();
    // Bytes that were written to the input pipe and that no process has read.
    [[nodiscard]] std::uint64_t unread_input() const;

    // On a terminal only. Lets a command start that was held.
    void let_go();
    void resize(const WindowSize& size);
    // Call once, after ended(): what was typed and nobody has read, as the terminal holds it. Then what is left behind has no
    // terminal any more.
    boost::asio::awaitable<std::string> take_unread();
    // Ends when the leader has.
    boost::asio::awaitable<void> dismiss();
    // The state that the command ended with, as exit's body; empty: none.
    [[nodiscard]] std::string state() const;

    std::optional<boost::asio::writable_pipe> input; // absent: the child reads /dev/null
    std::optional<boost::asio::readable_pipe> output;
    std::optional<boost::asio::readable_pipe> error; // absent: stderr goes into output

private:
    friend Child spawn(const boost::asio::any_io_executor&, const LaunchPlan&, const Account&, const struct SpawnOptions&);

    pid_t pid_;
    boost::asio::posix::stream_descriptor exit_notice_;
    Descriptor gauge_; // a reading end of the input pipe, to see what is left in it once ours is closed
    std::optional<boost::asio::local::stream_protocol::socket> control_; // to the leader
    LeaderReport report_{};                                              // the last one of the leader
    Descriptor state_;
};

struct SpawnOptions {
    bool input{};                // a pipe instead of /dev/null
    bool combine{};              // stderr into stdout
    std::optional<Pty> terminal; // for all three, instead of pipes; the command is held if something was typed before it
    rlimit open_files{};
};

// Opens what all children share, so that it is there when descriptors run out. Throws Error{internal}.
void prepare_to_spawn();

// Starts `plan` as `account`, which must be this process's own unless that is root's. Throws Error{no_directory, not_found,
// not_executable, too_large, busy, internal}: then no process is left; nor with Error{outcome_unknown}, but the program may have run.
Child spawn(
    const boost::asio::any_io_executor& executor, const LaunchPlan& plan, const Account& account, const SpawnOptions& options);

} // namespace rc
