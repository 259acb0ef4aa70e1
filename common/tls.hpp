// TLS 1.3 and nothing else. Certificates prove nothing here: the challenge of auth.hpp does, bound to the connection by
// channel_binding(). The only file that configures OpenSSL.
#pragma once

#include "common/auth.hpp"

#include <boost/asio/ssl/context.hpp>

#include <openssl/types.h>

namespace rc {

// With a fresh P-256 key and a self-signed certificate that live as long as the context. Throws Error{internal}.
boost::asio::ssl::context make_server_tls();

// Accepts any certificate. Throws Error{internal}.
boost::asio::ssl::context make_client_tls();

// The exporter value of RFC 9266 for a connection whose handshake is complete. Throws Error{internal}.
Binding channel_binding(SSL* connection);

} // namespace rc
