#include "client/local_io.hpp"

#include "client/failure.hpp"
#include "client/terminal.hpp"
#include "common/bytes.hpp"
#include "common/descriptor.hpp"

#include <boost/asio/post.hpp>

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <string>
#include <utility>

namespace rc {

namespace {

constexpr std::size_t most_on_thread = 256 * 1024; // bytes, which are copied for it

// Returns if that does not end the program; then the signal is caught and held back as before.
void raise_by_default(int number) {
    struct sigaction by_default {};
    struct sigaction before {};
    by_default.sa_handler = SIG_DFL;
    ::sigaction(number, &by_default, &before);
    ::raise(number);
    sigset_t set;
    sigset_t mask;
    sigemptyset(&set);
    sigaddset(&set, number);
    ::pthread_sigmask(SIG_UNBLOCK, &set, &mask); // here at the latest
    ::pthread_sigmask(SIG_SETMASK, &mask, nullptr);
    ::sigaction(number, &before, nullptr);
}

} // namespace

Input::Input(const asio::any_io_executor& executor, int fd) : fd_(fd) {
    const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0) return;
    epoll_event event{};
    event.events = EPOLLIN;
    if (::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0) epoll_.emplace(executor, epoll);
    else ::close(epoll);
}

asio::awaitable<void> Input::ready() {
    if (epoll_) co_await epoll_->async_wait(asio::posix::stream_descriptor::wait_read, asio::use_awaitable);
}

std::size_t Input::read(std::span<std::byte> space) {
    for (;;) {
        const ssize_t count = ::read(fd_, space.data(), space.size());
        if (count >= 0) return static_cast<std::size_t>(count);
        if (errno == EINTR) continue;
        if (errno != EAGAIN) throw Failure("input", std::string("cannot read stdin: ") + std::strerror(errno), Ran::yes);
        pollfd wait{fd_, POLLIN, 0}; // somebody else made it non-blocking and was quicker
        ::poll(&wait, 1, -1);
    }
}

asio::awaitable<int> Output::write(std::span<const std::byte> bytes) {
    bytes = bytes.subspan(write_at_once(fd_, bytes));
    while (!bytes.empty()) {
        const std::size_t count = std::min(bytes.size(), most_on_thread);
        std::string piece(as_text(bytes.first(count)));
        const int error = co_await write_on_thread(std::move(piece));
        if (error != 0) co_return error;
        bytes = bytes.subspan(count);
        bytes = bytes.subspan(write_at_once(fd_, bytes));
    }
    co_return 0;
}

asio::awaitable<int> Output::write_on_thread(std::string bytes) {
    if (!thread_) thread_ = std::make_unique<asio::thread_pool>(1);
    struct Outcome {
        explicit Outcome(const asio::any_io_executor& executor) : done(executor) {}
        Event done;
        int error = 0;
        bool ended = false;
    };
    const auto outcome = std::make_shared<Outcome>(executor_);
    asio::post(*thread_, [outcome, bytes = std::move(bytes), fd = fd_, executor = executor_] {
        const int error = write_all(fd, as_bytes(bytes));
        asio::post(executor, [outcome, error] {
            outcome->error = error;
            outcome->ended = true;
            outcome->done.notify();
        });
    });
    while (!outcome->ended) co_await outcome->done.wait();
    co_return outcome->error;
}

void occupy_standard_descriptors() {
    for (const int number : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        if (::fcntl(number, F_GETFD) < 0) ::open("/dev/null", O_RDONLY); // gets the lowest free number
    }
}

void unblock_signals() {
    sigset_t none;
    sigemptyset(&none);
    ::pthread_sigmask(SIG_SETMASK, &none, nullptr);
}

void stop_by_terminal() { raise_by_default(SIGTSTP); }

void die_of(int number) {
    restore_terminal();
    raise_by_default(number);
}

} // namespace rc
