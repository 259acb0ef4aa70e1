// What is remembered of sources, in a table that never grows beyond its limit: the source that was looked at longest ago goes first.
#pragma once

#include "server/network.hpp"

#include <cstddef>
#include <list>
#include <map>
#include <utility>

namespace rc {

template <class Value>
class RecentSources {
public:
    explicit RecentSources(std::size_t most) : most_(most) {}

    // Nothing is remembered: null. The value holds until the next call.
    Value* find(const Network& source) {
        const auto entry = places_.find(source);
        if (entry == places_.end()) return nullptr;
        entries_.splice(entries_.begin(), entries_, entry->second);
        return &entry->second->second;
    }

    // What is remembered, or a fresh value.
    Value& operator[](const Network& source) {
        if (Value* known = find(source)) return *known;
        if (places_.size() >= most_) {
            places_.erase(entries_.back().first);
            entries_.pop_back();
        }
        entries_.emplace_front(source, Value{});
        places_.emplace(source, entries_.begin());
        return entries_.front().second;
    }

    void erase(const Network& source) {
        const auto entry = places_.find(source);
        if (entry == places_.end()) return;
        entries_.erase(entry->second);
        places_.erase(entry);
    }

    [[nodiscard]] std::size_t size() const { return places_.size(); }

private:
    using Entries = std::list<std::pair<Network, Value>>;
    std::size_t most_;
    Entries entries_; // the front one was looked at last
    std::map<Network, typename Entries::iterator> places_;
};

} // namespace rc
