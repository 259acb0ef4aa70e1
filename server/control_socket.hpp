// How the local administrator's commands reach the daemon: a socket in the state directory, which only its owner and root can open.
// A request is one line of JSON; the answer is `ok` or `error` on a line, and then text until the end.
#pragma once

#include "server/job_control.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>

#include <filesystem>
#include <optional>
#include <string>

namespace rc {

class ControlSocket {
public:
    // `state_dir` is this server's alone: a socket that is there is a former one's. `table` and `durable` outlive this object. Throws
    // Error{internal}.
    ControlSocket(boost::asio::io_context& context, const std::filesystem::path& state_dir, const JobTable& table,
        const DurableJobs& durable);

    // Answers until its executor ends.
    boost::asio::awaitable<void> run();

private:
    const JobTable& table_;
    const DurableJobs& durable_;
    boost::asio::local::stream_protocol::acceptor acceptor_;
};

// What the daemon of that state directory answers; nothing: there is none. Waits for it. Throws Error{internal} with what the daemon
// refused.
std::optional<std::string> ask_daemon(const std::filesystem::path& state_dir, const ControlRequest& request);

} // namespace rc
