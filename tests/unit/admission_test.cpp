// Strangers: how many there may be and which one goes; penalties: how long, for whom, and that their table is bounded.
#include "server/admission.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace rc {
namespace {

using namespace std::chrono_literals;
using Time = Penalties::Time;

const Time begin = Time{} + 1000h;

Network source(unsigned number) { return {boost::asio::ip::address_v4(0x0a000000U + number), 32}; }

TEST(Penalties, the_first_failures_are_free_and_each_further_one_doubles_the_wait) {
    Penalties penalties;
    std::vector<std::int64_t> waits;
    Time now = begin;
    for (int i = 0; i < 15; ++i) {
        penalties.failed(source(1), now);
        const auto wait = penalties.wait_of(source(1), now);
        waits.push_back(wait ? wait->count() : 0);
        now += wait.value_or(0s);
        EXPECT_FALSE(penalties.wait_of(source(1), now));
    }
    EXPECT_EQ(waits, (std::vector<std::int64_t>{0, 0, 0, 0, 0, 5, 10, 20, 40, 80, 160, 320, 600, 600, 600}));
    EXPECT_FALSE(penalties.wait_of(source(2), begin));
}

TEST(Penalties, a_wait_is_told_in_whole_seconds_that_are_enough) {
    Penalties penalties;
    for (int i = 0; i <= Penalties::free_failures; ++i) penalties.failed(source(1), begin);
    EXPECT_EQ(penalties.wait_of(source(1), begin + 100ms), 5s);
    EXPECT_EQ(penalties.wait_of(source(1), begin + 4999ms), 1s);
    EXPECT_FALSE(penalties.wait_of(source(1), begin + 5s));
}

TEST(Penalties, failures_are_forgotten_some_time_after_the_wait) {
    Penalties penalties;
    for (int i = 0; i <= Penalties::free_failures; ++i) penalties.failed(source(1), begin);
    penalties.failed(source(1), begin + 5s + Penalties::longest_wait);
    EXPECT_TRUE(penalties.wait_of(source(1), begin + 5s + Penalties::longest_wait)) << "not yet";
    const Time later = begin + 2 * Penalties::longest_wait + 20s;
    penalties.failed(source(1), later);
    EXPECT_FALSE(penalties.wait_of(source(1), later));
}

TEST(Penalties, a_source_with_a_login_lately_never_waits) {
    Penalties penalties;
    penalties.logged_in(source(1), begin);
    for (int i = 0; i < 20; ++i) penalties.failed(source(1), begin + 1s);
    EXPECT_FALSE(penalties.wait_of(source(1), begin + 1s));
    EXPECT_TRUE(penalties.trusted(source(1), begin + Penalties::trusted_for - 1s));
    EXPECT_FALSE(penalties.trusted(source(1), begin + Penalties::trusted_for));
    EXPECT_TRUE(penalties.wait_of(source(1), begin + Penalties::trusted_for));
}

TEST(Penalties, a_login_ends_the_wait) {
    Penalties penalties;
    for (int i = 0; i < 10; ++i) penalties.failed(source(1), begin);
    penalties.logged_in(source(1), begin);
    EXPECT_FALSE(penalties.wait_of(source(1), begin));
}

TEST(Penalties, the_table_is_bounded_and_the_latest_stay) {
    Penalties penalties;
    const auto many = static_cast<unsigned>(Penalties::most_sources);
    for (unsigned i = 0; i < 100'000; ++i) {
        for (int failure = 0; failure <= Penalties::free_failures; ++failure) penalties.failed(source(i), begin);
        penalties.logged_in(source(0x100000 + i), begin);
    }
    EXPECT_LE(penalties.size(), 2 * Penalties::most_sources);
    EXPECT_TRUE(penalties.wait_of(source(99'999), begin));
    EXPECT_TRUE(penalties.wait_of(source(100'000 - many), begin));
    EXPECT_FALSE(penalties.wait_of(source(0), begin));
}

class Door {
public:
    explicit Door(std::size_t most) : admission(most) {}
    // Its name is said when it must go.
    Admission::Ticket arrive(unsigned from, const std::string& name) {
        return admission.arrive(source(from), begin, [this, name] { gone += name; });
    }
    Admission admission;
    std::string gone;
};

TEST(Admission, the_oldest_one_of_the_largest_source_goes) {
    Door door(4);
    door.arrive(1, "a");
    door.arrive(2, "b");
    door.arrive(2, "c");
    door.arrive(3, "d");
    EXPECT_EQ(door.gone, "");
    door.arrive(4, "e");
    EXPECT_EQ(door.gone, "b");
    EXPECT_EQ(door.admission.strangers(), 4U);
    door.arrive(4, "f");
    EXPECT_EQ(door.gone, "be");
}

TEST(Admission, a_flood_from_one_source_costs_only_that_source) {
    Door door(100);
    door.arrive(1, "honest");
    for (int i = 0; i < 2000; ++i) door.arrive(2, "x");
    EXPECT_EQ(door.gone, std::string(1901, 'x'));
}

TEST(Admission, a_source_with_a_login_lately_keeps_its_connections_while_there_are_others) {
    Door door(3);
    door.admission.logged_in(door.arrive(1, "a"), begin);
    door.arrive(1, "b");
    door.arrive(1, "c");
    door.arrive(2, "d");
    door.arrive(1, "e");
    EXPECT_EQ(door.gone, "d");
    door.arrive(1, "f");
    EXPECT_EQ(door.gone, "db");
}

TEST(Admission, who_has_logged_in_or_left_counts_no_more) {
    Door door(2);
    door.admission.logged_in(door.arrive(1, "a"), begin);
    const auto ticket = door.arrive(1, "b");
    door.admission.leave(ticket);
    door.admission.leave(ticket);
    door.arrive(1, "c");
    door.arrive(1, "d");
    EXPECT_EQ(door.gone, "");
    EXPECT_EQ(door.admission.strangers(), 2U);
}

TEST(Admission, wrong_proofs_of_a_source_make_all_of_it_wait) {
    Door door(10);
    const auto first = door.arrive(1, "a");
    for (int i = 0; i <= Penalties::free_failures; ++i) door.admission.failed(first, begin);
    EXPECT_EQ(door.admission.wait_of(door.arrive(1, "b"), begin), 5s);
    EXPECT_FALSE(door.admission.wait_of(door.arrive(2, "c"), begin));
}

} // namespace
} // namespace rc
