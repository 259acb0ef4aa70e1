// Sources whose proofs fail must wait, longer each time. No sockets, no clock of its own: `now` is the steady clock's.
#pragma once

#include "server/recent_sources.hpp"

#include <chrono>
#include <cstddef>
#include <optional>

namespace rc {

// The first failures are free, as of a key that was not copied yet. Each further one doubles the time that the source must wait, up to a limit;
// failures are forgotten when that much time has passed after the wait. A source from which somebody logged in lately never waits: others
// behind the same address must not be locked out.
class Penalties {
public:
    using Time = std::chrono::steady_clock::time_point;

    static constexpr int free_failures = 5;
    static constexpr std::chrono::seconds first_wait{5};
    static constexpr std::chrono::seconds longest_wait{600};
    static constexpr std::chrono::seconds trusted_for{600}; // after a login
    static constexpr std::size_t most_sources = 65'536;     // of each kind

    void failed(const Network& source, Time now);
    void logged_in(const Network& source, Time now);

    [[nodiscard]] bool trusted(const Network& source, Time now);
    // How long it must still wait; nothing: it need not.
    [[nodiscard]] std::optional<std::chrono::seconds> wait_of(const Network& source, Time now);

    [[nodiscard]] std::size_t size() const { return failures_.size() + logins_.size(); }

private:
    struct Failures {
        int count = 0;
        Time until{};
    };
    RecentSources<Failures> failures_{most_sources};
    RecentSources<Time> logins_{most_sources};
};

} // namespace rc
