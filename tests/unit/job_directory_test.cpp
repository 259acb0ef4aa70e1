// A durable job on disk: what its files say after every way in which its making, running and ending can be cut short.
#include "server/job_directory.hpp"

#include "common/bytes.hpp"
#include "common/codec.hpp"
#include "tests/unit/refusal.hpp"
#include "tests/unit/scratch.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <optional>
#include <string>
#include <vector>

namespace rc {
namespace {

namespace fs = std::filesystem;

JobRecord some_record() {
    JobRecord record;
    record.key_id = "alice@laptop";
    record.address = "[::1]:4711";
    record.user = "bob";
    record.asked = 1'700'000'000;
    record.exec.job = "nightly";
    record.exec.client = "client";
    record.exec.words = 1;
    record.exec.generation = 1;
    record.exec.limits = {65536, 65536};
    record.body = std::string("echo \0\xff\0", 9);
    return record;
}

std::string end_frame() {
    Exit exit;
    exit.job = "nightly";
    exit.code = 3;
    exit.stdout_ = 5;
    return encode_message(exit, 5) + "state";
}

class JobDirectoryTest : public testing::Test {
protected:
    JobClaimed make() {
        auto claimed = JobDirectory::create(job.path(), some_record());
        EXPECT_TRUE(claimed);
        return std::move(*claimed);
    }
    void write(const char* name, const std::string& content) {
        std::ofstream(job.path() / name, std::ios::binary) << content;
        fs::permissions(job.path() / name, fs::perms(0600));
    }

    Scratch scratch;
    JobDirectory job{scratch / "jobs" / "alice@laptop" / "nightly"};
};

TEST_F(JobDirectoryTest, keeps_the_record) {
    EXPECT_EQ(job.phase(), JobPhase::missing);
    const JobClaimed claimed = make();
    const JobRecord record = job.record();
    EXPECT_EQ(record.key_id, "alice@laptop");
    EXPECT_EQ(record.address, "[::1]:4711");
    EXPECT_EQ(record.user, "bob");
    EXPECT_EQ(record.asked, 1'700'000'000U);
    EXPECT_EQ(record.exec.job, "nightly");
    EXPECT_EQ(record.body, some_record().body);
    EXPECT_EQ(mode_of(job.path()), 0700U);
    EXPECT_EQ(mode_of(job.path() / "request"), 0600U);
}

TEST_F(JobDirectoryTest, is_made_once) {
    const JobClaimed claimed = make();
    JobRecord other = some_record();
    other.user = "eve";
    EXPECT_FALSE(JobDirectory::create(job.path(), other));
    EXPECT_EQ(job.record().user, "bob");
    const auto entries = std::distance(fs::directory_iterator(job.path().parent_path()), {});
    EXPECT_EQ(entries, 1) << "nothing is left of the second attempt";
}

TEST_F(JobDirectoryTest, says_how_far_it_came) {
    std::optional<JobClaimed> claimed = make();
    EXPECT_EQ(job.phase(), JobPhase::running) << "somebody has its lock";
    EXPECT_FALSE(job.claim());
    claimed.reset();
    EXPECT_EQ(job.phase(), JobPhase::startable);
    claimed = job.claim();
    ASSERT_TRUE(claimed);
    EXPECT_TRUE(job.begin());
    EXPECT_FALSE(job.begin()) << "it may have run";
    EXPECT_EQ(job.phase(), JobPhase::running);
    claimed.reset();
    EXPECT_EQ(job.phase(), JobPhase::unknown);
    EXPECT_EQ(job.write_end(end_frame()), 0);
    EXPECT_EQ(job.phase(), JobPhase::finished);
    const JobEnd end = job.end();
    EXPECT_EQ(end.exit.code, 3U);
    EXPECT_EQ(end.exit.stdout_, 5U);
    EXPECT_EQ(end.state, "state");
}

TEST_F(JobDirectoryTest, an_end_counts_only_when_it_is_whole) {
    make();
    EXPECT_TRUE(job.begin());
    write("end.new", end_frame().substr(0, 20));
    EXPECT_EQ(job.phase(), JobPhase::unknown);
    EXPECT_EQ(job.write_end(end_frame()), 0);
    EXPECT_EQ(job.end().exit.code, 3U);
}

TEST_F(JobDirectoryTest, whoever_connects_before_there_is_a_supervisor_waits) {
    std::optional<JobClaimed> claimed = make();
    EXPECT_TRUE(job.connect().is_open());
    claimed.reset();
    EXPECT_FALSE(job.connect().is_open());
    claimed = job.claim();
    EXPECT_TRUE(job.connect().is_open());
}

TEST_F(JobDirectoryTest, has_a_socket_however_deep_it_lies) {
    const JobDirectory deep(scratch / std::string(200, 'd') / std::string(200, 'e') / "id");
    const auto claimed = JobDirectory::create(deep.path(), some_record());
    ASSERT_TRUE(claimed);
    EXPECT_TRUE(deep.connect().is_open());
}

TEST_F(JobDirectoryTest, connecting_to_a_supervisor_that_accepts_nobody_does_not_wait) {
    const JobClaimed claimed = make();
    std::vector<Descriptor> waiting;
    for (int i = 0; i < 1000 && (waiting.empty() || waiting.back().is_open()); ++i) waiting.push_back(job.connect());
    EXPECT_FALSE(waiting.back().is_open());
}

TEST_F(JobDirectoryTest, what_is_damaged_is_said) {
    const JobClaimed claimed = make();
    const std::string whole = content_of(job.path() / "request");
    for (const std::string& damaged :
        {std::string(), whole.substr(0, 10), whole.substr(0, whole.find('\n')), whole.substr(0, whole.size() - 1), whole + "x",
            "{}\n" + whole.substr(whole.find('\n') + 1), std::string("rubbish\n") + whole, std::string(100, '\0'),
            std::string(1000, '\xff'), whole.substr(0, whole.find('\n') + 1) + end_frame()}) {
        write("request", damaged);
        EXPECT_EQ(refusal([&] { static_cast<void>(job.record()); }), "internal") << damaged;
    }
    write("request", std::string(2'000'000, 'x'));
    EXPECT_EQ(refusal([&] { static_cast<void>(job.record()); }), "internal") << "too large";
    for (const std::string& damaged :
        {std::string(), end_frame().substr(0, 30), end_frame() + "x", whole, std::string(64, '\0')}) {
        write("end", damaged);
        EXPECT_EQ(refusal([&] { static_cast<void>(job.end()); }), "internal") << damaged;
    }
}

TEST_F(JobDirectoryTest, a_removed_one_is_missing_at_once) {
    const JobClaimed claimed = make();
    job.remove();
    EXPECT_EQ(job.phase(), JobPhase::missing);
    EXPECT_TRUE(JobDirectory::create(job.path(), some_record()));
}

TEST_F(JobDirectoryTest, knows_its_leftovers) {
    for (const auto* name : {".new-0123", ".gone-0123"}) EXPECT_TRUE(is_leftover(scratch / name)) << name;
    for (const auto* name : {"new-0123", ".hidden", "nightly"}) EXPECT_FALSE(is_leftover(scratch / name)) << name;
}

} // namespace
} // namespace rc
