// Job ids: each starts a job at most once, also after it was forgotten.
#include "server/job_ids.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

namespace rc {

// For the messages of failing tests.
static void PrintTo(JobIds::Answer answer, std::ostream* out) {
    *out << (answer == JobIds::Answer::fresh ? "fresh" : answer == JobIds::Answer::known ? "known" : "expired");
}

namespace {

using enum JobIds::Answer;

TEST(JobIds, an_id_is_fresh_once) {
    JobIds ids(10);
    EXPECT_EQ(ids.admit("alice", "a", 0, 0), fresh);
    EXPECT_EQ(ids.admit("alice", "a", 0, 0), known);
    EXPECT_EQ(ids.admit("alice", "a", 5, 10), known) << "whenever it was first sent";
    EXPECT_EQ(ids.admit("alice", "b", 0, 10), fresh);
    EXPECT_EQ(ids.admit("alice", "A", 0, 10), fresh);
    EXPECT_EQ(ids.admit("alice", "a", 0, 10), known);
    EXPECT_EQ(ids.admit("alice", "b", 0, 10), known);
}

TEST(JobIds, the_ids_of_different_keys_are_different) {
    JobIds ids(10);
    EXPECT_EQ(ids.admit("alice", "a", 0, 1), fresh);
    EXPECT_EQ(ids.admit("bob", "a", 0, 1), fresh);
    EXPECT_EQ(ids.admit("alice", "a", 0, 1), known);
    EXPECT_EQ(ids.admit("bob", "a", 0, 1), known);
    EXPECT_EQ(ids.admit("ab", "c", 0, 1), fresh);
    EXPECT_EQ(ids.admit("a", "bc", 0, 1), fresh);
    EXPECT_EQ(ids.admit("abc", "", 0, 1), fresh);
    EXPECT_EQ(ids.admit("", "abc", 0, 1), fresh);
}

TEST(JobIds, as_long_as_none_is_forgotten_none_is_too_old) {
    JobIds ids(3);
    EXPECT_EQ(ids.admit("k", "a", 0, 100), fresh);
    EXPECT_EQ(ids.admit("k", "b", 0, 200), fresh);
    EXPECT_EQ(ids.admit("k", "c", 0, 300), fresh);
}

TEST(JobIds, what_may_be_older_than_a_forgotten_id_is_expired) {
    struct Case {
        std::uint64_t seen;
        JobIds::Answer answer;
    };
    // Two are remembered, so a and b are forgotten; b arrived at 200.
    for (const auto& [seen, answer] : {Case{0, expired}, Case{100, expired}, Case{199, expired}, Case{200, expired},
             Case{201, fresh}, Case{300, fresh}, Case{500, fresh}}) {
        JobIds ids(2);
        EXPECT_EQ(ids.admit("k", "a", 0, 100), fresh);
        EXPECT_EQ(ids.admit("k", "b", 150, 200), fresh);
        EXPECT_EQ(ids.admit("k", "c", 150, 300), fresh);
        EXPECT_EQ(ids.admit("k", "d", 150, 400), fresh);
        EXPECT_EQ(ids.admit("k", "new", seen, 500), answer) << seen;
    }
}

TEST(JobIds, a_forgotten_id_is_never_started_by_its_own_request_again) {
    JobIds ids(2);
    constexpr std::uint64_t apart = 10;
    for (std::uint64_t i = 1; i <= 50; ++i) {
        const std::uint64_t now = i * apart;
        EXPECT_EQ(ids.admit("k", std::to_string(i), now - 1, now), fresh);
        // Each request so far is repeated unchanged.
        for (std::uint64_t old = 1; old <= i; ++old) {
            const auto answer = ids.admit("k", std::to_string(old), old * apart - 1, now + 5);
            EXPECT_EQ(answer, old + 2 > i ? known : expired) << old << " after " << i;
        }
    }
}

TEST(JobIds, forgetting_counts_for_all_keys_and_from_the_very_first_moment) {
    JobIds ids(1);
    EXPECT_EQ(ids.admit("alice", "a", 0, 0), fresh);
    EXPECT_EQ(ids.admit("alice", "b", 0, 0), fresh);
    EXPECT_EQ(ids.admit("alice", "a", 0, 0), expired) << "arrived at 0, and was forgotten";
    EXPECT_EQ(ids.admit("bob", "c", 0, 5), expired);
    EXPECT_EQ(ids.admit("bob", "c", 1, 5), fresh);
    EXPECT_EQ(ids.admit("bob", "c", 1, 5), known);
}

TEST(JobIds, an_expired_id_is_not_remembered_and_pushes_none_out) {
    JobIds ids(2);
    for (const auto* id : {"a", "b", "c"}) EXPECT_EQ(ids.admit("k", id, 5, 10), fresh);
    for (int i = 0; i < 5; ++i) EXPECT_EQ(ids.admit("k", "late" + std::to_string(i), 10, 20), expired);
    EXPECT_EQ(ids.admit("k", "late0", 10, 20), expired);
    EXPECT_EQ(ids.admit("k", "b", 5, 20), known);
    EXPECT_EQ(ids.admit("k", "c", 5, 20), known);
    EXPECT_EQ(ids.admit("k", "late0", 11, 20), fresh);
}

TEST(JobIds, a_known_id_does_not_count_anew) {
    JobIds ids(2);
    EXPECT_EQ(ids.admit("k", "a", 0, 10), fresh);
    EXPECT_EQ(ids.admit("k", "b", 0, 20), fresh);
    for (int i = 0; i < 5; ++i) EXPECT_EQ(ids.admit("k", "a", 0, 30), known);
    EXPECT_EQ(ids.admit("k", "b", 0, 30), known);
    EXPECT_EQ(ids.admit("k", "c", 15, 40), fresh);
    EXPECT_EQ(ids.admit("k", "d", 15, 40), fresh) << "only a, from 10, was forgotten";
    EXPECT_EQ(ids.admit("k", "e", 15, 40), expired) << "and then b, from 20";
}

TEST(JobIds, of_threads_that_ask_for_the_same_id_one_may_start_it) {
    constexpr int threads = 8;
    constexpr int rounds = 300;
    JobIds ids(1000);
    std::atomic<int> waiting{threads};
    std::atomic<int> freshly{0};
    std::atomic<int> known_already{0};
    const auto ask = [&] {
        --waiting;
        while (waiting > 0) std::this_thread::yield();
        for (int i = 0; i < rounds; ++i) {
            const auto answer = ids.admit("k", std::to_string(i), 1, 2);
            if (answer == fresh) ++freshly;
            if (answer == known) ++known_already;
        }
    };
    std::vector<std::thread> all;
    for (int i = 0; i < threads; ++i) all.emplace_back(ask);
    for (auto& thread : all) thread.join();
    EXPECT_EQ(freshly, rounds);
    EXPECT_EQ(known_already, rounds * (threads - 1));
}

} // namespace
} // namespace rc
