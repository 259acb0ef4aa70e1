#include "client/history.hpp"

#include "tests/unit/scratch.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

namespace rc {
namespace {

using Entries = std::vector<std::string>;

TEST(History, there_need_be_no_file) {
    const Scratch scratch;
    const History history(scratch / "none");
    EXPECT_TRUE(history.entries().empty());
    EXPECT_FALSE(history.problem());
    EXPECT_FALSE(std::filesystem::exists(scratch / "none"));
}

TEST(History, each_entry_is_there_on_the_next_run) {
    const Scratch scratch;
    const Entries all = {"ls", "echo a\necho b", R"(printf '\n\\n')", "\\", "中文", "\ttab", "x\\"};
    for (std::size_t known = 0; known < all.size(); ++known) {
        History history(scratch / "folder/history");
        EXPECT_EQ(history.entries(), Entries(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(known)));
        EXPECT_TRUE(history.remember(all[known]));
    }
    EXPECT_EQ(History(scratch / "folder/history").entries(), all);
    EXPECT_EQ(mode_of(scratch / "folder"), 0700U);
    EXPECT_EQ(mode_of(scratch / "folder/history"), 0600U);
}

TEST(History, what_is_not_kept) {
    const Scratch scratch;
    History history(scratch / "history");
    EXPECT_TRUE(history.remember("ls"));
    for (const std::string& entry :
        {std::string(), std::string(" ls"), std::string("ls"), std::string("\xFF"), std::string("a\0b", 3)})
        EXPECT_FALSE(history.remember(entry)) << entry;
    EXPECT_TRUE(history.remember("pwd"));
    EXPECT_TRUE(history.remember("ls")) << "not twice in a row";
    EXPECT_EQ(content_of(scratch / "history"), "ls\npwd\nls\n");
}

TEST(History, others_lose_the_right_to_read_the_file) {
    const Scratch scratch;
    History history(scratch.file("history", "ls\n", 0644));
    EXPECT_EQ(history.entries(), Entries{"ls"});
    history.remember("pwd");
    EXPECT_EQ(mode_of(scratch / "history"), 0600U);
}

TEST(History, rubbish_is_passed_over) {
    const Scratch scratch;
    const std::string text = std::string("\n\n blank\n\xFF\xFE\nls\n") + std::string(3, '\0') + "\npwd\nno end";
    const History history(scratch.file("history", text));
    EXPECT_EQ(history.entries(), (Entries{"ls", "pwd"}));
    EXPECT_FALSE(history.problem());
}

TEST(History, a_file_that_others_can_write_is_not_used) {
    const Scratch scratch;
    History history(scratch.file("history", "ls\n", 0622));
    EXPECT_TRUE(history.entries().empty());
    ASSERT_TRUE(history.problem());
    EXPECT_NE(history.problem()->find((scratch / "history").string()), std::string::npos);
    EXPECT_TRUE(history.remember("pwd"));
    EXPECT_EQ(content_of(scratch / "history"), "ls\n");
}

TEST(History, a_file_that_cannot_be_written_is_a_problem_only_once_it_matters) {
    const Scratch scratch;
    scratch.file("no-folder", "");
    History history(scratch / "no-folder/history");
    EXPECT_TRUE(history.remember("pwd"));
    EXPECT_TRUE(history.problem());
    EXPECT_EQ(history.entries(), Entries{"pwd"});
}

TEST(History, a_link_to_dev_null_wants_no_history) {
    const Scratch scratch;
    std::filesystem::create_symlink("/dev/null", scratch / "history");
    History history(scratch / "history");
    EXPECT_TRUE(history.remember("pwd"));
    EXPECT_FALSE(history.problem());
    EXPECT_TRUE(std::filesystem::is_symlink(scratch / "history"));
}

TEST(History, the_oldest_entries_go) {
    const Scratch scratch;
    for (const std::size_t surplus : {std::size_t{1}, most_history_entries / 10, most_history_entries}) {
        std::string text;
        for (std::size_t i = 0; i < most_history_entries + surplus; ++i) text += std::to_string(i) + '\n';
        History history(scratch.file("history", text));
        ASSERT_EQ(history.entries().size(), most_history_entries);
        EXPECT_EQ(history.entries().front(), std::to_string(surplus));
        EXPECT_EQ(mode_of(scratch / "history"), 0600U);
        history.remember("the last");
        // A tenth more may stand in the file: not every run writes it anew.
        const bool anew = content_of(scratch / "history").size() < text.size();
        EXPECT_EQ(anew, surplus > most_history_entries / 10) << surplus;
        const History again(scratch / "history");
        EXPECT_EQ(again.entries().back(), "the last");
        EXPECT_EQ(again.entries().size(), most_history_entries);
        for (const auto& entry : std::filesystem::directory_iterator(scratch.path()))
            EXPECT_EQ(entry.path(), scratch / "history");
    }
}

} // namespace
} // namespace rc
