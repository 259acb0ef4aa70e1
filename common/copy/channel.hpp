// The messages of a copy, blocking.
#pragma once

#include "common/copy/message.hpp"
#include "common/frame.hpp"

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>

namespace rc::copy {

// The other end is gone, or this one is asked to end: nothing can be said or heard any more.
class Broken : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

// What carries the messages, blocking. One thread may read while another one writes. Both throw Broken.
class Transport {
public:
    virtual ~Transport() = default;
    // At least one byte; 0 at the end.
    virtual std::size_t read(std::span<std::byte> space) = 0;
    virtual void write(std::span<const std::byte> bytes) = 0;
    // Nothing more will be written.
    virtual void close() = 0;
};

struct Received {
    Message message;
    std::span<const std::byte> body; // holds until the next receive()
};

// One thread may send while another one receives.
class Channel {
public:
    explicit Channel(std::unique_ptr<Transport> transport) : transport_(std::move(transport)) {}

    // What is sent is collected; flush() sees it off. Both throw Broken.
    void send(const Message& message, std::span<const std::byte> body = {});
    void send(const Message& message, const std::string& body);
    void flush();

    // The next message. Throws Broken, and Error for what breaks the protocol.
    Received receive();
    // Nothing more will be sent; the other end, and then receive(), ends.
    void close() { transport_->close(); }

private:
    void fill();

    std::unique_ptr<Transport> transport_;
    std::string outgoing_;
    FrameDecoder decoder_{header_limit};
    std::optional<Message> message_; // of the frame under way
};

} // namespace rc::copy
