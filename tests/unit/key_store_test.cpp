// The keys as they are now, also after they could not be read for a while.
#include "server/key_store.hpp"

#include "tests/unit/limited_descriptors.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace rc {
namespace {

const std::string line = " hmac-sha256 AAAAAAAAAAAAAAAAAAAAAA== AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= "
                         "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";

void write(const std::filesystem::path& file, const std::string& text) {
    std::ofstream(file) << text;
    std::filesystem::permissions(file, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

TEST(KeyStore, reads_again_what_could_not_be_read_for_a_while) {
    const std::filesystem::path file = std::filesystem::path(::testing::TempDir()) / "key_store_test.keys";
    write(file, "one" + line);
    KeyStore store(file, false);
    EXPECT_TRUE(store.current()->keys.contains("one"));
    write(file, "one" + line + "two" + line);
    {
        const LimitedDescriptors none(0);
        EXPECT_FALSE(store.current()->readable);
    }
    EXPECT_TRUE(store.current()->keys.contains("two"));
    std::filesystem::remove(file);
}

} // namespace
} // namespace rc
