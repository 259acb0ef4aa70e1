// Framed messages over one TLS connection. Knows no message's meaning.
#pragma once

#include "common/auth.hpp"
#include "common/identity.hpp"
#include "common/message.hpp"
#include "common/message_decoder.hpp"
#include "common/sender.hpp"
#include "common/tls_stream.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace rc {

// One side of a connection. Owns the socket; closes it when it goes. At a time, one coroutine may receive and one may
// send. A send() that was cancelled leaves the connection unusable.
class Channel : public FrameSink {
public:
    // `self`: which side this is. `socket` is connected; TCP options are set here.
    Channel(boost::asio::ip::tcp::socket socket, boost::asio::ssl::context& tls, Peer self);

    // Throws boost::system::system_error, as all that follows does when the connection fails or ends.
    boost::asio::awaitable<void> handshake();
    [[nodiscard]] bool secured() const { return secured_; } // handshake() is done

    // The next message that is legal in the current phase; it holds until the next call. Throws Error for anything else.
    boost::asio::awaitable<Incoming> receive();
    // Ends when receive() has something to look at. False: it was cancelled, or the channel was closed, meanwhile; no exception crosses the
    // coroutines then, which would take longer than all the rest of a connection's end.
    boost::asio::awaitable<bool> readable();

    void put(std::string_view bytes) override;
    boost::asio::awaitable<void> flush() override;
    // Both: `frames` are one or more whole frames.
    boost::asio::awaitable<void> send(std::string_view frames);

    // Sends no more, and reads until the peer has closed, throwing away what it reads: closing at once could make the peer's
    // system discard the last message before it was read.
    boost::asio::awaitable<void> close_gently();

    // At once; what is under way fails.
    void close();
    [[nodiscard]] bool is_open() { return stream_.socket().is_open(); }

    void set_phase(Phase phase) { decoder_.set_phase(phase); }
    // See tls.hpp; after handshake().
    Binding binding();
    Fingerprint peer_fingerprint();

private:
    TlsStream stream_;
    MessageDecoder decoder_;
    bool secured_ = false;
};

} // namespace rc
