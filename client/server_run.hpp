#pragma once

#include <cstdint>
#include <string>

namespace rc {

// What a request must know of the run of the server that it goes to, from that one's challenge.
struct ServerRun {
    std::string boot;
    std::uint64_t uptime{};   // its clock, milliseconds
    bool knows_after = false; // a request can wait there for the end of another job
};

} // namespace rc
