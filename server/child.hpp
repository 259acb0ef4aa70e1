// A process that spawn() has started.
#pragma once

#include "common/descriptor.hpp"
#include "common/message.hpp"
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

// Waits for the end of a process, as wait4(2) does, but goes on when it is interrupted.
void wait_for_process(pid_t pid, int* status = nullptr, rusage* usage = nullptr);

// How a process ended. Exactly one of code and signal says it.
struct ProcessEnd {
    std::optional<int> code;
    std::optional<int> signal;
    std::uint64_t user_us{};
    std::uint64_t system_us{};
    std::uint64_t max_rss_kib{};
};

// The daemon's ends of what a process has; not open: it does not have that.
struct ChildEnds {
    Descriptor input;
    Descriptor output;
    Descriptor error;
    Descriptor control; // a stream socket to the leader of its terminal
    Descriptor state;   // where it leaves its state
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

    // To be called once, before anything else. Throws Error{outcome_unknown}: by then the program may have done its work.
    void connect(ChildEnds ends);
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
    void watch();

    pid_t pid_;
    boost::asio::posix::stream_descriptor exit_notice_;
    Descriptor gauge_; // a reading end of the input pipe, to see what is left in it once ours is closed
    std::optional<boost::asio::local::stream_protocol::socket> control_; // to the leader
    LeaderReport report_{};                                              // the last one of the leader
    Descriptor state_;
};

} // namespace rc
