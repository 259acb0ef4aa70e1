#include "common/copy/extents.hpp"

#include "common/copy/message.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace rc::copy {

namespace {

constexpr std::uint64_t bytes_of_a_sector = 512; // the unit of st_blocks

bool may_have_holes(int fd) {
    struct stat status {};
    return ::fstat(fd, &status) == 0 &&
           static_cast<std::uint64_t>(status.st_blocks) * bytes_of_a_sector < static_cast<std::uint64_t>(status.st_size);
}

} // namespace

Extents::Extents(int fd, std::uint64_t length)
    : fd_(fd), length_(length), data_end_(may_have_holes(fd) ? 0 : length), block_(block_size) {}

// Bytes from here on that are a hole, in whole blocks.
std::uint64_t Extents::hole_here() {
    if (offset_ < data_end_) return 0;
    const off_t here = static_cast<off_t>(offset_);
    const off_t data = ::lseek(fd_, here, SEEK_DATA);
    if (data < 0) {
        const bool up_to_the_end = errno == ENXIO && ::lseek(fd_, 0, SEEK_END) >= static_cast<off_t>(length_);
        if (up_to_the_end) return length_ - offset_;
        data_end_ = length_; // this file system does not tell, or the file has become shorter
        return 0;
    }
    const auto end = std::min(static_cast<std::uint64_t>(data) / block_size * block_size, length_);
    if (end > offset_) return end - offset_;
    const off_t hole = ::lseek(fd_, data, SEEK_HOLE);
    data_end_ = hole < 0 ? length_ : static_cast<std::uint64_t>(hole);
    return 0;
}

Extents::Piece Extents::next() {
    if (const std::uint64_t hole = hole_here(); hole > 0) {
        offset_ += hole;
        return {{}, hole, 0};
    }
    const std::size_t wanted = static_cast<std::size_t>(std::min<std::uint64_t>(block_size, length_ - offset_));
    std::size_t done = 0;
    while (done < wanted) {
        const ssize_t count = ::pread(fd_, block_.data() + done, wanted - done, static_cast<off_t>(offset_ + done));
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return {{}, 0, count < 0 ? errno : ENODATA};
        done += static_cast<std::size_t>(count);
    }
    offset_ += wanted;
    return {std::span(block_).first(wanted), 0, 0};
}

} // namespace rc::copy
