// Parts of the address space: in authorized_keys, and as the source that a connection comes from. No sockets.
#pragma once

#include <boost/asio/ip/address.hpp>

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rc {

class Network {
public:
    // `prefix`: bits, at most 32 or 128. An IPv4 address that is mapped into IPv6 is taken as what it is.
    Network(const boost::asio::ip::address& address, unsigned prefix);

    // ADDRESS or ADDRESS/BITS; bits behind the prefix do not matter. Nothing if it is neither.
    static std::optional<Network> parse(std::string_view text);

    [[nodiscard]] bool contains(const boost::asio::ip::address& address) const;
    [[nodiscard]] std::string text() const; // ADDRESS/BITS

    auto operator<=>(const Network&) const = default;

private:
    bool v6_;
    unsigned prefix_;
    std::array<std::uint8_t, 16> bits_{}; // those behind the prefix are 0
};

// Whom an address counts as: one IPv4 address, or an IPv6 /56, which is what one customer gets.
Network source_of(const boost::asio::ip::address& address);

} // namespace rc
