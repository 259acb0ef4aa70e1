// Bytes in, messages out: frames, decoded by the one table of message.hpp. No sockets, no Asio.
#pragma once

#include "common/frame.hpp"
#include "common/limits.hpp"
#include "common/message.hpp"

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

namespace rc {

// A message as it was received. The views hold until the decoder is asked for the next one.
struct Incoming {
    Message message;
    std::string_view header; // byte for byte
    std::span<const std::byte> body;
};

// One side's view of what the other sends. After an Error it is of no further use.
class MessageDecoder {
public:
    // `self`: which side this is. It begins in the first phase.
    explicit MessageDecoder(Peer self) : sender_(self == Peer::server ? Peer::client : Peer::server) {}

    void set_phase(Phase phase);

    // The next message, or nothing when more bytes are needed. Throws Error for one that is not legal in the current phase.
    std::optional<Incoming> next();

    // Whether there are bytes behind the message that next() gave last.
    [[nodiscard]] bool holds_more() const { return frames_.holds_more(); }

    // Where bytes are to be put, and how many were.
    std::span<std::byte> prepare() { return frames_.prepare(); }
    void commit(std::size_t count) { frames_.commit(count); }

private:
    FrameDecoder frames_{limits::header_before_proof};
    Peer sender_;
    Phase phase_ = Phase::greeting;
    std::optional<Message> message_; // of a frame whose body is still coming in
};

} // namespace rc
