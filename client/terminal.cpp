#include "client/terminal.hpp"

#include "client/local_io.hpp"

#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>

namespace rc {

namespace {

Terminal* on_duty = nullptr;

// Those that others wait for, that do no harm, or that nothing can catch.
constexpr std::array unguarded{
    SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGKILL, SIGSTOP, SIGCHLD, SIGCONT, SIGURG, SIGWINCH, SIGTTIN, SIGTTOU};

bool has_default_action(int number) {
    struct sigaction current {};
    return ::sigaction(number, nullptr, &current) == 0 && current.sa_handler == SIG_DFL;
}

sigset_t signals_to_guard() {
    sigset_t set;
    sigemptyset(&set);
    for (int number = 1; number <= SIGRTMAX; ++number) {
        if (std::ranges::count(unguarded, number) == 0 && has_default_action(number)) sigaddset(&set, number);
    }
    return set;
}

} // namespace

Terminal::Terminal(const asio::any_io_executor& executor, int fd)
    : fd_(fd), guarded_(signals_to_guard()), signals_(executor), window_(executor, SIGWINCH) {
    ::tcgetattr(fd_, &found_);
    resting_ = found_;
    ::pthread_sigmask(SIG_BLOCK, &guarded_, nullptr);
    signals_.assign(::signalfd(-1, &guarded_, SFD_CLOEXEC | SFD_NONBLOCK));
    on_duty = this;
}

Terminal::~Terminal() {
    restore();
    on_duty = nullptr;
    ::pthread_sigmask(SIG_UNBLOCK, &guarded_, nullptr);
}

void Terminal::hold_input() {
    resting_.c_iflag &= ~static_cast<tcflag_t>(ICRNL | INLCR | IGNCR);
    resting_.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    resting_.c_cc[VMIN] = 1;
    resting_.c_cc[VTIME] = 0;
    rest();
}

void Terminal::make_raw() {
    termios raw = found_;
    ::cfmakeraw(&raw);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    ::tcsetattr(fd_, TCSANOW, &raw);
    raw_ = true;
}

void Terminal::rest() {
    ::tcsetattr(fd_, TCSANOW, &resting_);
    raw_ = false;
}

void Terminal::restore() {
    ::tcsetattr(fd_, TCSANOW, &found_);
    raw_ = false;
}

WindowSize Terminal::size() const {
    winsize window{};
    ::ioctl(fd_, TIOCGWINSZ, &window);
    return {window.ws_row, window.ws_col};
}

asio::awaitable<void> Terminal::resized() { co_await window_.async_wait(asio::use_awaitable); }

asio::awaitable<void> Terminal::guard() {
    for (;;) {
        co_await signals_.async_wait(asio::posix::stream_descriptor::wait_read, asio::use_awaitable);
        signalfd_siginfo taken{};
        if (::read(signals_.native_handle(), &taken, sizeof(taken)) != sizeof(taken)) continue;
        const int number = static_cast<int>(taken.ssi_signo);
        if (number == SIGTSTP) co_await suspend();
        else die_of(number);
    }
}

asio::awaitable<void> Terminal::suspend() {
    co_await around_stop([this] { stop(); });
}

void Terminal::stop() {
    termios current{};
    ::tcgetattr(fd_, &current);
    const bool was_raw = raw_;
    restore();
    stop_by_terminal();
    ::tcsetattr(fd_, TCSANOW, &current);
    raw_ = was_raw;
    on_continued();
}

std::string_view row_end() { return on_duty != nullptr && on_duty->is_raw() ? "\r\n" : "\n"; }

bool is_plain_terminal() {
    const char* term = std::getenv("TERM");
    const std::string_view kind = term != nullptr ? term : "";
    return kind.empty() || kind == "dumb";
}

void restore_terminal() {
    if (on_duty != nullptr) on_duty->restore();
}

} // namespace rc
