#include "common/signal_name.hpp"

#include <csignal>
#include <cstring>

namespace rc {

std::string signal_name(int number) {
    const char* name = ::sigabbrev_np(number);
    return name != nullptr ? name : std::to_string(number);
}

std::optional<int> signal_number(std::string_view name) {
    for (int number = 1; number < NSIG; ++number) {
        if (signal_name(number) == name) return number;
    }
    return std::nullopt;
}

} // namespace rc
