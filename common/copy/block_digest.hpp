// The digest of a file: SHA-256 (FIPS 180-4) of the SHA-256 of each of its blocks. So a hole costs next to nothing, however large
// it is, and what is there of a partial copy can be compared.
#pragma once

#include "common/auth.hpp"
#include "common/copy/message.hpp"

#include <openssl/evp.h>

#include <cstdint>
#include <memory>
#include <span>

namespace rc::copy {

class BlockDigest {
public:
    // Throws Error{internal} if OpenSSL fails, as all here do.
    BlockDigest();

    // The next block: block_size bytes, fewer only at the end of the file.
    void add(std::span<const std::byte> block);
    // So many zeros, in whole blocks but for the last of the file.
    void add_zeros(std::uint64_t length);
    // Of all that was added; more may be added afterwards.
    [[nodiscard]] Digest value() const;

private:
    struct Free {
        void operator()(EVP_MD* algorithm) const { EVP_MD_free(algorithm); }
        void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
    };
    [[nodiscard]] Digest digest_of(std::span<const std::byte> block);

    std::unique_ptr<EVP_MD, Free> algorithm_;
    std::unique_ptr<EVP_MD_CTX, Free> block_;
    std::unique_ptr<EVP_MD_CTX, Free> all_;
};

// Adds the first `length` bytes of an open file: whole blocks, or all of it. Returns errno, EIO if the file is shorter, or 0.
int add_file(BlockDigest& digest, int fd, std::uint64_t length);

} // namespace rc::copy
