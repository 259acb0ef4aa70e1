// The HMAC challenge: derivation, proofs, comparison. It follows SCRAM (RFC 5802 section 3) with SHA-256, binding the proofs
// to the TLS connection (RFC 9266). The server keeps nothing that would let its thief log in elsewhere.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace rc {

inline constexpr std::size_t digest_size = 32;
inline constexpr std::size_t salt_size = 16;

using Digest = std::array<std::byte, digest_size>;
using Secret = std::array<std::byte, digest_size>;
using Salt = std::array<std::byte, salt_size>;
using Nonce = std::array<std::byte, digest_size>;
using Binding = std::array<std::byte, digest_size>; // exporter of the TLS connection, see tls.hpp

// Overwrites a secret that has been used, which the compiler would leave out as of no effect.
void wipe(std::span<std::byte> secret);

// What a client knows of itself on one host. Wiped at the end.
struct ClientKeys {
    Digest client_key;
    Digest stored_key;
    Digest server_key;
    ~ClientKeys() { wipe(client_key); }
};

// What a host keeps of a key.
struct Verifier {
    Salt salt;
    Digest stored_key;
    Digest server_key;
    bool operator==(const Verifier&) const = default; // of two that the host has; not for what a peer says
};

// HMAC-SHA256 (RFC 2104). Throws Error{internal} if OpenSSL fails, as all functions here do.
Digest hmac_sha256(std::span<const std::byte> key, std::span<const std::byte> message);
Digest sha256(std::span<const std::byte> message);

ClientKeys derive_keys(const Secret& secret, const Salt& salt);

// "rcmd 1", the headers of hello and challenge as they were sent, and the binding: each after its length in 4 bytes.
std::string make_transcript(std::string_view hello, std::string_view challenge, const Binding& binding);

Digest server_proof(const Digest& server_key, std::string_view transcript);
Digest client_proof(const ClientKeys& keys, std::string_view transcript);

// Whether `proof` was made with the secret that `verifier` belongs to, for this transcript. Takes the same time for every
// wrong proof.
bool verify_client_proof(const Verifier& verifier, std::string_view transcript, std::span<const std::byte> proof);

// A verifier for a key id that this host does not know: looks like any other and is always the same for the same id.
// No proof is right for it.
Verifier decoy_verifier(const Secret& host_secret, std::string_view key_id);

// In constant time, whatever the contents; false for other lengths.
bool equal(std::span<const std::byte> a, std::span<const std::byte> b);

// Fills `out` from the operating system's generator.
void fill_random(std::span<std::byte> out);

template <class Array>
Array make_random() {
    Array bytes;
    fill_random(bytes);
    return bytes;
}

} // namespace rc
