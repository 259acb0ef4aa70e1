// The identity of a server: what is written is read, nothing else is taken, and its fingerprint has one form.
#include "common/identity.hpp"

#include "common/bytes.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace rc {
namespace {

constexpr std::string_view key_begins = "-----BEGIN PRIVATE KEY-----";
constexpr std::string_view certificate_begins = "-----BEGIN CERTIFICATE-----";

Fingerprint fingerprint_of(const Identity& identity) { return rc::fingerprint_of(identity.certificate.get()); }

TEST(Identity, what_is_written_is_read) {
    const Identity made = make_identity();
    const std::string pem = to_pem(made);
    const auto read = parse_identity(pem);
    ASSERT_TRUE(read);
    EXPECT_EQ(fingerprint_of(*read), fingerprint_of(made));
    EXPECT_EQ(to_pem(*read), pem);
    EXPECT_TRUE(pem.starts_with(key_begins)) << "the form that its header gives";
    EXPECT_NE(pem.find(certificate_begins), std::string::npos);
}

TEST(Identity, each_is_another) {
    const Identity one = make_identity();
    const Identity two = make_identity();
    EXPECT_NE(fingerprint_of(one), fingerprint_of(two));
}

TEST(Identity, the_two_parts_may_change_places) {
    const std::string pem = to_pem(make_identity());
    const std::size_t cut = pem.find(certificate_begins);
    EXPECT_TRUE(parse_identity(pem.substr(cut) + pem.substr(0, cut)));
}

TEST(Identity, anything_else_is_none) {
    const std::string pem = to_pem(make_identity());
    const std::string other = to_pem(make_identity());
    const std::size_t cut = pem.find(certificate_begins);
    const std::string key = pem.substr(0, cut);
    const std::string certificate = pem.substr(cut);
    std::string changed = pem;
    changed[100] = changed[100] == 'A' ? 'B' : 'A';
    const std::vector<std::string> table = {"", "\n", "nonsense", key, certificate, key + key, certificate + certificate,
        pem.substr(0, pem.size() / 2), pem.substr(0, pem.size() - 30), pem.substr(1), changed,
        key + other.substr(other.find(certificate_begins)),
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIGbMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAg=\n-----END ENCRYPTED PRIVATE "
        "KEY-----\n" +
            certificate};
    for (const std::string& text : table) EXPECT_FALSE(parse_identity(text)) << escape(text, 200);
}

TEST(Fingerprint, has_one_form) {
    Fingerprint fingerprint{};
    EXPECT_EQ(to_text(fingerprint), "SHA256:" + std::string(43, 'A'));
    fingerprint.fill(std::byte{0xff});
    EXPECT_EQ(to_text(fingerprint), "SHA256:" + std::string(42, '/') + '8');
    EXPECT_EQ(parse_fingerprint(to_text(fingerprint)), fingerprint);
    for (const std::string& text : {std::string(), std::string("SHA256:"), std::string(43, 'A'), "sha256:" + std::string(43, 'A'),
             "SHA256:" + std::string(43, 'A') + '=', "SHA256:" + std::string(42, 'A'), "SHA256:" + std::string(44, 'A'),
             "SHA256:" + std::string(42, 'A') + 'B', " SHA256:" + std::string(43, 'A'), "SHA256:" + std::string(42, 'A') + '-'}) {
        EXPECT_FALSE(parse_fingerprint(text)) << text;
    }
}

} // namespace
} // namespace rc
