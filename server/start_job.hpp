// From a request to a running job.
#pragma once

#include "server/account.hpp"
#include "server/exec_request.hpp"
#include "server/job.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>

#include <sys/resource.h>

namespace rc {

struct JobStart {
    Exec exec;
    ExecRequest request; // what exec's body says
    Account account;
    std::string key_id;
    std::string address; // ADDR:PORT of the client
    std::string boot;    // for exit
    std::chrono::seconds max_keep{};
    rlimit open_files{};
    bool recorded = false;               // see JobOptions
    std::filesystem::path sftp_server{}; // see make_launch_plan()
};

// Throws what make_launch_plan() throws; nothing is started.
void check_startable(const JobStart& start);

// Throws what make_launch_plan() and spawn() throw: then no process is left.
std::shared_ptr<Job> start_job(const boost::asio::any_io_executor& executor, const JobStart& start);

} // namespace rc
