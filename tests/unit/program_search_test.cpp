// A program without a path: what is tried, and what is said if that is nothing.
#include "scratch.hpp"
#include "server/program_search.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <string>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

namespace rc {
namespace {

using Places = std::vector<std::string>;

TEST(PlacesOf, are_in_the_absolute_directories_of_the_path) {
    EXPECT_EQ(places_of("x", "/a:/b"), (Places{"/a/x", "/b/x"}));
    EXPECT_EQ(places_of("x", ":/a::b:.:/b:"), (Places{"/a/x", "/b/x"}));
    EXPECT_EQ(places_of("x", ""), Places{});
    EXPECT_EQ(places_of("", "/a"), Places{});
    EXPECT_EQ(places_of("a b", "/"), Places{"//a b"});
}

TEST(PlacesOf, take_little_memory_whatever_is_asked_for) {
    std::string path = "/";
    for (int i = 0; i < 100'000; ++i) path += ":/";
    EXPECT_EQ(places_of("x", path).size(), 256U);
    EXPECT_EQ(places_of(std::string(255, 'x'), path).size(), 256U);
    EXPECT_EQ(places_of(std::string(256, 'x'), path).size(), 0U) << "no file has such a name";
}

TEST(PlacesOf, a_name_with_a_slash_is_its_only_one) {
    for (const auto* name : {"/bin/sh", "./x", "a/b"}) EXPECT_EQ(places_of(name, "/a:/b"), Places{name});
}

class ExecuteFirst : public testing::Test {
protected:
    ExecuteFirst() {
        scratch.file("three", "#!/bin/sh\nexit 3\n", 0755);
        scratch.file("four", "#!/bin/sh\nexit 4\n", 0755);
        scratch.file("data", "#!/bin/sh\nexit 5\n", 0644);
        scratch.file("no-program", "x", 0755);
    }
    // The status of the program, or what was returned.
    int tried(const std::vector<std::string>& names) {
        Places places;
        for (const std::string& name : names) places.push_back((scratch / name).string());
        const pid_t child = ::fork();
        if (child == 0) {
            std::string word = "program";
            std::vector<char*> arguments{word.data(), nullptr};
            ::_exit(execute_first(places, arguments.data(), environ));
        }
        int status = 0;
        ::waitpid(child, &status, 0);
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    }
    Scratch scratch;
};

TEST_F(ExecuteFirst, becomes_the_first_that_can_be_executed) {
    EXPECT_EQ(tried({"three", "four"}), 3);
    EXPECT_EQ(tried({"none", "data", "three/x", "four", "three"}), 4);
}

TEST_F(ExecuteFirst, says_why_it_became_none) {
    EXPECT_EQ(tried({}), ENOENT);
    EXPECT_EQ(tried({"none"}), ENOENT);
    EXPECT_EQ(tried({"none", "data", "other"}), EACCES) << "there is one, but it may not be executed";
    EXPECT_EQ(tried({"no-program", "three"}), ENOEXEC) << "it was found";
    EXPECT_EQ(tried({"none", "three/x"}), ENOENT) << "as if that were not in the PATH";
    EXPECT_EQ(tried({"three/x"}), ENOTDIR);
}

TEST(WhyNotExecuted, speaks_as_a_shell_does) {
    EXPECT_EQ(why_not_executed("x", ENOENT), "command not found");
    EXPECT_EQ(why_not_executed("./x", ENOENT), "No such file or directory");
    EXPECT_EQ(why_not_executed("x", EACCES), "Permission denied");
}

} // namespace
} // namespace rc
