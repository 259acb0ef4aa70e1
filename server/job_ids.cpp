#include "server/job_ids.hpp"

#include <algorithm>

namespace rc {

JobIds::Answer JobIds::admit(const std::string& key, const std::string& id, std::uint64_t seen, std::uint64_t now) {
    const std::lock_guard lock(mutex_);
    const auto [entry, fresh] = arrivals_.try_emplace(Name(key, id), now);
    if (!fresh) return Answer::known;
    if (forgot_ && seen <= forgotten_until_) {
        arrivals_.erase(entry);
        return Answer::expired;
    }
    oldest_first_.push_back(entry);
    if (oldest_first_.size() > most_) {
        const auto oldest = oldest_first_.front();
        oldest_first_.pop_front();
        forgot_ = true;
        forgotten_until_ = std::max(forgotten_until_, oldest->second);
        arrivals_.erase(oldest);
    }
    return Answer::fresh;
}

} // namespace rc
