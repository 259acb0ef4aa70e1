#include "server/listener.hpp"

#include "common/async.hpp"
#include "common/error.hpp"
#include "server/log.hpp"

#include <boost/asio/ip/v6_only.hpp>

#include <sys/socket.h>

#include <charconv>
#include <cstdint>

namespace rc {

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

[[noreturn]] void fail(const std::string& address, const std::string& what) {
    throw Error(ErrorCode::internal, "cannot listen on " + address + ": " + what);
}

// -1 for what is no socket.
int socket_option(int fd, int name) {
    int value = -1;
    socklen_t size = sizeof(value);
    return ::getsockopt(fd, SOL_SOCKET, name, &value, &size) == 0 ? value : -1;
}

} // namespace

tcp::endpoint parse_address(const std::string& text) {
    const std::size_t colon = text.rfind(':');
    if (colon == std::string::npos) fail(text, "not ADDR:PORT");
    std::string host = text.substr(0, colon);
    if (host.size() >= 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
    std::uint16_t port = 0;
    const char* const end = text.data() + text.size();
    const auto [rest, problem] = std::from_chars(text.data() + colon + 1, end, port);
    if (problem != std::errc{} || rest != end) fail(text, "the port is not a number from 0 to 65535");
    boost::system::error_code error;
    const auto address = asio::ip::make_address(host, error);
    if (error) fail(text, "'" + host + "' is not an IP address");
    return {address, port};
}

std::string to_text(const tcp::endpoint& endpoint) {
    if (endpoint.address().is_v6() && endpoint.address().to_v6().is_v4_mapped())
        return to_text({asio::ip::make_address_v4(asio::ip::v4_mapped, endpoint.address().to_v6()), endpoint.port()});
    const std::string address = endpoint.address().to_string();
    const std::string host = endpoint.address().is_v6() ? '[' + address + ']' : address;
    return host + ':' + std::to_string(endpoint.port());
}

Listener::Listener(asio::io_context& context, const std::string& address) : acceptor_(context) {
    const tcp::endpoint endpoint = parse_address(address);
    try {
        acceptor_.open(endpoint.protocol());
        acceptor_.set_option(tcp::acceptor::reuse_address(true));
        if (endpoint.protocol() == tcp::v6()) acceptor_.set_option(asio::ip::v6_only(true));
        acceptor_.bind(endpoint);
        acceptor_.listen(4096);
    } catch (const boost::system::system_error& error) {
        fail(address, error.code().message());
    }
}

Listener::Listener(asio::io_context& context, Descriptor inherited) : acceptor_(context) {
    const int fd = inherited.get();
    const int family = socket_option(fd, SO_DOMAIN);
    const bool fits = (family == AF_INET || family == AF_INET6) && socket_option(fd, SO_TYPE) == SOCK_STREAM &&
                      socket_option(fd, SO_ACCEPTCONN) == 1;
    if (!fits)
        throw Error(
            ErrorCode::internal, "descriptor " + std::to_string(fd) +
                                     " from the service manager is not a TCP socket that listens; use ListenStream= with a port");
    acceptor_.assign(family == AF_INET ? tcp::v4() : tcp::v6(), inherited.release());
}

std::string Listener::local_address() const { return to_text(acceptor_.local_endpoint()); }

asio::awaitable<void> Listener::run(std::deque<Worker>& workers) {
    for (std::size_t turn = 0; acceptor_.is_open(); ++turn) {
        Worker& worker = workers[turn % workers.size()];
        tcp::socket socket(worker.context());
        tcp::endpoint peer;
        const auto [error] = co_await acceptor_.async_accept(socket, peer, no_throw);
        if (!error) {
            worker.serve(std::move(socket), peer);
        } else if (error != asio::error::operation_aborted && error != asio::error::connection_aborted) {
            // Out of descriptors or memory: connections wait in the backlog until some are free again.
            log_warning("accept", {{"problem", error.message()}});
            co_await sleep_for(std::chrono::milliseconds(100));
        }
    }
}

void Listener::close() { acceptor_.close(); }

} // namespace rc
