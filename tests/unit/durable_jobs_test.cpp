// The durable jobs of a state directory as a daemon that has just started sees them, and what it sees when others touch the disk.
#include "server/durable_jobs.hpp"

#include "common/codec.hpp"
#include "tests/unit/scratch.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>

namespace rc {
namespace {

namespace fs = std::filesystem;

class DurableJobsTest : public testing::Test {
protected:
    fs::path place(const std::string& id) const { return directory / "alice@laptop" / id; }

    // As if it had a supervisor.
    void make(const std::string& id) {
        JobRecord record;
        record.key_id = "alice@laptop";
        record.address = "[::1]:4711";
        record.user = "bob";
        record.exec.job = id;
        record.exec.client = "client";
        record.exec.words = 1;
        record.exec.generation = 1;
        record.exec.limits = {65536, 65536};
        record.body = "true";
        supervisors.emplace(id, *JobDirectory::create(place(id), record));
    }
    void end(const std::string& id) {
        Exit exit;
        exit.job = id;
        exit.code = 0;
        std::ofstream(place(id) / "end", std::ios::binary) << encode_message(exit, 0);
        supervisors.erase(id);
    }

    Scratch scratch;
    fs::path directory = scratch / "jobs";
    std::map<std::string, JobClaimed> supervisors;
};

TEST_F(DurableJobsTest, of_a_former_daemon_are_there) {
    make("nightly");
    make("weekly");
    end("weekly");
    const DurableJobs jobs(directory, {});
    EXPECT_TRUE(jobs.find("alice@laptop", "nightly"));
    EXPECT_TRUE(jobs.find("alice@laptop", "weekly"));
    EXPECT_FALSE(jobs.find("alice@laptop", "daily"));
    EXPECT_FALSE(jobs.find("bob@laptop", "nightly"));
    EXPECT_EQ(jobs.running("alice@laptop"), 1U);
    EXPECT_EQ(jobs.running("bob@laptop"), 0U);
}

TEST_F(DurableJobsTest, count_as_running_until_they_end) {
    make("nightly");
    make("weekly");
    const DurableJobs jobs(directory, {});
    EXPECT_EQ(jobs.running("alice@laptop"), 2U);
    end("nightly");
    EXPECT_EQ(jobs.running("alice@laptop"), 1U);
    EXPECT_TRUE(jobs.find("alice@laptop", "nightly"));
    end("weekly");
    EXPECT_EQ(jobs.running("alice@laptop"), 0U);
}

TEST_F(DurableJobsTest, that_somebody_has_removed_are_gone) {
    make("nightly");
    make("weekly");
    const DurableJobs jobs(directory, {});
    fs::remove_all(place("nightly"));
    EXPECT_FALSE(jobs.find("alice@laptop", "nightly"));
    EXPECT_EQ(jobs.running("alice@laptop"), 1U);
    fs::remove_all(directory / "alice@laptop");
    EXPECT_EQ(jobs.running("alice@laptop"), 0U);
}

TEST_F(DurableJobsTest, that_are_removed_for_their_age_are_gone) {
    make("nightly");
    make("weekly");
    end("nightly");
    std::ofstream(place("nightly") / "starting");
    fs::last_write_time(place("nightly") / "end", fs::file_time_type::clock::now() - std::chrono::hours(2));
    DurableJobs jobs(directory, {});
    jobs.clean(std::chrono::hours(1));
    EXPECT_FALSE(fs::exists(place("nightly")));
    EXPECT_FALSE(jobs.find("alice@laptop", "nightly"));
    EXPECT_TRUE(jobs.find("alice@laptop", "weekly"));
}

} // namespace
} // namespace rc
