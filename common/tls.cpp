#include "common/tls.hpp"

#include "common/error.hpp"

#include <openssl/ssl.h>

#include <string>
#include <string_view>

namespace rc {

namespace {

void require(bool success, const char* what) {
    if (!success) throw Error(ErrorCode::internal, std::string("OpenSSL could not ") + what);
}

boost::asio::ssl::context make_context(boost::asio::ssl::context::method method) {
    boost::asio::ssl::context context(method);
    SSL_CTX* ctx = context.native_handle();
    require(SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) == 1, "set the TLS version");
    require(SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256") == 1, "set the cipher suites");
    require(SSL_CTX_set1_groups_list(ctx, "X25519:P-256") == 1, "set the key exchange groups");
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(ctx, 0);
    // An idle connection gives its record buffers back.
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    return context;
}

} // namespace

boost::asio::ssl::context make_server_tls(const Identity& identity) {
    boost::asio::ssl::context context = make_context(boost::asio::ssl::context::tls_server);
    SSL_CTX* ctx = context.native_handle();
    require(SSL_CTX_use_certificate(ctx, identity.certificate.get()) == 1, "use the certificate");
    require(SSL_CTX_use_PrivateKey(ctx, identity.key.get()) == 1, "use the key");
    return context;
}

boost::asio::ssl::context make_client_tls() {
    boost::asio::ssl::context context = make_context(boost::asio::ssl::context::tls_client);
    // Any certificate will do; nor need OpenSSL find out who has signed it, or whether its time is over.
    SSL_CTX_set_cert_verify_callback(
        context.native_handle(), [](X509_STORE_CTX*, void*) { return 1; }, nullptr);
    return context;
}

Binding channel_binding(SSL* connection) {
    constexpr std::string_view label = "EXPORTER-Channel-Binding";
    Binding binding;
    require(SSL_export_keying_material(connection, reinterpret_cast<unsigned char*>(binding.data()), binding.size(), label.data(),
                label.size(), reinterpret_cast<const unsigned char*>(""), 0, 1) == 1,
        "export the channel binding");
    return binding;
}

Fingerprint peer_fingerprint(SSL* connection) {
    const X509* certificate = SSL_get0_peer_certificate(connection);
    require(certificate != nullptr, "find the peer's certificate");
    return fingerprint_of(certificate);
}

} // namespace rc
