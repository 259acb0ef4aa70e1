// Which durable jobs there are, so that nobody needs to look for them on the disk at every command. Knows what it has been told
// only. Any thread may call.
#pragma once

#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace rc {

class DurableIndex {
public:
    void add(const std::string& key, const std::string& id);
    void remove(const std::string& key, const std::string& id);
    // It is over, and will stay so.
    void end(const std::string& key, const std::string& id);

    [[nodiscard]] bool contains(const std::string& key, const std::string& id) const;
    // Those of a key whose end has not been told.
    [[nodiscard]] std::vector<std::string> open(const std::string& key) const;

private:
    struct Ids {
        std::set<std::string> all;
        std::set<std::string> open;
    };

    mutable std::mutex mutex_;
    std::map<std::string, Ids> keys_;
};

} // namespace rc
