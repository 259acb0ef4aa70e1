// What `rcmd jobs` prints.
#include "common/job_listing.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

namespace rc {
namespace {

ListedJob job(const std::string& id, Standing state, std::uint64_t age, const std::string& command) {
    ListedJob listed;
    listed.facts.job = id;
    listed.facts.state = state;
    listed.facts.age = age;
    listed.command = command;
    return listed;
}

TEST(JobListing, is_a_table_oldest_first) {
    std::vector<ListedJob> jobs{
        job("young", Standing::attached, 5, "ls"), job("the-oldest", Standing::finished, 700'000, "make all")};
    jobs[1].facts.reason = ExitReason::exited;
    jobs[1].facts.code = 2;
    jobs[1].facts.stdout_ = 1000;
    jobs[1].facts.stderr_ = 234;
    EXPECT_EQ(table_of(jobs), "JOB         STATE     AGE  STATUS  BYTES  COMMAND\n"
                              "the-oldest  finished  8d   2       1234   make all\n"
                              "young       attached  5s   -       0      ls\n");
    EXPECT_EQ(table_of({}), "JOB  STATE  AGE  STATUS  BYTES  COMMAND\n");
}

TEST(JobListing, gives_ages_in_the_largest_unit_that_they_fill) {
    const std::vector<std::pair<std::uint64_t, std::string>> table = {{0, "0s"}, {59, "59s"}, {60, "1m"}, {3599, "59m"},
        {3600, "1h"}, {86'399, "23h"}, {86'400, "1d"}, {~std::uint64_t{0}, "213503982334601d"}};
    for (const auto& [age, text] : table) {
        EXPECT_NE(table_of({job("j", Standing::detached, age, "c")}).find("  " + text + " "), std::string::npos) << text;
    }
}

TEST(JobListing, says_how_a_job_ended) {
    const auto status = [](std::optional<ExitReason> reason, std::optional<std::uint64_t> code,
                            std::optional<std::string> signal) {
        ListedJob listed = job("j", Standing::finished, 0, "c");
        listed.facts.reason = reason;
        listed.facts.code = code;
        listed.facts.signal = signal;
        std::istringstream text(table_of({listed}));
        std::string heading;
        std::getline(text, heading);
        const std::vector<std::string> words{std::istream_iterator<std::string>(text), {}};
        return words.at(3);
    };
    EXPECT_EQ(status({}, {}, {}), "-");
    EXPECT_EQ(status(ExitReason::exited, 0, {}), "0");
    EXPECT_EQ(status(ExitReason::exited, {}, "TERM"), "TERM");
    EXPECT_EQ(status(ExitReason::timeout, {}, "TERM"), "timeout");
    EXPECT_EQ(status(ExitReason::abandoned, {}, "HUP"), "abandoned");
}

TEST(JobListing, a_command_takes_one_line_whatever_it_holds) {
    const std::string text = table_of({job("j", Standing::full, 1, "a\nb\x1b[2J\xff" + std::string(1000, 'x'))});
    EXPECT_NE(text.find("a\\nb\\x1b[2J\\xff"), std::string::npos);
    EXPECT_EQ(std::ranges::count(text, '\n'), 2);
    EXPECT_LT(text.size(), 500U);
}

TEST(JobListing, is_an_object_a_line_for_scripts) {
    std::vector<ListedJob> jobs{job("j", Standing::unknown, 1, "ls\n"), job("k", Standing::detached, 1, "\xff")};
    jobs[0].facts.durable = true;
    EXPECT_EQ(json_of(jobs),
        "{\"job\":\"j\",\"state\":\"unknown\",\"durable\":true,\"age\":1,\"stdout\":0,\"stderr\":0,\"command\":\"ls\\n\"}\n"
        "{\"job\":\"k\",\"state\":\"detached\",\"durable\":false,\"age\":1,\"stdout\":0,\"stderr\":0,\"command_base64\":\"/"
        "w==\"}\n");
}

} // namespace
} // namespace rc
