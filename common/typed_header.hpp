// Headers that name their message in a field `type`.
#pragma once

#include <boost/json/object.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rc {

// Removes the field `type` and returns it. Throws Error{bad_message} if it is missing or no string.
std::string take_type(boost::json::object& header);

// Whether a message may have a body of that size. `limit`: the most, in bytes; none: it has no body. Throws Error{bad_message,
// too_large}.
void check_body(std::string_view type, std::optional<std::size_t> limit, std::optional<std::uint64_t> size);

} // namespace rc
