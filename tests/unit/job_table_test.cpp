#include "server/job_table.hpp"

#include "server/job.hpp"

#include <gtest/gtest.h>

#include <stdexcept>

namespace rc {
namespace {

JobPlace place(std::size_t windows) {
    JobPlace made;
    made.windows = windows;
    return made;
}

TEST(JobTable, an_id_is_reserved_once) {
    JobTable table;
    EXPECT_FALSE(table.find("key", "job"));
    EXPECT_FALSE(table.reserve("key", "job", place(1)));
    const auto known = table.reserve("key", "job", place(2));
    ASSERT_TRUE(known);
    EXPECT_EQ(known->windows, 1U);
    ASSERT_TRUE(table.find("key", "job"));
    EXPECT_EQ(table.find("key", "job")->windows, 1U);
}

TEST(JobTable, what_begins_a_job_is_called_for_a_fresh_id_only) {
    JobTable table;
    int begun = 0;
    EXPECT_FALSE(table.reserve("key", "job", place(1), [&] { ++begun; }));
    EXPECT_TRUE(table.reserve("key", "job", place(1), [&] { ++begun; }));
    EXPECT_EQ(begun, 1);
}

TEST(JobTable, an_id_stays_free_when_its_job_cannot_begin) {
    JobTable table;
    EXPECT_THROW(table.reserve("key", "job", place(1), [] { throw std::runtime_error("no"); }), std::runtime_error);
    EXPECT_FALSE(table.find("key", "job"));
    EXPECT_FALSE(table.reserve("key", "job", place(1)));
}

TEST(JobTable, the_ids_of_keys_are_apart) {
    JobTable table;
    EXPECT_FALSE(table.reserve("a", "job", place(1)));
    EXPECT_FALSE(table.find("b", "job"));
    EXPECT_FALSE(table.reserve("b", "job", place(2)));
    table.remove("a", "job");
    EXPECT_FALSE(table.find("a", "job"));
    EXPECT_TRUE(table.find("b", "job"));
}

TEST(JobTable, an_id_that_was_removed_is_free) {
    JobTable table;
    EXPECT_FALSE(table.reserve("key", "job", place(1)));
    table.remove("key", "job");
    EXPECT_FALSE(table.reserve("key", "job", place(2)));
    table.remove("key", "another");
}

TEST(JobTable, copies_of_a_place_lead_to_the_same_job) {
    JobTable table;
    const JobPlace mine = place(1);
    table.reserve("key", "job", mine);
    EXPECT_EQ(table.find("key", "job")->job, mine.job);
}

} // namespace
} // namespace rc
