// What is legal only on a connection whose two ends named it (PROTOCOL.md section 3).
#pragma once

#include <string_view>

namespace rc {

inline constexpr std::string_view feature_after = "after"; // the field `after` of exec

} // namespace rc
