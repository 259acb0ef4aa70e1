#include "server/claimants.hpp"

#include <algorithm>

namespace rc {

const Claimant* Claimants::find(const std::string& client) const {
    const auto found = std::ranges::find(latest_first_, client, &Claimant::client);
    return found == latest_first_.end() ? nullptr : &*found;
}

Claimant& Claimants::call(const std::string& client) {
    const auto found = std::ranges::find(latest_first_, client, &Claimant::client);
    if (found != latest_first_.end()) {
        latest_first_.splice(latest_first_.begin(), latest_first_, found);
    } else {
        latest_first_.push_front({client});
        if (latest_first_.size() > most_) latest_first_.pop_back();
    }
    return latest_first_.front();
}

} // namespace rc
