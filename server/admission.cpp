#include "server/admission.hpp"

#include <algorithm>
#include <utility>

namespace rc {

Admission::Ticket Admission::arrive(const Network& source, Time now, std::function<void()> evict) {
    std::function<void()> superfluous_one;
    Ticket ticket = 0;
    {
        const std::lock_guard lock(mutex_);
        ticket = ++last_;
        strangers_.emplace(ticket, Stranger{source, std::move(evict)});
        ++counts_[source];
        if (strangers_.size() > most_) superfluous_one = remove(superfluous(now));
    }
    if (superfluous_one) superfluous_one();
    return ticket;
}

void Admission::leave(Ticket ticket) {
    const std::lock_guard lock(mutex_);
    const auto stranger = strangers_.find(ticket);
    if (stranger != strangers_.end()) remove(stranger);
}

void Admission::logged_in(Ticket ticket, Time now) {
    const std::lock_guard lock(mutex_);
    const auto stranger = strangers_.find(ticket);
    if (stranger == strangers_.end()) return;
    penalties_.logged_in(stranger->second.source, now);
    remove(stranger);
}

void Admission::failed(Ticket ticket, Time now) {
    const std::lock_guard lock(mutex_);
    const auto stranger = strangers_.find(ticket);
    if (stranger != strangers_.end()) penalties_.failed(stranger->second.source, now);
}

std::optional<std::chrono::seconds> Admission::wait_of(Ticket ticket, Time now) {
    const std::lock_guard lock(mutex_);
    const auto stranger = strangers_.find(ticket);
    return stranger == strangers_.end() ? std::nullopt : penalties_.wait_of(stranger->second.source, now);
}

std::size_t Admission::strangers() const {
    const std::lock_guard lock(mutex_);
    return strangers_.size();
}

// Returns what evicts it.
std::function<void()> Admission::remove(std::map<Ticket, Stranger>::iterator stranger) {
    const auto count = counts_.find(stranger->second.source);
    if (--count->second == 0) counts_.erase(count);
    std::function<void()> evict = std::move(stranger->second.evict);
    strangers_.erase(stranger);
    return evict;
}

std::map<Admission::Ticket, Admission::Stranger>::iterator Admission::superfluous(Time now) {
    auto largest = counts_.end();
    bool trusted = true;
    for (auto count = counts_.begin(); count != counts_.end(); ++count) {
        const bool larger = largest == counts_.end() || count->second > largest->second;
        if (!larger && !trusted) continue;
        const bool also_trusted = penalties_.trusted(count->first, now);
        if ((trusted && !also_trusted) || (trusted == also_trusted && larger)) {
            largest = count;
            trusted = also_trusted;
        }
    }
    return std::ranges::find_if(strangers_, [&](const auto& entry) { return entry.second.source == largest->first; });
}

} // namespace rc
