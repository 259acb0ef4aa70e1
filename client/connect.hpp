// Getting a connection to a server.
#pragma once

#include "client/connection.hpp"
#include "client/options.hpp"

#include <boost/asio/ssl/context.hpp>

#include <memory>

namespace rc {

// Resolves, connects and authenticates the server; each of these has a time-out. Throws Failure{no_host, no_server, not_rcmd_server,
// auth_failed …} that names the host and the way out.
asio::awaitable<std::unique_ptr<Connection>> connect(
    const ClientOptions& options, const Key& key, boost::asio::ssl::context& tls);

// HOST:PORT as the user would write it.
std::string host_and_port(const ClientOptions& options);

} // namespace rc
