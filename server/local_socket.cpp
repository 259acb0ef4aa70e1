#include "server/local_socket.hpp"

#include "common/error.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace rc {

namespace {

constexpr int backlog = 128;

// The name by way of the folder's descriptor is short however deep the folder is.
class SocketName {
public:
    explicit SocketName(const std::filesystem::path& path)
        : directory_(::open(path.parent_path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)) {
        address_.sun_family = AF_UNIX;
        std::string name = "/proc/self/fd/" + std::to_string(directory_.get());
        name.append(1, '/').append(path.filename().string());
        name.copy(static_cast<char*>(address_.sun_path), sizeof(address_.sun_path) - 1);
    }
    [[nodiscard]] const sockaddr* address() const { return reinterpret_cast<const sockaddr*>(&address_); }
    static constexpr socklen_t size = sizeof(sockaddr_un);

private:
    Descriptor directory_;
    sockaddr_un address_{};
};

Descriptor make_socket() { return Descriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)); }

} // namespace

Descriptor listen_at(const std::filesystem::path& path) {
    Descriptor listener = make_socket();
    const SocketName name(path);
    if (!listener.is_open() || ::bind(listener.get(), name.address(), SocketName::size) != 0 ||
        ::listen(listener.get(), backlog) != 0) {
        throw Error(ErrorCode::internal, path.string() + ": " + std::strerror(errno));
    }
    return listener;
}

Descriptor connect_to(const std::filesystem::path& path) {
    Descriptor socket = make_socket();
    const SocketName name(path);
    if (!socket.is_open() || ::connect(socket.get(), name.address(), SocketName::size) != 0) return {};
    return socket;
}

} // namespace rc
