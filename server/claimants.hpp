// What a job remembers of the clients that it had: one that comes back goes on where it was. No sockets, no Asio.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <string>

namespace rc {

struct Claimant {
    std::string client;
    std::uint64_t generation{}; // of its latest connection
    std::uint64_t signals{};    // the highest number taken
};

class Claimants {
public:
    // `most`: clients to remember, at least 1.
    explicit Claimants(std::size_t most = 64) : most_(most) {}

    // nullptr if it is not known, or not any more.
    [[nodiscard]] const Claimant* find(const std::string& client) const;
    // That client, which is the latest from now on; a fresh one, in whose place the one goes that has been away longest. The reference holds
    // as long as it is the latest.
    Claimant& call(const std::string& client);
    // The last one called; nullptr before the first.
    [[nodiscard]] Claimant* latest() { return latest_first_.empty() ? nullptr : &latest_first_.front(); }

private:
    std::size_t most_;
    std::list<Claimant> latest_first_;
};

} // namespace rc
