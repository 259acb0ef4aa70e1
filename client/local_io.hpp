// The descriptors that the client was started with. They are shared with other processes, so their flags stay as they are:
// O_NONBLOCK is neither set nor expected.
#pragma once

#include "common/async.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/thread_pool.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>

namespace rc {

// Where a job's input comes from.
class Source {
public:
    virtual ~Source() = default;
    // Ends when read() will not block.
    virtual asio::awaitable<void> ready() = 0;
    // Bytes read; 0 at the end. Throws Failure{input}.
    [[nodiscard]] virtual std::size_t read(std::span<std::byte> space) = 0;
};

// Reading. Waits by an epoll instance around the descriptor, because Asio's own wait would make it non-blocking for everybody
// who holds it; the instance may be non-blocking as it likes. A regular file is always ready.
class Input : public Source {
public:
    // Does not own `fd`.
    Input(const asio::any_io_executor& executor, int fd);

    // Then read() may block all the same if another process is quicker to read.
    asio::awaitable<void> ready() override;
    [[nodiscard]] std::size_t read(std::span<std::byte> space) override;

private:
    int fd_;
    std::optional<asio::posix::stream_descriptor> epoll_; // absent: always ready
};

// Writing. What the descriptor does not take at once is left to a thread, which is started when it is needed: nothing else lets a
// blocking descriptor be written without stopping everything else meanwhile.
class Output {
public:
    // Does not own `fd`.
    Output(const asio::any_io_executor& executor, int fd) : executor_(executor), fd_(fd) {}

    // Writes all of `bytes`, which must stay where they are until it ends or is cancelled; what the thread has then it still writes. Returns 0
    // or the errno.
    asio::awaitable<int> write(std::span<const std::byte> bytes);

private:
    asio::awaitable<int> write_on_thread(std::string bytes);

    asio::any_io_executor executor_;
    int fd_;
    std::unique_ptr<asio::thread_pool> thread_;
};

// Makes sure that descriptors 0 to 2 are open, or the connection could get one of their numbers: an empty stdin, and a stdout
// and stderr that cannot be written.
void occupy_standard_descriptors();

// A program that calls this one may hold signals back in the thread that does it, and this one would inherit that.
void unblock_signals();

// Stops this program, as SIGTSTP would if it had never been caught or held back: not at all where no shell could let it go on. Returns then.
void stop_by_terminal();

// Ends this program by that signal, as if it had never been caught or held back.
void die_of(int number);

} // namespace rc
