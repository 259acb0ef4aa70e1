#include "client/prompt_text.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <string>
#include <vector>

namespace rc {
namespace {

using std::chrono::milliseconds;

TEST(PromptText, host_directory_and_status) {
    struct Case {
        std::string host, directory;
        int status;
        std::string shown;
    };
    const std::vector<Case> table = {
        {"box", "~", 0, "box:~> "},
        {"box", "/tmp", 1, "box:/tmp [1]> "},
        {"box", "/a b", 137, "box:/a b [137 KILL]> "},
        {"::1", "~/x", 255, "::1:~/x [255]> "},
        {"a\x1b[31mb", "/a\nb\x01", 0, "a\\x1b[31mb:/a\\nb\\x01> "},
        {"box", "/" + std::string(30, 'a') + "/" + std::string(30, 'b') + "/c", 0, "box:…/" + std::string(30, 'b') + "/c> "},
        {"box", "/" + std::string(70, 'a'), 0, "box:…" + std::string(60, 'a') + "> "},
    };
    for (const auto& [host, directory, status, shown] : table) EXPECT_EQ(show({host, directory, status, false}), shown);
}

TEST(PromptText, colours_take_no_place) {
    const std::string shown = show({"box", "/tmp", 3, true});
    std::string visible;
    bool hidden = false;
    for (const char byte : shown) {
        if (byte == '\x01') hidden = !hidden;
        else if (!hidden) visible += byte;
    }
    EXPECT_FALSE(hidden);
    EXPECT_EQ(visible, "box:/tmp [3]> ");
    EXPECT_NE(shown.find("\x1b["), std::string::npos);
    for (const std::string& text : {shown, show({"box", "", 3, true}), show({"", "", 0, true})})
        EXPECT_EQ(text.find("\x01\x01"), std::string::npos) << "nothing stands between two sequences";
    EXPECT_EQ(show({"box", "/tmp", 3, false}).find('\x1b'), std::string::npos);
}

TEST(PromptText, a_status_above_128_names_its_signal) {
    struct Case {
        int status;
        std::string shown;
    };
    const std::vector<Case> table = {{0, "0"}, {1, "1"}, {127, "127"}, {128, "128"}, {128 + SIGINT, "130 INT"},
        {128 + SIGKILL, "137 KILL"}, {128 + SIGTERM, "143 TERM"}, {128 + 40, "168"}, {255, "255"}};
    for (const auto& [status, shown] : table) EXPECT_EQ(show_status(status), shown);
}

TEST(PromptText, a_duration_over_5_s_is_worth_a_line) {
    struct Case {
        milliseconds duration;
        std::optional<std::string> shown;
    };
    const std::vector<Case> table = {
        {milliseconds(0), {}},
        {milliseconds(5000), {}},
        {milliseconds(5001), "5.0 s"},
        {milliseconds(6149), "6.1 s"},
        {milliseconds(59'999), "59.9 s"},
        {milliseconds(60'000), "1 min 0 s"},
        {milliseconds(125'000), "2 min 5 s"},
        {milliseconds(3'600'000), "1 h 0 min"},
        {milliseconds(10'920'000), "3 h 2 min"},
    };
    for (const auto& [duration, shown] : table) EXPECT_EQ(show_duration(duration), shown) << duration.count();
}

} // namespace
} // namespace rc
