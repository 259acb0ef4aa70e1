#include "server/job_table.hpp"

namespace rc {

std::optional<JobPlace> JobTable::reserve(const std::string& key, const std::string& id, const JobPlace& place) {
    const std::lock_guard lock(mutex_);
    const auto [entry, fresh] = places_.try_emplace(Name(key, id), place);
    return fresh ? std::nullopt : std::optional(entry->second);
}

std::optional<JobPlace> JobTable::find(const std::string& key, const std::string& id) const {
    const std::lock_guard lock(mutex_);
    const auto entry = places_.find(Name(key, id));
    return entry != places_.end() ? std::optional(entry->second) : std::nullopt;
}

void JobTable::remove(const std::string& key, const std::string& id) {
    const std::lock_guard lock(mutex_);
    places_.erase(Name(key, id));
}

} // namespace rc
