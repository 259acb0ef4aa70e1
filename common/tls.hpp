// TLS 1.3 and nothing else. No authority vouches for a certificate: the challenge of auth.hpp proves who is there, bound to the
// connection by channel_binding(), and a client knows a server again by its fingerprint. The only file that configures TLS.
#pragma once

#include "common/auth.hpp"
#include "common/identity.hpp"

#include <boost/asio/ssl/context.hpp>

#include <openssl/types.h>

namespace rc {

// Throws Error{internal}.
boost::asio::ssl::context make_server_tls(const Identity& identity);

// Accepts any certificate. Throws Error{internal}.
boost::asio::ssl::context make_client_tls();

// The exporter value of RFC 9266 for a connection whose handshake is complete. Throws Error{internal}.
Binding channel_binding(SSL* connection);

// Of the certificate that the server has shown, and proved to have the key of, in a handshake that is complete. Throws Error{internal}.
Fingerprint peer_fingerprint(SSL* connection);

} // namespace rc
