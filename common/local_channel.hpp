// Framed messages between processes of one host, over a socket that only they can reach: no TLS, no login.
#pragma once

#include "common/message_decoder.hpp"
#include "common/sender.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/local/stream_protocol.hpp>

#include <span>
#include <string_view>

namespace rc {

// One side of a connection, in the phase open. Owns the socket. At a time, one coroutine may receive and one may send.
class LocalChannel : public FrameSink {
public:
    // `self`: which side this is. `socket` is connected.
    LocalChannel(boost::asio::local::stream_protocol::socket socket, Peer self);

    // The next message; it holds until the next call. Throws Error for what is not legal, boost::system::system_error when the
    // connection ends.
    boost::asio::awaitable<Incoming> receive();
    void put(std::string_view bytes) override;
    boost::asio::awaitable<void> flush() override;
    // At once; what is under way fails.
    void close();

private:
    boost::asio::local::stream_protocol::socket socket_;
    std::string to_send_;
    MessageDecoder decoder_;
};

} // namespace rc
