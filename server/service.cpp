#include "server/service.hpp"

#include "common/bytes.hpp"
#include "common/tls.hpp"

#include <unistd.h>

#include <algorithm>

namespace rc {

namespace {

SupervisorOptions supervisor_options(const ServerOptions& options, const rlimit& open_files) {
    SupervisorOptions wanted;
    wanted.max_spool = options.max_spool;
    wanted.max_state = options.max_state;
    wanted.max_keep = options.max_keep;
    wanted.open_files = open_files.rlim_cur;
    wanted.log = {options.log_file, options.log_level, options.log_format};
    return wanted;
}

// Each holds a descriptor, of which there may be few.
std::size_t most_strangers(const ServerOptions& options, const rlimit& open_files) {
    return std::min<std::size_t>(options.max_unauthenticated, std::max<rlim_t>(open_files.rlim_max / 4, 1));
}

} // namespace

Service::Service(const ServerOptions& the_options, const Secret& secret, const Identity& identity, const rlimit& limit)
    : options(the_options), decoy_secret(secret), open_files(limit), boot(to_hex(make_random<Salt>())),
      keys(options.authorized_keys, ::geteuid() == 0), admission(most_strangers(the_options, limit)),
      durable_jobs(jobs_directory(options.state_dir), supervisor_options(options, limit)), tls(make_server_tls(identity)) {}

std::uint64_t Service::uptime() const {
    const auto age = std::chrono::steady_clock::now() - started_;
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(age).count());
}

} // namespace rc
