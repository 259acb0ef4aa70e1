// One message of every kind with all fields there, and one with as little as the protocol allows: as a struct, and as
// the text that PROTOCOL.md gives it.
#pragma once

#include "common/message.hpp"

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace rc {

struct Sample {
    Message message;
    std::string_view header; // without `size`
    std::optional<std::uint64_t> size;
};

const std::vector<Sample>& message_samples();

} // namespace rc
