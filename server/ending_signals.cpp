#include "server/ending_signals.hpp"

#include "common/error.hpp"

#include <pthread.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <string>

namespace rc {

EndingSignals::EndingSignals(const asio::any_io_executor& executor) : descriptor_(executor) {
    sigset_t signals;
    ::sigemptyset(&signals);
    for (const int number : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&signals, number);
    ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    const int fd = ::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0) throw Error(ErrorCode::internal, std::string("signalfd: ") + std::strerror(errno));
    descriptor_.assign(fd);
}

asio::awaitable<int> EndingSignals::next() {
    for (;;) {
        signalfd_siginfo taken{};
        if (::read(descriptor_.native_handle(), &taken, sizeof(taken)) == sizeof(taken))
            co_return static_cast<int>(taken.ssi_signo);
        co_await descriptor_.async_wait(asio::posix::stream_descriptor::wait_read, asio::use_awaitable);
    }
}

} // namespace rc
