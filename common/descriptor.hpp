// File descriptors: owning one, and writing to one.
#pragma once

#include <cstddef>
#include <span>

namespace rc {

// Closes it at the end of its life. -1: owns none.
class Descriptor {
public:
    Descriptor() = default;
    explicit Descriptor(int fd) : fd_(fd) {}
    Descriptor(Descriptor&& other) noexcept;
    Descriptor& operator=(Descriptor&& other) noexcept;
    ~Descriptor() { close(); }

    void close();
    [[nodiscard]] int get() const { return fd_; }
    [[nodiscard]] bool is_open() const { return fd_ >= 0; }
    // Gives up ownership.
    int release();

private:
    int fd_ = -1;
};

// How many of them the descriptor takes without waiting: none where it cannot tell (a terminal, most files), or fails.
std::size_t write_at_once(int fd, std::span<const std::byte> bytes);

// Writes all of `bytes`, waiting where the descriptor is non-blocking and full. Returns 0 or the errno; `written`: how many bytes were.
int write_all(int fd, std::span<const std::byte> bytes, std::size_t* written = nullptr);

} // namespace rc
