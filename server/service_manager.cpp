#include "server/service_manager.hpp"

#include "common/error.hpp"
#include "server/log.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <utility>

namespace rc {

namespace {

constexpr int first_socket = 3;
constexpr int most_sockets = 1024;

std::string take_variable(const char* name) {
    const char* const value = std::getenv(name);
    std::string text = value != nullptr ? value : "";
    ::unsetenv(name);
    return text;
}

std::vector<Descriptor> take_inherited(const std::string& text) {
    int count = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), count);
    if (problem != std::errc{} || end != text.data() + text.size() || count < 0 || count > most_sockets)
        throw Error(ErrorCode::internal, "LISTEN_FDS is not the number of sockets that the service manager passes");
    std::vector<Descriptor> sockets;
    for (int fd = first_socket; fd < first_socket + count; ++fd) {
        if (::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
            throw Error(ErrorCode::internal, "descriptor " + std::to_string(fd) + " of LISTEN_FDS: " + std::strerror(errno));
        sockets.emplace_back(fd);
    }
    return sockets;
}

// Returns 0 or the errno.
int send_datagram(const std::string& address, const std::string& text) {
    sockaddr_un there{};
    there.sun_family = AF_UNIX;
    if (address.size() >= sizeof(there.sun_path)) return ENAMETOOLONG;
    address.copy(static_cast<char*>(there.sun_path), address.size());
    if (address.front() == '@') there.sun_path[0] = '\0';
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address.size());
    const Descriptor socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!socket.is_open()) return errno;
    const ssize_t sent =
        ::sendto(socket.get(), text.data(), text.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&there), size);
    return sent < 0 ? errno : 0;
}

} // namespace

ServiceManager::ServiceManager() : address_(take_variable("NOTIFY_SOCKET")) {
    const std::string whose = take_variable("LISTEN_PID");
    const std::string count = take_variable("LISTEN_FDS");
    for (const char* name : {"LISTEN_FDNAMES", "LISTEN_PIDFDID"}) ::unsetenv(name);
    if (whose == std::to_string(::getpid()) && !count.empty()) sockets_ = take_inherited(count);
}

// With the time, which makes it serve the units of Type=notify-reload too.
void ServiceManager::reloading() const {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    const auto microseconds = now.tv_sec * 1'000'000 + now.tv_nsec / 1000;
    notify("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(microseconds));
}

std::vector<Descriptor> ServiceManager::take_sockets() { return std::exchange(sockets_, {}); }

void ServiceManager::notify(const std::string& state) const {
    if (address_.empty()) return;
    const int problem = send_datagram(address_, state);
    if (problem != 0) log_warning("notify", {{"socket", address_}, {"state", state}, {"problem", std::strerror(problem)}});
}

} // namespace rc
