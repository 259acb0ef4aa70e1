// Accounts whose processes do not get to their programs in time. Each such launch holds up a thread that serves others, too, so after it no further
// one of that account is tried for a while. No clock of its own: `now` is the steady clock's. Any thread may call.
#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <optional>

#include <sys/types.h>

namespace rc {

class LaunchPenalties {
public:
    using Time = std::chrono::steady_clock::time_point;

    static constexpr std::chrono::seconds first_wait{10};
    static constexpr std::chrono::seconds longest_wait{600};

    // One more launch of that account had to be killed. Each doubles the wait, up to the longest; they are forgotten when that much time has
    // passed after it.
    void note_stuck(uid_t account, Time now);
    // How long the account must still wait; nothing: it need not.
    [[nodiscard]] std::optional<std::chrono::seconds> wait_of(uid_t account, Time now) const;

private:
    struct Wait {
        std::chrono::seconds length{};
        Time until{};
    };
    mutable std::mutex mutex_;
    std::map<uid_t, Wait> waits_; // no more than there are accounts
};

// Of this process.
LaunchPenalties& launch_penalties();

} // namespace rc
