// Networks: what they hold, and what is none.
#include "server/network.hpp"

#include <gtest/gtest.h>

namespace rc {
namespace {

boost::asio::ip::address at(const char* text) { return boost::asio::ip::make_address(text); }

TEST(Network, holds_the_addresses_of_its_prefix) {
    struct Case {
        const char* network;
        const char* address;
        bool held;
    };
    const Case table[] = {
        {"10.1.2.3", "10.1.2.3", true},
        {"10.1.2.3", "10.1.2.4", false},
        {"10.0.0.0/8", "10.255.255.255", true},
        {"10.9.9.9/8", "10.0.0.1", true},
        {"10.0.0.0/8", "11.0.0.0", false},
        {"10.0.0.0/9", "10.127.0.1", true},
        {"10.0.0.0/9", "10.128.0.1", false},
        {"0.0.0.0/0", "203.0.113.9", true},
        {"0.0.0.0/0", "::1", false},
        {"::/0", "10.0.0.1", false},
        {"10.0.0.0/8", "::ffff:10.0.0.1", true},
        {"2001:db8::/32", "2001:db8:ffff::1", true},
        {"2001:db8::/32", "2001:db9::", false},
        {"2001:db8::1", "2001:db8::1", true},
        {"2001:db8::1/127", "2001:db8::", true},
        {"2001:db8::1/127", "2001:db8::2", false},
    };
    for (const Case& test : table) {
        const auto network = Network::parse(test.network);
        ASSERT_TRUE(network) << test.network;
        EXPECT_EQ(network->contains(at(test.address)), test.held) << test.network << ' ' << test.address;
    }
}

TEST(Network, anything_else_is_none) {
    for (const char* text : {"", "/", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8x", "10.0.0/8", "::/129", "host",
             "!10.0.0.1", "10.0.0.0/8/8", " 10.0.0.1", "fe80::1%1"})
        EXPECT_FALSE(Network::parse(text)) << text;
}

TEST(Network, a_source_is_one_ipv4_address_or_an_ipv6_56) {
    EXPECT_EQ(source_of(at("192.0.2.7")).text(), "192.0.2.7/32");
    EXPECT_EQ(source_of(at("::ffff:192.0.2.7")).text(), "192.0.2.7/32");
    EXPECT_EQ(source_of(at("2001:db8:1:2345::9")).text(), "2001:db8:1:2300::/56");
    EXPECT_EQ(source_of(at("2001:db8:1:23ff:1::")), source_of(at("2001:db8:1:2345::9")));
    EXPECT_NE(source_of(at("2001:db8:1:2400::")), source_of(at("2001:db8:1:2345::9")));
}

} // namespace
} // namespace rc
