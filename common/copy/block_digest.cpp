#include "common/copy/block_digest.hpp"

#include "common/copy/extents.hpp"
#include "common/error.hpp"

#include <algorithm>
#include <array>
#include <vector>

namespace rc::copy {

namespace {

void check(bool done) {
    if (!done) throw Error(ErrorCode::internal, "OpenSSL cannot compute a SHA-256");
}

unsigned char* output(Digest& digest) { return reinterpret_cast<unsigned char*>(digest.data()); }

} // namespace

BlockDigest::BlockDigest()
    : algorithm_(EVP_MD_fetch(nullptr, "SHA256", nullptr)), block_(EVP_MD_CTX_new()), all_(EVP_MD_CTX_new()) {
    check(algorithm_ && block_ && all_);
    check(EVP_DigestInit_ex(all_.get(), algorithm_.get(), nullptr) == 1);
}

Digest BlockDigest::digest_of(std::span<const std::byte> block) {
    Digest digest{};
    check(EVP_DigestInit_ex(block_.get(), algorithm_.get(), nullptr) == 1);
    check(EVP_DigestUpdate(block_.get(), block.data(), block.size()) == 1);
    check(EVP_DigestFinal_ex(block_.get(), output(digest), nullptr) == 1);
    return digest;
}

void BlockDigest::add(std::span<const std::byte> block) {
    const Digest digest = digest_of(block);
    check(EVP_DigestUpdate(all_.get(), digest.data(), digest.size()) == 1);
}

void BlockDigest::add_zeros(std::uint64_t length) {
    static const std::vector<std::byte> zeros(block_size);
    const Digest digest = digest_of(zeros);
    for (; length >= block_size; length -= block_size) check(EVP_DigestUpdate(all_.get(), digest.data(), digest.size()) == 1);
    if (length > 0) add(std::span(zeros).first(static_cast<std::size_t>(length)));
}

Digest BlockDigest::value() const {
    const std::unique_ptr<EVP_MD_CTX, Free> copy(EVP_MD_CTX_new());
    Digest digest{};
    check(copy && EVP_MD_CTX_copy_ex(copy.get(), all_.get()) == 1);
    check(EVP_DigestFinal_ex(copy.get(), output(digest), nullptr) == 1);
    return digest;
}

int add_file(BlockDigest& digest, int fd, std::uint64_t length) {
    Extents extents(fd, length);
    while (!extents.at_end()) {
        const Extents::Piece piece = extents.next();
        if (piece.error != 0) return piece.error;
        if (piece.hole > 0) digest.add_zeros(piece.hole);
        else digest.add(piece.data);
    }
    return 0;
}

} // namespace rc::copy
