// The output of a durable job on disk: limits, holes, and readers that are slower than the writer drops.
#include "server/spool.hpp"

#include "common/bytes.hpp"
#include "tests/unit/refusal.hpp"
#include "tests/unit/scratch.hpp"

#include <gtest/gtest.h>

#include <array>
#include <fstream>
#include <string>

#include <sys/stat.h>

namespace rc {
namespace {

constexpr auto out = StreamName::stdout_;
constexpr auto err = StreamName::stderr_;

SpoolLimits limited(std::uint64_t most) {
    return {most, ~std::uint64_t{0}, [] { return std::uint64_t{0}; }, {}};
}

std::string read(SpoolReader& reader, StreamName name, std::uint64_t offset, std::size_t most = 1'000'000) {
    std::string text(most, '\0');
    text.resize(reader.read(name, offset, std::as_writable_bytes(std::span(text))));
    return text;
}

std::uint64_t blocks_of(const std::filesystem::path& file) {
    struct stat status {};
    return ::stat(file.c_str(), &status) == 0 ? static_cast<std::uint64_t>(status.st_blocks) : 0;
}

TEST(Spool, a_byte_is_where_its_offset_says) {
    const Scratch scratch;
    SpoolWriter writer(scratch.path(), limited(1000));
    EXPECT_EQ(writer.append(out, as_bytes("hello "), 0), 6U);
    EXPECT_EQ(writer.append(err, as_bytes("trouble"), 0), 7U);
    EXPECT_EQ(writer.append(out, as_bytes("world"), 0), 5U);
    SpoolReader reader(scratch.path());
    EXPECT_EQ(reader.end(out), 11U);
    EXPECT_EQ(read(reader, out, 0), "hello world");
    EXPECT_EQ(read(reader, out, 6, 3), "wor");
    EXPECT_EQ(read(reader, out, 11), "");
    EXPECT_EQ(read(reader, err, 0), "trouble");
    EXPECT_EQ(writer.sync(), 0);
}

TEST(Spool, takes_no_more_than_its_limit_of_both_streams_together) {
    const Scratch scratch;
    SpoolWriter writer(scratch.path(), limited(10));
    EXPECT_EQ(writer.append(out, as_bytes("1234567"), 0), 7U);
    EXPECT_EQ(writer.append(err, as_bytes("1234567"), 0), 3U);
    EXPECT_EQ(writer.append(out, as_bytes("x"), 0), 0U);
    EXPECT_EQ(writer.append(out, as_bytes("abcdef"), 4), 4U) << "what may go over it";
    EXPECT_EQ(writer.append(out, as_bytes("x"), 4), 0U);
}

TEST(Spool, takes_no_more_than_all_jobs_may_have) {
    const Scratch scratch;
    std::uint64_t used = 100;
    SpoolWriter writer(scratch.path(), {1000, 100, [&] { return used; }, scratch / "turns"});
    EXPECT_EQ(writer.append(out, as_bytes("x"), 0), 0U);
    used = 99;
    EXPECT_EQ(writer.append(out, as_bytes("x"), 0), 1U);
}

TEST(Spool, what_is_dropped_makes_room_and_is_never_taken_for_output) {
    const Scratch scratch;
    const std::string page(64 * 1024, 'p');
    SpoolWriter writer(scratch.path(), limited(page.size()));
    SpoolReader reader(scratch.path());
    EXPECT_EQ(writer.append(out, as_bytes(page), 0), page.size());
    const std::uint64_t before = blocks_of(scratch / "stdout");
    writer.drop(out, 60'000);
    EXPECT_EQ(writer.from(out), 60'000U);
    EXPECT_EQ(reader.from(out), 60'000U);
    EXPECT_LT(blocks_of(scratch / "stdout"), before);
    EXPECT_EQ(refusal([&] { read(reader, out, 59'999); }), "conflict");
    EXPECT_EQ(read(reader, out, 60'000), page.substr(60'000));
    writer.drop(out, 10);
    EXPECT_EQ(writer.from(out), 60'000U) << "never back";
    EXPECT_EQ(writer.append(out, as_bytes(page), 0), 60'000U);
    EXPECT_EQ(read(reader, out, page.size()), page.substr(0, 60'000));
    EXPECT_EQ(reader.from(err), 0U);
}

TEST(Spool, a_reader_of_damaged_files_is_refused) {
    const Scratch scratch;
    EXPECT_EQ(refusal([&] { SpoolReader reader(scratch.path()); }), "internal");
    const SpoolWriter writer(scratch.path(), limited(10));
    SpoolReader early(scratch.path());
    for (const std::string_view kept : {"", "abc", "0123456789abcde"}) {
        scratch.file("kept", std::string(kept));
        EXPECT_EQ(refusal([&] { SpoolReader reader(scratch.path()); }), "internal") << kept;
    }
    EXPECT_EQ(refusal([&] { static_cast<void>(early.from(err)); }), "internal") << "damaged meanwhile";
}

TEST(Spool, of_all_jobs_is_added_up) {
    const Scratch scratch;
    EXPECT_EQ(spooled_bytes(scratch / "missing"), 0U);
    const std::string page(64 * 1024, 'p');
    for (const auto* job : {"a/x", "a/y", "b/x"}) {
        std::filesystem::create_directories(scratch / job);
        SpoolWriter writer(scratch / job, limited(1'000'000));
        writer.append(out, as_bytes(page), 0);
        writer.append(err, as_bytes(page), 0);
        EXPECT_EQ(writer.sync(), 0);
    }
    scratch.file("stray", "x");
    EXPECT_GE(spooled_bytes(scratch.path()), 6 * page.size());
    EXPECT_LT(spooled_bytes(scratch.path()), 7 * page.size());
}

} // namespace
} // namespace rc
