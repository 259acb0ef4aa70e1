#include "server/network.hpp"

#include <algorithm>
#include <charconv>

namespace rc {

namespace ip = boost::asio::ip;

namespace {

constexpr unsigned all_v4 = 32;
constexpr unsigned all_v6 = 128;
constexpr unsigned one_customer = 56;

ip::address plain(const ip::address& address) {
    const bool mapped = address.is_v6() && address.to_v6().is_v4_mapped();
    return mapped ? ip::make_address_v4(ip::v4_mapped, address.to_v6()) : address;
}

} // namespace

Network::Network(const ip::address& address, unsigned prefix) : v6_(plain(address).is_v6()), prefix_(prefix) {
    if (v6_) std::ranges::copy(address.to_v6().to_bytes(), bits_.begin());
    else std::ranges::copy(plain(address).to_v4().to_bytes(), bits_.begin());
    for (unsigned index = 0; index < bits_.size(); ++index) {
        const unsigned before = 8 * index;
        const unsigned kept = prefix > before ? std::min(prefix - before, 8U) : 0;
        bits_[index] = static_cast<std::uint8_t>(bits_[index] & (0xff00U >> kept));
    }
}

std::optional<Network> Network::parse(std::string_view text) {
    const std::size_t slash = std::min(text.find('/'), text.size());
    boost::system::error_code problem;
    const ip::address address = ip::make_address(std::string(text.substr(0, slash)), problem);
    if (problem || (address.is_v6() && address.to_v6().scope_id() != 0)) return std::nullopt;
    const unsigned all = address.is_v6() ? all_v6 : all_v4;
    unsigned prefix = all;
    if (slash < text.size()) {
        const char* const end = text.data() + text.size();
        const auto [rest, error] = std::from_chars(text.data() + slash + 1, end, prefix);
        if (error != std::errc{} || rest != end || prefix > all) return std::nullopt;
    }
    return Network(address, prefix);
}

bool Network::contains(const ip::address& address) const { return Network(address, prefix_) == *this; }

std::string Network::text() const {
    ip::address address;
    if (v6_) {
        address = ip::address_v6(bits_);
    } else {
        ip::address_v4::bytes_type bytes{};
        std::copy_n(bits_.begin(), bytes.size(), bytes.begin());
        address = ip::address_v4(bytes);
    }
    return address.to_string() + '/' + std::to_string(prefix_);
}

Network source_of(const ip::address& address) { return {address, plain(address).is_v6() ? one_customer : all_v4}; }

} // namespace rc
