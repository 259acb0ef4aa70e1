// A queue of bytes in one fixed block of memory, so that spans into it stay where they are until their bytes are dropped.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

namespace rc {

// Memory is taken at the first prepare(); the system backs only the pages that are touched.
class Ring {
public:
    // `capacity`: bytes that the queue can hold at a time.
    explicit Ring(std::size_t capacity) : capacity_(capacity) {}

    [[nodiscard]] std::size_t size() const { return size_; }
    [[nodiscard]] std::size_t room() const { return capacity_ - size_; }

    // Contiguous free space after the last byte; empty only if the ring is full.
    std::span<std::byte> prepare();
    // The first `count` bytes of what prepare() gave now belong to the queue.
    void commit(std::size_t count);
    // Appends all of `bytes`; at most room().
    void append(std::span<const std::byte> bytes);
    // Contiguous bytes from the one at `position` (0: the oldest); empty only at the end of the queue.
    [[nodiscard]] std::span<const std::byte> read(std::size_t position) const;
    // Forgets the oldest `count` bytes.
    void drop(std::size_t count);

private:
    std::size_t capacity_;
    std::unique_ptr<std::byte[]> memory_;
    std::size_t begin_ = 0;
    std::size_t size_ = 0;
};

} // namespace rc
