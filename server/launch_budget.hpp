// How long the launches of each account hold up threads that serve others, too: a directory that answers slowly does that, or whoever may stop the
// account's processes. An account that has used up what it is given must wait. No clock of its own: `now` is the steady clock's. Any thread may call.
#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <optional>

#include <sys/types.h>

namespace rc {

class LaunchBudget {
public:
    using Duration = std::chrono::steady_clock::duration;
    using Time = std::chrono::steady_clock::time_point;

    // So much of each launch is free, or who is busy on a busy host would have to wait.
    static constexpr std::chrono::milliseconds usual{500};
    static constexpr std::chrono::seconds given{10}; // may be used at once
    static constexpr int regained_in = 10;           // seconds, for each second that was used
    static constexpr std::chrono::seconds longest_wait{60};

    void spend(uid_t account, Duration launch, Time now);
    // How long the account must wait; nothing: it need not.
    [[nodiscard]] std::optional<std::chrono::seconds> wait_of(uid_t account, Time now) const;

private:
    struct Use {
        Duration used{};
        Time at{};
        [[nodiscard]] Duration left(Time now) const;
    };
    mutable std::mutex mutex_;
    std::map<uid_t, Use> uses_; // no more than there are accounts
};

// Of this process.
LaunchBudget& launch_budget();

} // namespace rc
