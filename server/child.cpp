#include "server/child.hpp"

#include "common/async.hpp"
#include "common/error.hpp"
#include "server/command_state.hpp"
#include "server/process_session.hpp"
#include "server/terminal.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/read.hpp>

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <tuple>
#include <utility>

namespace rc {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

std::uint64_t microseconds(const timeval& time) {
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000 + static_cast<std::uint64_t>(time.tv_usec);
}

} // namespace

void wait_for_process(pid_t pid, int* status, rusage* usage) {
    while (::wait4(pid, status, 0, usage) < 0 && errno == EINTR) {
    }
}

Child::Child(pid_t pid, const asio::any_io_executor& executor) : pid_(pid), exit_notice_(executor) {}

void Child::connect(ChildEnds ends) {
    watch();
    if (ends.control.is_open())
        control_.emplace(exit_notice_.get_executor(), asio::local::stream_protocol(), ends.control.release());
    state_ = std::move(ends.state);
    if (ends.input.is_open()) input.emplace(exit_notice_.get_executor(), ends.input.release());
    output.emplace(exit_notice_.get_executor(), ends.output.release());
    if (ends.error.is_open()) error.emplace(exit_notice_.get_executor(), ends.error.release());
}

void Child::watch() {
    const int fd = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
    if (fd < 0)
        throw Error(
            ErrorCode::outcome_unknown, std::string("the command was ended, for it cannot be watched: ") + std::strerror(errno));
    exit_notice_.assign(fd);
}

Child::Child(Child&& other) noexcept
    : input(std::move(other.input)), output(std::move(other.output)), error(std::move(other.error)),
      pid_(std::exchange(other.pid_, -1)), exit_notice_(std::move(other.exit_notice_)), gauge_(std::move(other.gauge_)),
      control_(std::move(other.control_)), report_(other.report_), state_(std::move(other.state_)) {}

Child::~Child() {
    if (pid_ < 0) return;
    signal_group(SIGKILL);
    ::kill(-pid_, SIGKILL);
    wait_for_process(pid_);
}

asio::awaitable<void> Child::dismiss() {
    control_->close();
    co_await exit_notice_.async_wait(asio::posix::stream_descriptor::wait_read, asio::use_awaitable);
}

asio::awaitable<void> Child::ended() {
    while (control_ && !report_.ended) {
        LeaderReport report{};
        const auto [problem, count] = co_await asio::async_read(*control_, asio::buffer(&report, sizeof(report)), no_throw);
        if (problem) break; // somebody ended the leader
        report_ = report;
    }
    if (!report_.ended) co_await exit_notice_.async_wait(asio::posix::stream_descriptor::wait_read, asio::use_awaitable);
}

// A command on a terminal that is not there yet ends with its leader.
void Child::signal_group(int number) {
    const pid_t group = report_.group > 0 ? report_.group : pid_;
    if (pid_ > 0) ::kill(-group, number);
}

void Child::signal_all(int number) {
    signal_group(number);
    if (pid_ > 0) signal_session(pid_, number);
}

// The gauge is not opened earlier: while we could read the pipe, a command that closes its stdin would go unnoticed.
void Child::close_input() {
    if (!input || !input->is_open()) return;
    if (control_) {
        const std::string end = end_of_input(input->native_handle());
        [[maybe_unused]] const ssize_t typed = ::write(input->native_handle(), end.data(), end.size());
        return;
    }
    const std::string pipe = "/proc/self/fd/" + std::to_string(input->native_handle());
    gauge_ = Descriptor(::open(pipe.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    input->close();
}

std::uint64_t Child::unread_input() const {
    int unread = 0;
    return gauge_.is_open() && ::ioctl(gauge_.get(), FIONREAD, &unread) == 0 ? static_cast<std::uint64_t>(unread) : 0;
}

void Child::let_go() {
    const auto order = static_cast<char>(LeaderOrder::go);
    error_code ignored;
    control_->write_some(asio::buffer(&order, 1), ignored);
}

void Child::resize(const WindowSize& size) { set_window_size(output->native_handle(), size); }

asio::awaitable<std::string> Child::take_unread() {
    const auto order = static_cast<char>(LeaderOrder::drain);
    error_code problem;
    control_->write_some(asio::buffer(&order, 1), problem);
    std::uint64_t size = 0;
    std::tie(problem, std::ignore) = co_await asio::async_read(*control_, asio::buffer(&size, sizeof(size)), no_throw);
    if (problem || size > most_left) co_return std::string();
    std::string unread(size, '\0');
    std::tie(problem, std::ignore) = co_await asio::async_read(*control_, asio::buffer(unread), no_throw);
    co_return problem ? std::string() : unread;
}

std::string Child::state() const { return state_.is_open() ? read_state(state_.get()) : std::string(); }

ProcessEnd Child::reap() {
    int status = 0;
    rusage usage{};
    if (control_) ::kill(pid_, SIGKILL); // unless it has ended; it may have been stopped
    wait_for_process(std::exchange(pid_, -1), &status, &usage);
    ProcessEnd end;
    if (report_.ended) {
        (report_.code == CLD_EXITED ? end.code : end.signal) = report_.status;
        end.user_us = report_.user_us;
        end.system_us = report_.system_us;
        end.max_rss_kib = report_.max_rss_kib;
        return end;
    }
    if (WIFSIGNALED(status)) end.signal = WTERMSIG(status);
    else end.code = WEXITSTATUS(status);
    end.user_us = microseconds(usage.ru_utime);
    end.system_us = microseconds(usage.ru_stime);
    end.max_rss_kib = static_cast<std::uint64_t>(usage.ru_maxrss);
    return end;
}

} // namespace rc
