#include "common/auth.hpp"

#include "common/bytes.hpp"
#include "common/error.hpp"
#include "common/frame.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>

namespace rc {

namespace {

const unsigned char* input(std::span<const std::byte> bytes) { return reinterpret_cast<const unsigned char*>(bytes.data()); }
unsigned char* output(std::span<std::byte> bytes) { return reinterpret_cast<unsigned char*>(bytes.data()); }

Digest keyed(std::span<const std::byte> key, std::string_view label, std::span<const std::byte> rest) {
    std::string message(label);
    message += as_text(rest);
    return hmac_sha256(key, as_bytes(message));
}

Digest exclusive_or(const Digest& a, std::span<const std::byte> b) {
    Digest result;
    std::transform(a.begin(), a.end(), b.begin(), result.begin(), std::bit_xor<>());
    return result;
}

// EVP_sha256() is looked for among all algorithms whenever it is used, which takes longer than a short digest. Never freed.
const EVP_MD* sha256_algorithm() {
    static const EVP_MD* const found = EVP_MD_fetch(nullptr, "SHA256", nullptr);
    return found;
}

void append_part(std::string& out, std::string_view part) {
    append_length(out, static_cast<std::uint32_t>(part.size()));
    out += part;
}

} // namespace

Digest hmac_sha256(std::span<const std::byte> key, std::span<const std::byte> message) {
    Digest result;
    unsigned int length = 0;
    if (HMAC(sha256_algorithm(), key.data(), static_cast<int>(key.size()), input(message), message.size(), output(result),
            &length) == nullptr) {
        throw Error(ErrorCode::internal, "OpenSSL could not compute HMAC-SHA256");
    }
    return result;
}

Digest sha256(std::span<const std::byte> message) {
    Digest result;
    if (EVP_Digest(message.data(), message.size(), output(result), nullptr, sha256_algorithm(), nullptr) != 1) {
        throw Error(ErrorCode::internal, "OpenSSL could not compute SHA-256");
    }
    return result;
}

ClientKeys derive_keys(const Secret& secret, const Salt& salt) {
    ClientKeys keys;
    keys.client_key = keyed(secret, "rcmd client key v1", salt);
    keys.stored_key = sha256(keys.client_key);
    keys.server_key = keyed(secret, "rcmd server key v1", salt);
    return keys;
}

std::string make_transcript(std::string_view hello, std::string_view challenge, const Binding& binding) {
    std::string transcript;
    append_part(transcript, "rcmd 1");
    append_part(transcript, hello);
    append_part(transcript, challenge);
    append_part(transcript, as_text(binding));
    return transcript;
}

Digest server_proof(const Digest& server_key, std::string_view transcript) {
    return keyed(server_key, "server", as_bytes(transcript));
}

Digest client_proof(const ClientKeys& keys, std::string_view transcript) {
    return exclusive_or(keys.client_key, keyed(keys.stored_key, "client", as_bytes(transcript)));
}

bool verify_client_proof(const Verifier& verifier, std::string_view transcript, std::span<const std::byte> proof) {
    if (proof.size() != digest_size) return false;
    const Digest client_key = exclusive_or(keyed(verifier.stored_key, "client", as_bytes(transcript)), proof);
    return equal(sha256(client_key), verifier.stored_key);
}

Verifier decoy_verifier(const Secret& host_secret, std::string_view key_id) {
    Verifier verifier;
    const Digest salt = keyed(host_secret, "rcmd decoy salt v1", as_bytes(key_id));
    std::copy_n(salt.begin(), salt_size, verifier.salt.begin());
    verifier.stored_key = keyed(host_secret, "rcmd decoy stored key v1", as_bytes(key_id));
    verifier.server_key = keyed(host_secret, "rcmd decoy server key v1", as_bytes(key_id));
    return verifier;
}

bool equal(std::span<const std::byte> a, std::span<const std::byte> b) {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

void wipe(std::span<std::byte> secret) { OPENSSL_cleanse(secret.data(), secret.size()); }

// From the system: each job has a new id, and what OpenSSL does before it gives one takes longer.
void fill_random(std::span<std::byte> out) {
    constexpr std::size_t most = 256; // at a time, getentropy(3)
    while (!out.empty()) {
        const auto piece = out.first(std::min(out.size(), most));
        if (::getentropy(piece.data(), piece.size()) != 0)
            throw Error(ErrorCode::internal, std::string("the system has no random bytes: ") + std::strerror(errno));
        out = out.subspan(piece.size());
    }
}

} // namespace rc
