// How many jobs each key has. Any thread may call.
#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace rc {

class JobSlots {
public:
    // A job's place, for as long as it lives. It must not outlive the slots.
    class Slot {
    public:
        Slot(JobSlots& slots, std::string key) : slots_(&slots), key_(std::move(key)) {}
        Slot(Slot&& other) noexcept : slots_(std::exchange(other.slots_, nullptr)), key_(std::move(other.key_)) {}
        Slot& operator=(Slot&&) = delete;
        ~Slot() {
            if (slots_ != nullptr) slots_->free(key_);
        }

    private:
        JobSlots* slots_;
        std::string key_;
    };

    // Nothing if the key has `most` already.
    std::optional<Slot> take(const std::string& key, std::size_t most) {
        const std::lock_guard lock(mutex_);
        std::size_t& count = counts_[key];
        if (count >= most) {
            if (count == 0) counts_.erase(key);
            return std::nullopt;
        }
        return taken(key, count);
    }

    // One more, however many there are.
    Slot add(const std::string& key) {
        const std::lock_guard lock(mutex_);
        return taken(key, counts_[key]);
    }

private:
    Slot taken(const std::string& key, std::size_t& count) {
        ++count;
        return {*this, key};
    }

    void free(const std::string& key) {
        const std::lock_guard lock(mutex_);
        const auto count = counts_.find(key);
        if (--count->second == 0) counts_.erase(count);
    }

    std::mutex mutex_;
    std::map<std::string, std::size_t> counts_;
};

} // namespace rc
