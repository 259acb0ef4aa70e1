// A wrong proof takes the same time wherever its first wrong byte is. The one test that measures: it compares two
// distributions by Welch's t-test, as dudect does, and knows no limit in seconds.
#include "common/auth.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

namespace rc {
namespace {

constexpr std::size_t samples = 100'000; // of both classes together
constexpr double greatest_t = 4.5;       // what dudect calls a leak
constexpr int attempts = 3;              // a machine that does other things may disturb one of them

struct Sample {
    bool last; // the wrong byte is the last one, not the first
    double nanoseconds;
};

// The mean and its error.
class Statistic {
public:
    void add(double value) {
        ++count_;
        const double delta = value - mean_;
        mean_ += delta / count_;
        squares_ += delta * (value - mean_);
    }

    [[nodiscard]] double mean() const { return mean_; }
    [[nodiscard]] double squared_error() const { return squares_ / (count_ - 1) / count_; }

private:
    double count_ = 0;
    double mean_ = 0;
    double squares_ = 0;
};

// The right proof with one wrong bit, in the last byte or in the first. Both are made by the same instructions in the same
// place: a branch, or two digests to copy from, tell the classes apart (|t| over 10) whatever the verifier does.
Digest wrong_proof(Digest proof, bool is_last) {
    const auto last = static_cast<std::byte>(is_last);
    proof.back() ^= last;
    proof.front() ^= last ^ std::byte{1};
    return proof;
}

// Which class is next is random: else what the processor has learnt of the last one would tell.
std::vector<Sample> measure(const std::function<bool(const Digest&)>& verify, const Digest& right) {
    std::vector<std::byte> chances(samples);
    fill_random(chances);
    std::vector<Sample> taken;
    taken.reserve(samples);
    std::atomic<bool> written;
    for (const std::byte chance : chances) {
        const bool is_last = (chance & std::byte{1}) != std::byte{0};
        const Digest proof = wrong_proof(right, is_last);
        written.exchange(true); // the proof has arrived in memory before the clock is read
        const auto begin = std::chrono::steady_clock::now();
        const bool accepted = verify(proof);
        const auto end = std::chrono::steady_clock::now();
        EXPECT_FALSE(accepted);
        taken.push_back({is_last, std::chrono::duration<double, std::nano>(end - begin).count()});
    }
    return taken;
}

// Without the slowest tenth: those were interrupted.
double t_of(const std::vector<Sample>& taken) {
    std::vector<double> times;
    times.reserve(taken.size());
    for (const Sample& sample : taken) times.push_back(sample.nanoseconds);
    const auto limit = times.begin() + static_cast<std::ptrdiff_t>(times.size() * 9 / 10);
    std::nth_element(times.begin(), limit, times.end());
    Statistic first;
    Statistic last;
    for (const Sample& sample : taken)
        if (sample.nanoseconds <= *limit) (sample.last ? last : first).add(sample.nanoseconds);
    const double error = std::sqrt(first.squared_error() + last.squared_error());
    return error > 0 ? (first.mean() - last.mean()) / error : 0;
}

// The least of several attempts: a difference that is there is there in each of them.
double least_t(const std::function<bool(const Digest&)>& verify, const Digest& right) {
    double least = INFINITY;
    for (int attempt = 0; attempt < attempts && least >= greatest_t; ++attempt)
        least = std::min(least, std::abs(t_of(measure(verify, right))));
    return least;
}

struct ProofTiming : testing::Test {
    ClientKeys keys = derive_keys(make_random<Secret>(), make_random<Salt>());
    Verifier verifier{make_random<Salt>(), keys.stored_key, keys.server_key};
    std::string transcript = make_transcript("hello", "challenge", make_random<Binding>());
    Digest proof = client_proof(keys, transcript);
};

TEST_F(ProofTiming, where_a_proof_is_wrong_does_not_show) {
    const auto verify = [this](const Digest& wrong) { return verify_client_proof(verifier, transcript, wrong); };
    EXPECT_LT(least_t(verify, proof), greatest_t);
}

// The hash in verify_client_proof() would hide where the comparison itself ends early, so that is measured alone, too.
TEST_F(ProofTiming, where_two_digests_differ_does_not_show) {
    const auto verify = [this](const Digest& wrong) { return equal(wrong, proof); };
    EXPECT_LT(least_t(verify, proof), greatest_t);
}

// That the measurement finds what it is there to find.
TEST_F(ProofTiming, a_comparison_that_ends_early_shows) {
    const auto verify = [this](const Digest& wrong) {
        const volatile std::byte* a = wrong.data();
        const volatile std::byte* b = proof.data();
        for (std::size_t index = 0; index < digest_size; ++index)
            if (a[index] != b[index]) return false;
        return true;
    };
    EXPECT_GE(least_t(verify, proof), greatest_t);
}

} // namespace
} // namespace rc
