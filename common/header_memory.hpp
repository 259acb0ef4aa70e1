// Where the fields of one header live while it is read or made: on the stack, as long as it is of a usual size.
#pragma once

#include <boost/json/monotonic_resource.hpp>
#include <boost/json/storage_ptr.hpp>

#include <array>

namespace rc {

// What is allocated from it must not outlive it. Nothing is given back before: text of a bounded length only.
class HeaderMemory {
public:
    [[nodiscard]] boost::json::storage_ptr storage() { return &resource_; }

private:
    std::array<unsigned char, 2048> memory_; // NOLINT: written before it is read
    boost::json::monotonic_resource resource_{memory_.data(), memory_.size()};
};

} // namespace rc
