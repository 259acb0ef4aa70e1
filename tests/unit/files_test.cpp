// Files that decide who may do what: read only if nobody else can touch them, made so that nobody else can.
#include "common/files.hpp"

#include "common/error.hpp"
#include "tests/unit/refusal.hpp"
#include "tests/unit/scratch.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <string>
#include <string_view>

#include <pwd.h>
#include <sys/resource.h>
#include <unistd.h>

namespace rc {
namespace {

namespace fs = std::filesystem;

// What the refusal says; empty if there was none.
std::string text_of_refusal(const fs::path& file, mode_t forbidden, std::size_t most) {
    try {
        read_guarded(file, forbidden, most);
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::internal);
        EXPECT_NE(std::string(error.what()).find(file.string()), std::string::npos) << error.what();
        return error.what();
    }
    return {};
}

TEST(ReadGuarded, gives_the_whole_file) {
    const Scratch scratch;
    const std::string bytes("\0\n\r\xFFx\n", 6);
    EXPECT_EQ(read_guarded(scratch.file("some", bytes), 077, 100), bytes);
    EXPECT_EQ(read_guarded(scratch.file("empty", ""), 077, 100), "");
    EXPECT_EQ(read_guarded(scratch.file("empty", ""), 077, 0), "");
    const std::string large(300000, 'l');
    EXPECT_EQ(read_guarded(scratch.file("large", large), 077, large.size()), large);
}

TEST(ReadGuarded, refuses_a_byte_too_many) {
    const Scratch scratch;
    const auto file = scratch.file("file", std::string(100, 'x'));
    EXPECT_EQ(read_guarded(file, 077, 100).size(), 100U);
    EXPECT_NE(text_of_refusal(file, 077, 99), "");
    EXPECT_NE(text_of_refusal(file, 077, 0), "");
}

TEST(ReadGuarded, refuses_modes_with_any_forbidden_bit_and_says_what_to_do) {
    struct Case {
        mode_t mode, forbidden;
        bool good;
    };
    const Scratch scratch;
    for (const auto& [mode, forbidden, good] :
        {Case{0600, 077, true}, Case{0400, 077, true}, Case{0700, 077, true}, Case{0640, 077, false}, Case{0604, 077, false},
            Case{0620, 077, false}, Case{0602, 077, false}, Case{0610, 077, false}, Case{0601, 077, false}, Case{0644, 022, true},
            Case{0755, 022, true}, Case{0620, 022, false}, Case{0602, 022, false}, Case{0666, 022, false}, Case{0666, 0, true}}) {
        const auto file = scratch.file("file", "x", mode);
        const std::string text = text_of_refusal(file, forbidden, 100);
        EXPECT_EQ(text.empty(), good) << std::oct << mode << ' ' << forbidden;
        EXPECT_TRUE(good || text.find("chmod") != std::string::npos) << text;
    }
}

TEST(ReadGuarded, says_what_to_do_as_a_shell_reads_it) {
    const Scratch scratch;
    const auto file = scratch.file("Alice's key", "x", 0644);
    const std::string text = text_of_refusal(file, 077, 100);
    EXPECT_TRUE(text.ends_with("/Alice'\\''s key'")) << text;
    EXPECT_NE(text.find("chmod 0600 '/"), std::string::npos) << text;
}

TEST(ReadGuarded, takes_regular_files_only) {
    const Scratch scratch;
    fs::create_directory(scratch / "folder");
    ASSERT_EQ(::chmod((scratch / "folder").c_str(), 0700), 0);
    fs::create_symlink(scratch / "folder", scratch / "link-to-folder");
    fs::create_symlink(scratch / "nothing", scratch / "dangling");
    fs::create_symlink(scratch / "loop", scratch / "loop");
    ASSERT_EQ(::mkfifo((scratch / "fifo").c_str(), 0600), 0);
    for (const auto* name : {"folder", "link-to-folder", "dangling", "loop", "fifo", "missing", "missing/file", "fifo/file"})
        EXPECT_NE(text_of_refusal(scratch / name, 022, 100), "") << name;
    EXPECT_NE(text_of_refusal("/dev/null", 0, 100), "");
}

TEST(ReadGuarded, looks_at_the_file_that_a_link_names) {
    const Scratch scratch;
    fs::create_symlink(scratch.file("good", "x", 0600), scratch / "to-good");
    fs::create_symlink(scratch.file("bad", "x", 0644), scratch / "to-bad");
    EXPECT_EQ(read_guarded(scratch / "to-good", 077, 100), "x");
    EXPECT_NE(text_of_refusal(scratch / "to-bad", 077, 100), "");
}

TEST(ReadGuarded, refuses_a_file_of_somebody_else) {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can give a file away";
    const Scratch scratch;
    const auto file = scratch.file("file", "x");
    ASSERT_EQ(::chown(file.c_str(), 65534, 65534), 0);
    EXPECT_NE(text_of_refusal(file, 077, 100), "");
}

// The mode that a file is made with does not depend on how the user has set umask.
class WriteNew : public testing::TestWithParam<mode_t> {
protected:
    void SetUp() override { before_ = ::umask(GetParam()); }
    void TearDown() override { ::umask(before_); }

