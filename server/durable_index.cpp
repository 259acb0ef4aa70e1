#include "server/durable_index.hpp"

namespace rc {

void DurableIndex::add(const std::string& key, const std::string& id) {
    const std::lock_guard lock(mutex_);
    Ids& ids = keys_[key];
    if (ids.all.insert(id).second) ids.open.insert(id);
}

void DurableIndex::remove(const std::string& key, const std::string& id) {
    const std::lock_guard lock(mutex_);
    const auto ids = keys_.find(key);
    if (ids == keys_.end()) return;
    ids->second.all.erase(id);
    ids->second.open.erase(id);
    if (ids->second.all.empty()) keys_.erase(ids);
}

void DurableIndex::end(const std::string& key, const std::string& id) {
    const std::lock_guard lock(mutex_);
    const auto ids = keys_.find(key);
    if (ids != keys_.end()) ids->second.open.erase(id);
}

bool DurableIndex::contains(const std::string& key, const std::string& id) const {
    const std::lock_guard lock(mutex_);
    const auto ids = keys_.find(key);
    return ids != keys_.end() && ids->second.all.contains(id);
}

std::vector<std::string> DurableIndex::open(const std::string& key) const {
    const std::lock_guard lock(mutex_);
    const auto ids = keys_.find(key);
    if (ids == keys_.end()) return {};
    return {ids->second.open.begin(), ids->second.open.end()};
}

} // namespace rc
