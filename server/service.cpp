#include "server/service.hpp"

#include "common/bytes.hpp"
#include "common/tls.hpp"

#include <unistd.h>

namespace rc {

namespace {

SupervisorOptions supervisor_options(const ServerOptions& options, const rlimit& open_files) {
    SupervisorOptions wanted;
    wanted.max_spool = options.max_spool;
    wanted.max_state = options.max_state;
    wanted.max_keep = options.max_keep;
    wanted.open_files = open_files.rlim_cur;
    wanted.log_level = options.log_level;
    wanted.log_file = options.log_file;
    return wanted;
}

} // namespace

Service::Service(const ServerOptions& the_options, const Secret& secret, const rlimit& limit)
    : options(the_options), decoy_secret(secret), open_files(limit), boot(to_hex(make_random<Salt>())),
      keys(options.authorized_keys, ::geteuid() == 0),
      durable_jobs(options.state_dir / "jobs", supervisor_options(options, limit)), tls(make_server_tls()) {}

std::uint64_t Service::uptime() const {
    const auto age = std::chrono::steady_clock::now() - started_;
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(age).count());
}

} // namespace rc
