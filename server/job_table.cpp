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

std::vector<JobPlace> JobTable::of_key(const std::string& key) const {
    const std::lock_guard lock(mutex_);
    std::vector<JobPlace> places;
    for (auto entry = places_.lower_bound(Name(key, "")); entry != places_.end() && entry->first.first == key; ++entry) {
        places.push_back(entry->second);
    }
    return places;
}

void JobTable::remove(const std::string& key, const std::string& id) {
    const std::lock_guard lock(mutex_);
    places_.erase(Name(key, id));
}

} // namespace rc
