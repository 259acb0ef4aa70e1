#include "common/identity.hpp"

#include "common/bytes.hpp"
#include "common/error.hpp"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <algorithm>
#include <utility>

namespace rc {

namespace {

constexpr std::string_view prefix = "SHA256:";

struct FreeBio {
    void operator()(BIO* bio) const { BIO_free(bio); }
};
using Bio = std::unique_ptr<BIO, FreeBio>;

void require(bool success, const char* what) {
    if (!success) throw Error(ErrorCode::internal, std::string("OpenSSL could not ") + what);
}

Bio reader_of(std::string_view text) {
    Bio bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
    require(bio != nullptr, "read from memory");
    return bio;
}

// Without it OpenSSL asks for a password on the terminal.
int no_password(char*, int, int, void*) { return -1; }

// Whether the private key belongs to the public one: X509_check_private_key() compares the public ones only.
bool is_pair(EVP_PKEY* key) {
    struct FreeContext {
        void operator()(EVP_PKEY_CTX* context) const { EVP_PKEY_CTX_free(context); }
    };
    const std::unique_ptr<EVP_PKEY_CTX, FreeContext> context(EVP_PKEY_CTX_new(key, nullptr));
    return context && EVP_PKEY_pairwise_check(context.get()) == 1;
}

} // namespace

void Identity::Free::operator()(EVP_PKEY* owned) const { EVP_PKEY_free(owned); }
void Identity::Free::operator()(X509* owned) const { X509_free(owned); }

Identity make_identity() {
    Identity identity;
    identity.key.reset(EVP_EC_gen("P-256"));
    require(identity.key != nullptr, "make a key");
    identity.certificate.reset(X509_new());
    X509* certificate = identity.certificate.get();
    require(certificate != nullptr, "make a certificate");
    constexpr long hundred_years = 60L * 60 * 24 * 36525;
    X509_set_version(certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -24L * 60 * 60);
    X509_gmtime_adj(X509_getm_notAfter(certificate), hundred_years);
    X509_set_pubkey(certificate, identity.key.get());
    X509_NAME* name = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("rcmd-server"), -1, -1, 0);
    X509_set_issuer_name(certificate, name);
    require(X509_sign(certificate, identity.key.get(), EVP_sha256()) > 0, "sign a certificate");
    return identity;
}

std::string to_pem(const Identity& identity) {
    const Bio bio(BIO_new(BIO_s_mem())); // which wipes what it frees
    const bool written = bio &&
                         PEM_write_bio_PrivateKey(bio.get(), identity.key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1 &&
                         PEM_write_bio_X509(bio.get(), identity.certificate.get()) == 1;
    require(written, "write a key and its certificate");
    const char* text = nullptr;
    const long size = BIO_get_mem_data(bio.get(), &text);
    return {text, static_cast<std::size_t>(size)};
}

std::optional<Identity> parse_identity(std::string_view pem) {
    Identity identity;
    identity.key.reset(PEM_read_bio_PrivateKey(reader_of(pem).get(), nullptr, &no_password, nullptr));
    identity.certificate.reset(PEM_read_bio_X509(reader_of(pem).get(), nullptr, &no_password, nullptr));
    const bool whole = identity.key && identity.certificate;
    if (!whole || X509_check_private_key(identity.certificate.get(), identity.key.get()) != 1) return std::nullopt;
    if (!is_pair(identity.key.get())) return std::nullopt;
    return identity;
}

Fingerprint fingerprint_of(const X509* certificate) {
    unsigned char* der = nullptr;
    const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
    require(size > 0, "read the public key of a certificate");
    const std::unique_ptr<unsigned char, void (*)(unsigned char*)> owner(der, [](unsigned char* bytes) { OPENSSL_free(bytes); });
    return sha256({reinterpret_cast<const std::byte*>(der), static_cast<std::size_t>(size)});
}

std::string to_text(const Fingerprint& fingerprint) {
    std::string text(prefix);
    text.append(to_base64(fingerprint));
    text.pop_back(); // 32 bytes are padded by one =
    return text;
}

std::optional<Fingerprint> parse_fingerprint(std::string_view text) {
    if (!text.starts_with(prefix)) return std::nullopt;
    std::string padded(text.substr(prefix.size()));
    const auto bytes = from_base64(padded.append(1, '='));
    Fingerprint fingerprint;
    if (!bytes || bytes->size() != fingerprint.size()) return std::nullopt;
    std::ranges::copy(*bytes, fingerprint.begin());
    return fingerprint;
}

} // namespace rc
