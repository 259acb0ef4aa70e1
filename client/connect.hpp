// Getting a connection to a server.
#pragma once

#include "client/connection.hpp"
#include "client/options.hpp"

#include <memory>

namespace rc {

// Resolves, connects and authenticates the server, which becomes known to `host` then; each of these has a time-out. A server that asks to
// come back later is obeyed, within the time-out for connecting, and that is said on stderr. Throws
// Failure{no_host, no_server, not_rcmd_server, host_changed, unknown_host, auth_failed …} that names the host and the way out.
asio::awaitable<std::unique_ptr<Connection>> connect(const ClientOptions& options, const Key& key, HostCheck& host);

// HOST:PORT as the user would write it.
std::string host_and_port(const ClientOptions& options);

} // namespace rc
