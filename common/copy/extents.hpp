// A file as a sequence of blocks that hold data and of holes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace rc::copy {

// Reads a file from its beginning, or from a block that is asked for.
class Extents {
public:
    // `length`: how much of the file counts. Does not own `fd`.
    Extents(int fd, std::uint64_t length);

    void seek(std::uint64_t offset) { offset_ = offset; }
    [[nodiscard]] std::uint64_t offset() const { return offset_; }
    [[nodiscard]] bool at_end() const { return offset_ >= length_; }

    // The next piece: a block of data, or a hole of `hole` bytes.
    struct Piece {
        std::span<const std::byte> data; // holds until the next one
        std::uint64_t hole = 0;
        int error = 0; // errno; ENODATA if the file has become shorter
    };
    Piece next();

private:
    [[nodiscard]] std::uint64_t hole_here();

    int fd_;
    std::uint64_t length_;
    std::uint64_t offset_ = 0;
    std::uint64_t data_end_ = 0; // up to here there are no holes
    std::vector<std::byte> block_;
};

} // namespace rc::copy
