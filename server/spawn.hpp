// Starting processes: the ONLY file that includes boost/process. A child gets a session and process group of its own, no
// descriptor but 0, 1 and 2, default signal dispositions and an empty mask, the daemon's original limits, and HUP when the
// thread that started it ends; so call spawn() only from threads that live as long as the daemon.
#pragma once

#include "common/message.hpp"
#include "server/account.hpp"
#include "server/child.hpp"
#include "server/launch_plan.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <optional>

#include <sys/resource.h>

namespace rc {

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
