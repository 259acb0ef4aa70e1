// Signals by the names that the wire and the user see: those of `kill -l`, without SIG.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace rc {

// A signal without a name (the real-time ones) is written as its number.
std::string signal_name(int number);
std::optional<int> signal_number(std::string_view name);

} // namespace rc
