// Starting processes: the ONLY file that includes boost/process. A child gets a session and process group of its own, no
// descriptor but 0, 1 and 2, default signal dispositions and an empty mask, the daemon's original limits, and HUP when the
// thread that started it ends; so call spawn() only from threads that live as long as the daemon.
#pragma once

#include "common/descriptor.hpp"
#include "server/account.hpp"
#include "server/launch_plan.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/readable_pipe.hpp>
#include <boost/asio/writable_pipe.hpp>

#include <cstdint>
#include <optional>

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
class Child {
public:
    Child(pid_t pid, const boost::asio::any_io_executor& executor);
    Child(Child&& other) noexcept;
    Child& operator=(Child&&) = delete;
    ~Child();

    [[nodiscard]] pid_t pid() const { return pid_; }

    // To be called once before ended(). Throws Error{internal}.
    void watch();
    // Ends when the process has ended; does not reap it.
    boost::asio::awaitable<void> ended();
    // To the whole process group; nothing happens if it is gone.
    void signal_group(int number) const;
    // Call once, after ended().
    ProcessEnd reap();

    // Closes input, if there is one: the command will find its end there.
    void close_input();
    // Bytes that were written to input and that no process has read.
    [[nodiscard]] std::uint64_t unread_input() const;

    std::optional<boost::asio::writable_pipe> input; // absent: the child reads /dev/null
    std::optional<boost::asio::readable_pipe> output;
    std::optional<boost::asio::readable_pipe> error; // absent: stderr goes into output

private:
    pid_t pid_;
    boost::asio::posix::stream_descriptor exit_notice_;
    Descriptor gauge_; // a reading end of the input pipe, to see what is left in it once ours is closed
};

struct SpawnOptions {
    bool input{};   // a pipe instead of /dev/null
    bool combine{}; // stderr into stdout
    rlimit open_files{};
};

// Starts `plan` as `account`, which must be this process's own unless that is root's. Throws Error{no_directory, not_found,
// not_executable, too_large, internal}: then no process is left.
Child spawn(
    const boost::asio::any_io_executor& executor, const LaunchPlan& plan, const Account& account, const SpawnOptions& options);

} // namespace rc
