// The keys as they are now, also after they could not be read for a while.
#include "server/key_store.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include <sys/resource.h>

namespace rc {
namespace {

const std::string line = " hmac-sha256 AAAAAAAAAAAAAAAAAAAAAA== AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= "
                         "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";

void write(const std::filesystem::path& file, const std::string& text) {
    std::ofstream(file) << text;
    std::filesystem::permissions(file, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

// While it lives no descriptor can be had.
class NoDescriptors {
public:
    NoDescriptors() {
        ::getrlimit(RLIMIT_NOFILE, &before_);
        rlimit none = before_;
        none.rlim_cur = 0;
        ::setrlimit(RLIMIT_NOFILE, &none);
    }
    ~NoDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }
    NoDescriptors(const NoDescriptors&) = delete;
    NoDescriptors& operator=(const NoDescriptors&) = delete;

private:
    rlimit before_{};
};

TEST(KeyStore, reads_again_what_could_not_be_read_for_a_while) {
    const std::filesystem::path file = std::filesystem::path(::testing::TempDir()) / "key_store_test.keys";
    write(file, "one" + line);
    KeyStore store(file, false);
    EXPECT_TRUE(store.current()->keys.contains("one"));
    write(file, "one" + line + "two" + line);
    {
        const NoDescriptors none;
        EXPECT_FALSE(store.current()->readable);
    }
    EXPECT_TRUE(store.current()->keys.contains("two"));
    std::filesystem::remove(file);
}

} // namespace
} // namespace rc
