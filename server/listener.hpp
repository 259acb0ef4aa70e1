// Listening for connections and handing them to the workers in turn.
#pragma once

#include "common/descriptor.hpp"
#include "server/worker.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <deque>
#include <string>
#include <vector>

namespace rc {

class Listener {
public:
    // `address`: ADDR:PORT or [ADDR]:PORT; port 0 picks a free one. Throws Error{internal} that names the address if it cannot
    // be listened on.
    Listener(boost::asio::io_context& context, const std::string& address);

    // `inherited`: a TCP socket that listens already. Throws Error{internal} if it is something else.
    Listener(boost::asio::io_context& context, Descriptor inherited);

    // As in `address`, with the port that was really taken.
    [[nodiscard]] std::string local_address() const;

    // Accepts until close().
    boost::asio::awaitable<void> run(std::deque<Worker>& workers);
    void close();

private:
    boost::asio::ip::tcp::acceptor acceptor_;
};

// ADDR:PORT or [ADDR]:PORT. Throws Error{internal} that names it if it is not that.
boost::asio::ip::tcp::endpoint parse_address(const std::string& text);

// ADDR:PORT, with brackets around an IPv6 address. An IPv4 address that a socket for both has mapped is shown as it is.
std::string to_text(const boost::asio::ip::tcp::endpoint& endpoint);

} // namespace rc
