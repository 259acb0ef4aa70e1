#include "server/penalties.hpp"

#include <algorithm>

namespace rc {

void Penalties::failed(const Network& source, Time now) {
    Failures& failures = failures_[source];
    if (failures.until + longest_wait < now) failures = {};
    ++failures.count;
    failures.until = std::max(failures.until, now);
    if (failures.count <= free_failures) return;
    std::chrono::seconds wait = first_wait;
    for (int more = failures.count - free_failures; more > 1 && wait < longest_wait; --more) wait *= 2;
    failures.until = now + std::min(wait, longest_wait);
}

void Penalties::logged_in(const Network& source, Time now) {
    failures_.erase(source);
    logins_[source] = now;
}

bool Penalties::trusted(const Network& source, Time now) {
    const Time* login = logins_.find(source);
    return login != nullptr && now < *login + trusted_for;
}

std::optional<std::chrono::seconds> Penalties::wait_of(const Network& source, Time now) {
    if (trusted(source, now)) return std::nullopt;
    const Failures* failures = failures_.find(source);
    if (failures == nullptr || failures->until <= now || failures->count <= free_failures) return std::nullopt;
    return std::chrono::ceil<std::chrono::seconds>(failures->until - now);
}

} // namespace rc
