// From a request to what is executed: program, arguments, environment, directory. No process is started here.
#pragma once

#include "common/message.hpp"
#include "server/account.hpp"
#include "server/exec_request.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rc {

struct LaunchPlan {
    std::string program;                  // as the request or the account names it
    std::vector<std::string> places;      // its paths: it is the first of them that can be executed
    std::vector<std::string> arguments;   // without the program
    std::vector<std::string> environment; // NAME=VALUE, complete
    std::string directory;
    bool any_directory = false; // / will do if it cannot be entered: nobody asked for this one
    std::optional<std::uint64_t> umask;
    bool state = false; // a command line that can leave its state, and was asked to
};

// Who is asking, for the job's environment.
struct Requester {
    std::string job;
    std::string key_id;
    std::string address; // ADDR:PORT
};

// This program itself, in a mode of its own.
inline constexpr const char* own_program = "/proc/self/exe";

// The subsystem that speaks SFTP: a program of this host, whose arguments are those of the request.
inline constexpr std::string_view sftp_subsystem = "sftp";

// `sftp_server` is the program of that; empty: it is looked for in the usual places. Throws Error{forbidden} for an environment
// name that is reserved, Error{not_found} for a program of mode argv that can be nowhere, Error{unsupported} for a subsystem that is
// not offered, or not in that way.
LaunchPlan make_launch_plan(const Exec& exec, const ExecRequest& request, const Account& account, const Requester& requester,
    const std::filesystem::path& sftp_server);

} // namespace rc
