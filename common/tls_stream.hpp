// TLS over one TCP socket. The records of a whole send go out in one system call, and what has arrived comes in by few, straight into
// OpenSSL's buffer: asio::ssl::stream makes a call for each record.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>

#include <openssl/types.h>

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace rc {

enum class TlsRole { client, server };

// Owns the socket. At a time, one coroutine may read and one may write. All throw boost::system::system_error: of the socket, of TLS,
// asio::error::eof at the end. A flush() that was cancelled leaves the connection unusable.
class TlsStream {
public:
    TlsStream(boost::asio::ip::tcp::socket socket, boost::asio::ssl::context& tls, TlsRole role);

    boost::asio::awaitable<void> handshake();
    // At least one byte; as many as have arrived and fit.
    boost::asio::awaitable<std::size_t> read_some(std::span<std::byte> space);
    // Ends when read_some() has something to look at. False: it was cancelled, or the socket was closed, meanwhile.
    boost::asio::awaitable<bool> readable();
    // Encrypts, behind what has been put before; flush() sends that.
    void put(std::string_view bytes);
    boost::asio::awaitable<void> flush();

    [[nodiscard]] boost::asio::ip::tcp::socket& socket() { return wire_->socket; }
    [[nodiscard]] SSL* native_handle() { return ssl_.get(); }

private:
    // What OpenSSL reads from and writes to. An idle connection holds no memory for either.
    struct Wire {
        boost::asio::ip::tcp::socket socket;
        boost::system::error_code error; // of reading
        std::string to_send;
    };
    struct Free {
        void operator()(SSL* ssl) const;
    };

    static const BIO_METHOD* wire_method();
    static int take(BIO* bio, char* out, int size);
    static int put(BIO* bio, const char* bytes, int size);

    std::size_t decrypt(std::span<std::byte> space);
    boost::asio::awaitable<void> arrival();
    [[noreturn]] static void fail(int reason);

    std::unique_ptr<Wire> wire_;
    std::size_t turn_ = 0; // bytes read since others had theirs
    std::unique_ptr<SSL, Free> ssl_;
};

} // namespace rc
