#include "server/launch_budget.hpp"

#include <algorithm>

namespace rc {

// Of what was used, that has not been regained.
LaunchBudget::Duration LaunchBudget::Use::left(Time now) const { return std::max(Duration(), used - (now - at) / regained_in); }

void LaunchBudget::spend(uid_t account, Duration launch, Time now) {
    if (launch <= usual) return;
    const std::lock_guard lock(mutex_);
    Use& use = uses_[account];
    const Duration most = given + longest_wait / regained_in;
    use = {std::min<Duration>(use.left(now) + launch - usual, most), now};
}

std::optional<std::chrono::seconds> LaunchBudget::wait_of(uid_t account, Time now) const {
    const std::lock_guard lock(mutex_);
    const auto found = uses_.find(account);
    const Duration left = found == uses_.end() ? Duration() : found->second.left(now);
    if (left <= given) return std::nullopt;
    return std::chrono::ceil<std::chrono::seconds>((left - given) * regained_in);
}

LaunchBudget& launch_budget() {
    static LaunchBudget budget;
    return budget;
}

} // namespace rc
