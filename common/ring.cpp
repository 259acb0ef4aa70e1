#include "common/ring.hpp"

#include <algorithm>

namespace rc {

std::span<std::byte> Ring::prepare() {
    if (capacity_ == 0) return {};
    if (!memory_) memory_ = std::make_unique_for_overwrite<std::byte[]>(capacity_);
    // An empty queue starts again at the front: it stays contiguous and in few pages. Only here: between a prepare()
    // and its commit() the end must not move.
    if (size_ == 0) begin_ = 0;
    const std::size_t end = (begin_ + size_) % capacity_;
    return {memory_.get() + end, std::min(room(), capacity_ - end)};
}

void Ring::commit(std::size_t count) { size_ += count; }

void Ring::append(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const std::span<std::byte> space = prepare();
        const std::size_t count = std::min(space.size(), bytes.size());
        std::copy_n(bytes.begin(), count, space.begin());
        commit(count);
        bytes = bytes.subspan(count);
    }
}

std::span<const std::byte> Ring::read(std::size_t position) const {
    if (position == size_) return {};
    const std::size_t start = (begin_ + position) % capacity_;
    return {memory_.get() + start, std::min(size_ - position, capacity_ - start)};
}

void Ring::drop(std::size_t count) {
    if (count == 0) return;
    size_ -= count;
    begin_ = (begin_ + count) % capacity_;
}

} // namespace rc
