// One connection to a server, authenticated on both sides but for the client's proof, which goes out with the first request.
#pragma once

#include "client/host_check.hpp"
#include "client/key_file.hpp"
#include "client/server_run.hpp"
#include "common/async.hpp"
#include "common/auth.hpp"
#include "common/channel.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>

#include <functional>
#include <memory>
#include <string>

namespace rc {

struct Connection {
    // `socket` is connected.
    Connection(boost::asio::ip::tcp::socket socket, boost::asio::ssl::context& tls)
        : channel(std::move(socket), tls, Peer::client) {}

    // TLS, hello, challenge; the server has proved that it knows `key`. Throws Error and system_error for what the server did
    // wrong, Failure{auth_failed} if it knows another key or none, and what HostCheck::check() throws.
    asio::awaitable<void> secure(const Key& key, const std::string& user, HostCheck& host);

    Channel channel;
    ServerRun run;
    Digest proof{}; // the body of auth
};

// Makes another one to the same server. Throws what connect() throws.
using Dial = std::function<asio::awaitable<std::unique_ptr<Connection>>()>;

} // namespace rc
