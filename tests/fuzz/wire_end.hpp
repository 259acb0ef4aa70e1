// One end of a connection, for targets that have the real one at the other end: both live in one thread and one process.
#pragma once

#include "common/message_decoder.hpp"
#include "common/tls_stream.hpp"
#include "tests/fuzz/require.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace rc {

namespace asio = boost::asio;

// A pair of sockets that are connected, without ports, of which the system has not so many.
inline std::pair<asio::ip::tcp::socket, asio::ip::tcp::socket> connected_sockets(asio::io_context& one, asio::io_context& other) {
    std::array<int, 2> ends{};
    require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
    return {asio::ip::tcp::socket(one, asio::ip::tcp::v4(), ends[0]), asio::ip::tcp::socket(other, asio::ip::tcp::v4(), ends[1])};
}

// The lowest number that a new descriptor gets: higher than before if any was left open.
inline int next_descriptor() {
    const int fd = ::dup(0);
    require(fd >= 0);
    ::close(fd);
    return fd;
}

// It decodes what the other end says: not one illegal message may come from there.
class WireEnd : public std::enable_shared_from_this<WireEnd> {
public:
    WireEnd(asio::ip::tcp::socket socket, asio::ssl::context& tls, Peer self)
        : stream_(std::move(socket), tls, self == Peer::server ? TlsRole::server : TlsRole::client), decoder_(self) {}

    // Begins with TLS; what comes then is decoded.
    void open() {
        opened_ = true;
        asio::co_spawn(stream_.socket().get_executor(), run(shared_from_this()), asio::detached);
    }

    // Before open() as it stands; afterwards when the handshake is done.
    void send(std::string_view bytes) {
        if (!opened_) {
            ::send(stream_.socket().native_handle(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
            return;
        }
        outgoing_ += bytes;
        if (!secured_ || std::exchange(sending_, true)) return;
        asio::co_spawn(stream_.socket().get_executor(), write(shared_from_this()), asio::detached);
    }

    void close() {
        boost::system::error_code ignored;
        stream_.socket().close(ignored);
    }

    void set_phase(Phase phase) { decoder_.set_phase(phase); }
    [[nodiscard]] bool opened() const { return opened_; }
    [[nodiscard]] bool secured() const { return secured_; }
    [[nodiscard]] SSL* native_handle() { return stream_.native_handle(); }

    std::function<void(const Incoming&)> on_message = [](const Incoming&) {};

private:
    static asio::awaitable<void> run(std::shared_ptr<WireEnd> self) {
        try {
            co_await self->stream_.handshake();
            self->secured_ = true;
            self->send({});
            for (;;) {
                self->take_messages();
                const auto space = self->decoder_.prepare();
                const std::size_t count = co_await self->stream_.read_some(space);
                self->decoder_.commit(count);
            }
        } catch (const boost::system::system_error&) { // the other end is done, or this one was closed
        }
        self->close();
    }

    static asio::awaitable<void> write(std::shared_ptr<WireEnd> self) {
        try {
            while (!self->outgoing_.empty()) {
                self->stream_.put(std::exchange(self->outgoing_, {}));
                co_await self->stream_.flush();
            }
        } catch (const boost::system::system_error&) {
            self->close();
        }
        self->sending_ = false;
    }

    void take_messages() noexcept {
        while (const auto incoming = decoder_.next()) on_message(*incoming);
    }

    TlsStream stream_;
    MessageDecoder decoder_;
    std::string outgoing_;
    bool opened_ = false;
    bool secured_ = false;
    bool sending_ = false;
};

} // namespace rc
