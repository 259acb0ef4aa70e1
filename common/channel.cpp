#include "common/channel.hpp"

#include "common/limits.hpp"
#include "common/tls.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <optional>

namespace rc {

namespace asio = boost::asio;

namespace {

// A host that vanished is noticed by keepalive. Failures are ignored: the connection works without any of these.
void set_tcp_options(asio::ip::tcp::socket& socket) {
    const auto set = [&](int level, int option, int value) {
        ::setsockopt(socket.native_handle(), level, option, &value, sizeof(value));
    };
    set(IPPROTO_TCP, TCP_NODELAY, 1);
    set(SOL_SOCKET, SO_KEEPALIVE, 1);
    set(IPPROTO_TCP, TCP_KEEPIDLE, limits::keepalive_idle_seconds);
    set(IPPROTO_TCP, TCP_KEEPINTVL, limits::keepalive_interval_seconds);
    set(IPPROTO_TCP, TCP_KEEPCNT, limits::keepalive_probes);
    set(IPPROTO_TCP, TCP_NOTSENT_LOWAT, limits::notsent_lowat);
}

} // namespace

Channel::Channel(asio::ip::tcp::socket socket, asio::ssl::context& tls, Peer self)
    : stream_(std::move(socket), tls, self == Peer::server ? TlsRole::server : TlsRole::client), decoder_(self) {
    set_tcp_options(stream_.socket());
}

asio::awaitable<void> Channel::handshake() {
    co_await stream_.handshake();
    secured_ = true;
}

asio::awaitable<Incoming> Channel::receive() {
    for (;;) {
        if (std::optional<Incoming> incoming = decoder_.next()) co_return std::move(*incoming);
        const std::span<std::byte> space = decoder_.prepare();
        const std::size_t count = co_await stream_.read_some(space);
        decoder_.commit(count);
    }
}

asio::awaitable<bool> Channel::readable() {
    if (decoder_.holds_more()) co_return true;
    co_return co_await stream_.readable();
}

void Channel::put(std::string_view bytes) { stream_.put(bytes); }
asio::awaitable<void> Channel::flush() { return stream_.flush(); }

asio::awaitable<void> Channel::send(std::string_view frames) {
    put(frames);
    co_await flush();
}

asio::awaitable<void> Channel::close_gently() {
    asio::ip::tcp::socket& socket = stream_.socket();
    boost::system::error_code error;
    socket.shutdown(asio::ip::tcp::socket::shutdown_send, error);
    std::array<std::byte, 1024> thrown_away;
    while (!error) {
        const auto [failed, count] =
            co_await socket.async_read_some(asio::buffer(thrown_away), asio::as_tuple(asio::use_awaitable));
        error = failed;
    }
}

void Channel::close() {
    boost::system::error_code ignored;
    stream_.socket().close(ignored);
}

Binding Channel::binding() { return channel_binding(stream_.native_handle()); }
Fingerprint Channel::peer_fingerprint() { return rc::peer_fingerprint(stream_.native_handle()); }

} // namespace rc
