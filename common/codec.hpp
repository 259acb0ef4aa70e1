// Messages to frames and back, by the one table of message.hpp.
#pragma once

#include "common/frame.hpp"
#include "common/message.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace rc {

// The message of a header (without `size`) that `sender` sent to a receiver in `phase`, with all that can be said of
// it by itself checked: type, direction, phase, fields, the size of its body, the form of its names and its cross-field
// rules. Throws Error{unexpected_message, bad_message, too_large}.
Message decode_message(boost::json::object header, std::optional<std::uint64_t> body_size, Peer sender, Phase phase);

// What goes on the wire before the body. `body_size`: bytes; meaningless for a message that has no body.
std::string encode_message(const Message& message, std::size_t body_size = 0);

// A job id: 1 to 64 of A-Z a-z 0-9 . _ - and not starting with a dot. A key id may hold an @ as well.
bool valid_job_id(std::string_view id);
bool valid_key_id(std::string_view id);

} // namespace rc
