#include "server/job_ids.hpp"

#include "common/auth.hpp"
#include "common/bytes.hpp"

#include <algorithm>
#include <cstring>

namespace rc {

std::size_t JobIds::Hash::operator()(const Name& name) const {
    std::size_t hash = 0;
    std::memcpy(&hash, name.data(), sizeof(hash));
    return hash;
}

JobIds::Name JobIds::name_of(const std::string& key, const std::string& id) {
    const Digest digest = sha256(as_bytes(key + '\0' + id));
    Name name;
    std::copy_n(digest.begin(), name.size(), name.begin());
    return name;
}

JobIds::Answer JobIds::answer(const Name& name, std::uint64_t seen) const {
    if (arrivals_.contains(name)) return Answer::known;
    return forgot_ && seen <= forgotten_until_ ? Answer::expired : Answer::fresh;
}

JobIds::Answer JobIds::look(const std::string& key, const std::string& id, std::uint64_t seen) {
    const Name name = name_of(key, id);
    const std::lock_guard lock(mutex_);
    return answer(name, seen);
}

JobIds::Answer JobIds::admit(const std::string& key, const std::string& id, std::uint64_t seen, std::uint64_t now) {
    const Name name = name_of(key, id);
    const std::lock_guard lock(mutex_);
    if (const Answer found = answer(name, seen); found != Answer::fresh) return found;
    arrivals_.emplace(name, now);
    oldest_first_.push_back(name);
    if (oldest_first_.size() > most_) {
        const auto oldest = arrivals_.find(oldest_first_.front());
        oldest_first_.pop_front();
        forgot_ = true;
        forgotten_until_ = std::max(forgotten_until_, oldest->second);
        arrivals_.erase(oldest);
    }
    return Answer::fresh;
}

} // namespace rc
