#include "client/conduit.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <utility>

namespace rc {

Conduit::Conduit(const asio::any_io_executor& executor, std::size_t capacity)
    : executor_(executor), changed_(std::make_shared<Event>(executor)), ring_(capacity) {}

std::size_t Conduit::take(std::span<std::byte> space) {
    std::size_t done = 0;
    while (done < space.size() && ring_.size() > 0) {
        const std::span<const std::byte> piece = ring_.read(0).first(std::min(ring_.read(0).size(), space.size() - done));
        std::ranges::copy(piece, space.begin() + static_cast<std::ptrdiff_t>(done));
        ring_.drop(piece.size());
        done += piece.size();
    }
    return done;
}

std::size_t Conduit::put(std::span<const std::byte> bytes) {
    const std::size_t count = std::min(bytes.size(), ring_.room());
    ring_.append(bytes.first(count));
    return count;
}

void Conduit::wake_loop() {
    if (std::exchange(loop_waits_, false)) asio::post(executor_, [changed = changed_] { changed->notify(); });
}

std::size_t Conduit::read_blocking(std::span<std::byte> space) {
    std::unique_lock lock(mutex_);
    changed_for_thread_.wait(lock, [this] { return ring_.size() > 0 || closed_; });
    const std::size_t count = take(space);
    wake_loop();
    return count;
}

bool Conduit::write_blocking(std::span<const std::byte> bytes) {
    std::unique_lock lock(mutex_);
    while (!bytes.empty()) {
        changed_for_thread_.wait(lock, [this] { return ring_.room() > 0 || closed_; });
        if (closed_) return false;
        bytes = bytes.subspan(put(bytes));
        wake_loop();
    }
    return true;
}

asio::awaitable<void> Conduit::wait(bool for_room) {
    for (;;) {
        {
            const std::scoped_lock lock(mutex_);
            if (closed_ || (for_room ? ring_.room() : ring_.size()) > 0) co_return;
            loop_waits_ = true;
        }
        co_await changed_->wait();
    }
}

asio::awaitable<void> Conduit::ready() { co_await wait(false); }

std::size_t Conduit::read(std::span<std::byte> space) {
    const std::scoped_lock lock(mutex_);
    const std::size_t count = take(space);
    changed_for_thread_.notify_one();
    return count;
}

asio::awaitable<bool> Conduit::write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        co_await wait(true);
        const std::scoped_lock lock(mutex_);
        if (closed_) co_return false;
        bytes = bytes.subspan(put(bytes));
        changed_for_thread_.notify_one();
    }
    co_return true;
}

void Conduit::close() {
    const std::scoped_lock lock(mutex_);
    closed_ = true;
    changed_for_thread_.notify_all();
    wake_loop();
}

} // namespace rc
