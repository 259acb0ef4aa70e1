#include "common/local_channel.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <utility>

namespace rc {

namespace asio = boost::asio;

LocalChannel::LocalChannel(asio::local::stream_protocol::socket socket, Peer self) : socket_(std::move(socket)), decoder_(self) {
    decoder_.set_phase(Phase::open);
}

asio::awaitable<Incoming> LocalChannel::receive() {
    for (;;) {
        if (std::optional<Incoming> incoming = decoder_.next()) co_return std::move(*incoming);
        const std::span<std::byte> space = decoder_.prepare();
        decoder_.commit(co_await socket_.async_read_some(asio::buffer(space.data(), space.size()), asio::use_awaitable));
    }
}

void LocalChannel::put(std::string_view bytes) { to_send_ += bytes; }

asio::awaitable<void> LocalChannel::flush() {
    const std::string bytes = std::exchange(to_send_, {});
    co_await asio::async_write(socket_, asio::buffer(bytes), asio::use_awaitable);
}

void LocalChannel::close() {
    boost::system::error_code ignored;
    socket_.close(ignored);
}

} // namespace rc
