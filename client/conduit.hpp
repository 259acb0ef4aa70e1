// Bytes between the loop and a thread that blocks, in one direction: what a pipe would do, without the kernel.
#pragma once

#include "client/local_io.hpp"
#include "common/async.hpp"
#include "common/ring.hpp"

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <span>

namespace rc {

class Conduit : public Source {
public:
    // `capacity`: bytes that may be under way.
    Conduit(const asio::any_io_executor& executor, std::size_t capacity);

    // The thread's side. read(): as many bytes as are there, at least one; 0 at the end. write(): false if it was closed.
    std::size_t read_blocking(std::span<std::byte> space);
    bool write_blocking(std::span<const std::byte> bytes);

    // The loop's side, one coroutine at a time. Takes what is there, as of an Input; gives: false if it was closed.
    asio::awaitable<void> ready() override;
    [[nodiscard]] std::size_t read(std::span<std::byte> space) override;
    asio::awaitable<bool> write(std::span<const std::byte> bytes);

    // Either side: nothing more goes in. What is there can be read.
    void close();

private:
    [[nodiscard]] std::size_t take(std::span<std::byte> space);
    [[nodiscard]] std::size_t put(std::span<const std::byte> bytes);
    asio::awaitable<void> wait(bool for_room);
    void wake_loop();

    asio::any_io_executor executor_;
    std::shared_ptr<Event> changed_; // lives as long as announcements of it are under way
    std::mutex mutex_;
    std::condition_variable changed_for_thread_;
    Ring ring_;
    bool loop_waits_ = false;
    bool closed_ = false;
};

} // namespace rc
