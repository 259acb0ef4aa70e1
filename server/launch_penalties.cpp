#include "server/launch_penalties.hpp"

#include <algorithm>

namespace rc {

void LaunchPenalties::note_stuck(uid_t account, Time now) {
    const std::lock_guard lock(mutex_);
    Wait& wait = waits_[account];
    if (wait.until + longest_wait < now) wait.length = {};
    wait.length = std::clamp(2 * wait.length, first_wait, longest_wait);
    wait.until = now + wait.length;
}

std::optional<std::chrono::seconds> LaunchPenalties::wait_of(uid_t account, Time now) const {
    const std::lock_guard lock(mutex_);
    const auto found = waits_.find(account);
    if (found == waits_.end() || found->second.until <= now) return std::nullopt;
    return std::chrono::ceil<std::chrono::seconds>(found->second.until - now);
}

LaunchPenalties& launch_penalties() {
    static LaunchPenalties penalties;
    return penalties;
}

} // namespace rc
