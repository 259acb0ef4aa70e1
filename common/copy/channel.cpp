#include "common/copy/channel.hpp"

#include "common/bytes.hpp"

namespace rc::copy {

namespace {

constexpr std::size_t enough_to_send = block_size;
constexpr std::size_t worth_no_copy = 16 * 1024;

} // namespace

void Channel::send(const Message& message, std::span<const std::byte> body) {
    outgoing_ += encode(message, body.size());
    if (body.size() < worth_no_copy) {
        outgoing_ += as_text(body);
        if (outgoing_.size() >= enough_to_send) flush();
    } else {
        flush();
        transport_->write(body);
    }
}

void Channel::send(const Message& message, const std::string& body) { send(message, as_bytes(body)); }

void Channel::flush() {
    transport_->write(as_bytes(outgoing_));
    outgoing_.clear();
}

void Channel::fill() {
    const std::size_t count = transport_->read(decoder_.prepare());
    if (count == 0) throw Broken("the other end of the copy has ended before it was complete");
    decoder_.commit(count);
}

Received Channel::receive() {
    for (;;) {
        const auto frame = decoder_.next([this](boost::json::object header, std::optional<std::uint64_t> size) {
            message_ = decode(std::move(header), size);
        });
        if (frame) return {*message_, frame->body};
        fill();
    }
}

} // namespace rc::copy
