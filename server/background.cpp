#include "server/background.hpp"

#include "common/bytes.hpp"
#include "common/error.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace rc {

namespace {

// A descriptor below 3 that is closed would be given to the next socket, and a command's stdout would be that socket.
void open_standard_descriptors() {
    while (true) {
        const int fd = ::open("/dev/null", O_RDWR | O_CLOEXEC);
        if (fd > 2 || fd < 0) {
            if (fd > 2) ::close(fd);
            return;
        }
        ::fcntl(fd, F_SETFD, 0);
    }
}

// What the daemon reports goes to stdout; that it reported anything means that it is ready.
[[noreturn]] void relay_until_ready(int fd) {
    std::string report;
    std::array<char, 512> buffer{};
    ssize_t count = 0;
    while ((count = ::read(fd, buffer.data(), buffer.size())) > 0 || (count < 0 && errno == EINTR)) {
        if (count > 0) report.append(buffer.data(), static_cast<std::size_t>(count));
    }
    write_all(STDOUT_FILENO, as_bytes(report));
    ::_exit(report.empty() ? 1 : 0);
}

} // namespace

Launch::Launch(bool daemon) {
    open_standard_descriptors();
    if (!daemon) return;
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw Error(ErrorCode::internal, std::string("pipe: ") + std::strerror(errno));
    const pid_t pid = ::fork();
    if (pid < 0) throw Error(ErrorCode::internal, std::string("fork: ") + std::strerror(errno));
    if (pid > 0) {
        ::close(ends[1]);
        relay_until_ready(ends[0]);
    }
    ::close(ends[0]);
    parent_ = Descriptor(ends[1]);
    ::setsid();
    [[maybe_unused]] const int moved = ::chdir("/");
}

void Launch::ready(const std::string& text) {
    if (!parent_.is_open()) {
        write_all(STDOUT_FILENO, as_bytes(text));
        return;
    }
    const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::dup2(null, fd);
    ::close(null);
    write_all(parent_.get(), as_bytes(text));
    parent_.close();
}

} // namespace rc