    Scratch scratch;

private:
    mode_t before_ = 0;
};

TEST_P(WriteNew, makes_the_file_and_the_folders_above_it) {
    const std::string content("rcmd\0\xFF\n", 7);
    const auto file = scratch / "a" / "b" / "key";
    write_new(file, 0600, content);
    EXPECT_EQ(content_of(file), content);
    EXPECT_EQ(mode_of(file), 0600U);
    EXPECT_EQ(mode_of(scratch / "a") & 022U, 0U);
    EXPECT_EQ(mode_of(scratch / "a" / "b") & 022U, 0U);
    write_new(scratch / "empty", 0600, "");
    EXPECT_EQ(mode_of(scratch / "empty"), 0600U);
    EXPECT_EQ(content_of(scratch / "empty"), "");
    write_new(scratch / "large", 0600, std::string(300000, 'l'));
    EXPECT_EQ(content_of(scratch / "large"), std::string(300000, 'l'));
}

TEST_P(WriteNew, leaves_an_existing_file_alone) {
    const auto file = scratch.file("key", "before", 0640);
    EXPECT_EQ(refusal([&] { write_new(file, 0600, "after"); }), "conflict");
    EXPECT_EQ(content_of(file), "before");
    EXPECT_EQ(mode_of(file), 0640U);
    fs::create_symlink(scratch / "target", scratch / "dangling");
    EXPECT_EQ(refusal([&] { write_new(scratch / "dangling", 0600, "after"); }), "conflict");
    EXPECT_FALSE(fs::exists(scratch / "target"));
    EXPECT_TRUE(fs::is_symlink(scratch / "dangling"));
    fs::create_directory(scratch / "folder");
    EXPECT_EQ(refusal([&] { write_new(scratch / "folder", 0600, "after"); }), "conflict");
}

TEST_P(WriteNew, says_what_cannot_be_written) {
    const auto file = scratch.file("file", "");
    EXPECT_EQ(refusal([&] { write_new(file / "key", 0600, "x"); }), "internal");
    EXPECT_EQ(refusal([&] { write_new(file / "a" / "key", 0600, "x"); }), "internal");
    EXPECT_EQ(refusal([&] { write_new("/proc/no-such-folder/key", 0600, "x"); }), "internal");
}

INSTANTIATE_TEST_SUITE_P(Umask, WriteNew, testing::Values(mode_t{0}, mode_t{022}, mode_t{077}));

TEST(WriteNewToFullDisk, leaves_nothing_behind) {
    const Scratch scratch;
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
    const auto handler = std::signal(SIGXFSZ, SIG_IGN);
    rlimit small = before;
    small.rlim_cur = 4096;
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
    const std::string refused = refusal([&] { write_new(scratch / "a" / "key", 0600, std::string(100000, 'x')); });
    ::setrlimit(RLIMIT_FSIZE, &before);
    std::signal(SIGXFSZ, handler);
    EXPECT_EQ(refused, "internal");
    EXPECT_FALSE(fs::exists(scratch / "a" / "key"));
}

TEST(MakePrivateDirectories, makes_what_is_missing_for_this_user_only) {
    const Scratch scratch;
    fs::create_directory(scratch / "open");
    ASSERT_EQ(::chmod((scratch / "open").c_str(), 0755), 0);
    const mode_t before = ::umask(0);
    make_private_directories(scratch / "open" / "a" / "b");
    make_private_directories(scratch / "open" / "a" / "b");
    make_private_directories(scratch / "open" / "c/");
    ::umask(before);
    EXPECT_EQ(mode_of(scratch / "open"), 0755U) << "what was there stays as it is";
    for (const auto& made : {scratch / "open" / "a", scratch / "open" / "a" / "b", scratch / "open" / "c"})
        EXPECT_EQ(mode_of(made), 0700U) << made;
    const auto file = scratch.file("file", "");
    EXPECT_EQ(refusal([&] { make_private_directories(file); }), "internal");
    EXPECT_EQ(refusal([&] { make_private_directories(file / "below"); }), "internal");
}

TEST(HomeDirectory, is_what_home_names_or_that_of_the_account) {
    const char* const set = std::getenv("HOME");
    const std::string before = set != nullptr ? set : "";
    ::setenv("HOME", "/some where", 1);
    EXPECT_EQ(home_directory(), "/some where");
    ::unsetenv("HOME");
    const passwd* const account = ::getpwuid(::geteuid());
    ASSERT_NE(account, nullptr);
    EXPECT_EQ(home_directory(), account->pw_dir);
    if (set != nullptr) ::setenv("HOME", before.c_str(), 1);
}

} // namespace
} // namespace rc
