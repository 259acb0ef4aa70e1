#include "common/tls.hpp"

#include "common/error.hpp"

#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <string_view>

namespace rc {

namespace {

struct Free {
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
    void operator()(X509* certificate) const { X509_free(certificate); }
};

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

void add_identity(SSL_CTX* ctx) {
    const std::unique_ptr<EVP_PKEY, Free> key(EVP_EC_gen("P-256"));
    require(key != nullptr, "make a key");
    const std::unique_ptr<X509, Free> certificate(X509_new());
    require(certificate != nullptr, "make a certificate");
    constexpr long hundred_years = 60L * 60 * 24 * 36525;
    X509_set_version(certificate.get(), X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -24L * 60 * 60);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), hundred_years);
    X509_set_pubkey(certificate.get(), key.get());
    X509_NAME* name = X509_get_subject_name(certificate.get());
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("rcmd-server"), -1, -1, 0);
    X509_set_issuer_name(certificate.get(), name);
    require(X509_sign(certificate.get(), key.get(), EVP_sha256()) > 0, "sign a certificate");
    require(SSL_CTX_use_certificate(ctx, certificate.get()) == 1, "use the certificate");
    require(SSL_CTX_use_PrivateKey(ctx, key.get()) == 1, "use the key");
}

} // namespace

boost::asio::ssl::context make_server_tls() {
    boost::asio::ssl::context context = make_context(boost::asio::ssl::context::tls_server);
    add_identity(context.native_handle());
    return context;
}

boost::asio::ssl::context make_client_tls() {
    // Neither algorithm names nor providers come from openssl.cnf here, and reading it would cost each command a millisecond.
    OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr);
    boost::asio::ssl::context context = make_context(boost::asio::ssl::context::tls_client);
    context.set_verify_mode(boost::asio::ssl::verify_none);
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

} // namespace rc
