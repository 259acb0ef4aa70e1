// What a server shows of itself at every start: a key pair and a self-signed certificate for it. A client knows it again by its
// fingerprint.
#pragma once

#include "common/auth.hpp"

#include <openssl/types.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace rc {

// The SHA-256 of the public key (SubjectPublicKeyInfo in DER).
using Fingerprint = Digest;

struct Identity {
    struct Free {
        void operator()(EVP_PKEY* owned) const;
        void operator()(X509* owned) const;
    };
    std::unique_ptr<EVP_PKEY, Free> key;
    std::unique_ptr<X509, Free> certificate;
};

// A fresh P-256 key and its certificate. Throws Error{internal} if OpenSSL fails, as to_pem() and fingerprint_of() do.
Identity make_identity();

// Key and certificate in PEM (RFC 7468). It holds the private key: to be wiped when it has been used.
std::string to_pem(const Identity& identity);
// Nothing unless `pem` holds a key without a password and the certificate that belongs to it.
std::optional<Identity> parse_identity(std::string_view pem);

Fingerprint fingerprint_of(const X509* certificate);

// SHA256: and base64 without padding, as ssh writes them.
std::string to_text(const Fingerprint& fingerprint);
// Nothing for any other text.
std::optional<Fingerprint> parse_fingerprint(std::string_view text);

} // namespace rc
