#include "server/service.hpp"

#include "common/bytes.hpp"
#include "common/tls.hpp"

#include <unistd.h>

namespace rc {

Service::Service(const ServerOptions& the_options, const Secret& secret, const rlimit& limit)
    : options(the_options), decoy_secret(secret), open_files(limit), boot(to_hex(make_random<Salt>())),
      keys(options.authorized_keys, ::geteuid() == 0), tls(make_server_tls()) {}

std::uint64_t Service::uptime() const {
    const auto age = std::chrono::steady_clock::now() - started_;
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(age).count());
}

} // namespace rc
