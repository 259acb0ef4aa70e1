#include "server/job_table.hpp"

namespace rc {

std::optional<JobPlace> JobTable::reserve(
    const std::string& key, const std::string& id, const JobPlace& place, const std::function<void()>& begin) {
    const std::lock_guard lock(mutex_);
    if (const auto known = places_.find(Name(key, id)); known != places_.end()) return known->second;
    if (begin) begin();
    places_.emplace(Name(key, id), place);
    return std::nullopt;
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

std::vector<std::pair<std::string, JobPlace>> JobTable::all() const {
    const std::lock_guard lock(mutex_);
    std::vector<std::pair<std::string, JobPlace>> places;
    for (const auto& [name, place] : places_) places.emplace_back(name.first, place);
    return places;
}

void JobTable::remove(const std::string& key, const std::string& id) {
    const std::lock_guard lock(mutex_);
    places_.erase(Name(key, id));
}

} // namespace rc
