// The two streams that a job writes, for what is kept once for each.
#pragma once

#include "common/message.hpp"

#include <array>
#include <cstddef>

namespace rc {

inline constexpr std::array outputs{StreamName::stdout_, StreamName::stderr_};

// Its place in an array of two.
inline std::size_t output_index(StreamName name) { return name == StreamName::stderr_ ? 1 : 0; }

} // namespace rc
