#include "common/descriptor.hpp"

#include <poll.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace rc {

Descriptor::Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
}

void Descriptor::close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

int Descriptor::release() { return std::exchange(fd_, -1); }

std::size_t write_at_once(int fd, std::span<const std::byte> bytes) {
    const iovec all{const_cast<std::byte*>(bytes.data()), bytes.size()};
    const ssize_t count = ::pwritev2(fd, &all, 1, -1, RWF_NOWAIT);
    return count > 0 ? static_cast<std::size_t>(count) : 0;
}

int write_all(int fd, std::span<const std::byte> bytes, std::size_t* written) {
    while (!bytes.empty()) {
        const ssize_t count = ::write(fd, bytes.data(), bytes.size());
        if (count >= 0) {
            bytes = bytes.subspan(static_cast<std::size_t>(count));
            if (written != nullptr) *written += static_cast<std::size_t>(count);
        } else if (errno == EAGAIN) {
            pollfd wait{fd, POLLOUT, 0};
            ::poll(&wait, 1, -1);
        } else if (errno != EINTR) {
            return errno;
        }
    }
    return 0;
}

} // namespace rc
