// The line that shows how far a copy is.
#include "client/progress_bar.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

namespace rc {
namespace {

constexpr std::uint64_t mib = 1024 * 1024;
constexpr std::size_t wide = 200;

copy::Progress::State state_of(const std::string& name) {
    copy::Progress::State state;
    state.name = name;
    state.length = 100 * mib;
    state.done = 45 * mib;
    state.files = 20;
    state.files_done = 3;
    state.bytes = 1200 * mib;
    state.bytes_done = 120 * mib;
    return state;
}

TEST(ProgressLine, tells_of_the_file_and_of_all) {
    EXPECT_EQ(progress_line(state_of("big.log"), 80.0 * mib, wide),
        "big.log 45% | 3/20 files, 120.0 MiB of 1.2 GiB, 80.0 MiB/s, 0:14 left");
}

TEST(ProgressLine, knows_small_and_large) {
    copy::Progress::State state = state_of("f");
    state.bytes = 100;
    state.bytes_done = 100;
    EXPECT_EQ(progress_line(state, 10, wide), "f 45% | 3/20 files, 100 B of 100 B, 10 B/s, 0:00 left");
    state.bytes = 1ULL << 50;
    EXPECT_EQ(progress_line(state, 1024.0 * mib, wide), "f 45% | 3/20 files, 100 B of 1.0 PiB, 1.0 GiB/s, -:-- left");
    state.bytes = 100 + 7322ULL * mib;
    EXPECT_EQ(progress_line(state, mib, wide), "f 45% | 3/20 files, 100 B of 7.2 GiB, 1.0 MiB/s, 2:02:02 left");
}

TEST(ProgressLine, an_empty_file_is_complete_and_nothing_moved_has_no_end) {
    EXPECT_EQ(progress_line({}, 0, wide), " 100% | 0/0 files, 0 B of 0 B, 0 B/s, -:-- left");
}

TEST(ProgressLine, fits_the_terminal_and_keeps_the_end_of_a_name) {
    const std::string line = progress_line(state_of("a/very/long/path/to/some/file.tar"), mib, 80);
    EXPECT_LE(line.size(), 80U);
    EXPECT_EQ(line.substr(0, 3), "...");
    EXPECT_NE(line.find("file.tar 45%"), std::string::npos) << line;
    for (std::size_t columns = 0; columns < 100; ++columns) EXPECT_LE(progress_line(state_of("n"), mib, columns).size(), columns);
}

TEST(ProgressLine, names_cannot_drive_the_terminal) {
    EXPECT_EQ(progress_line(state_of("a\x1b[2Jb\n"), mib, wide).substr(0, 14), "a\\x1b[2Jb\\n 45");
}

} // namespace
} // namespace rc
