// The client's key file, and the lines of authorized_keys that are made from it.
#include "client/key_file.hpp"

#include "common/bytes.hpp"
#include "server/authorized_keys.hpp"
#include "tests/unit/failure_of.hpp"
#include "tests/unit/scratch.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace rc {
namespace {

using namespace std::string_literals;

// The secret of PROTOCOL.md section 8.
Key example() {
    Key key{"alice@laptop", {}};
    for (std::size_t i = 0; i < key.secret.size(); ++i) key.secret[i] = static_cast<std::byte>(i);
    return key;
}

const std::string secret = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

TEST(KeyFile, what_is_written_is_read) {
    const Scratch scratch;
    for (const std::string& id : {"a"s, "alice@laptop"s, "A.z_0-9@x"s, std::string(64, 'k')}) {
        const Key key{id, make_random<Secret>()};
        write_key(scratch / id, key);
        const Key read = read_key(scratch / id);
        EXPECT_EQ(read.id, id);
        EXPECT_EQ(read.secret, key.secret);
    }
}

TEST(KeyFile, has_the_form_that_its_header_gives_and_is_nobody_elses) {
    const Scratch scratch;
    const mode_t before = ::umask(0);
    write_key(scratch / "new" / "key", example());
    ::umask(before);
    EXPECT_EQ(content_of(scratch / "new" / "key"), "rcmd-key 1 alice@laptop " + secret + '\n');
    EXPECT_EQ(mode_of(scratch / "new" / "key"), 0600U);
}

TEST(KeyFile, is_never_overwritten) {
    const Scratch scratch;
    const auto file = scratch.file("key", "before");
    EXPECT_EQ(failed([&] { write_key(file, example()); }), "no_key 255");
    EXPECT_EQ(content_of(file), "before");
    EXPECT_EQ(failed([&] { write_key(file / "key", example()); }), "no_key 255");
    EXPECT_EQ(failed([&] { write_key(scratch.path(), example()); }), "no_key 255");
}

TEST(KeyFile, is_refused_if_others_can_read_it) {
    const Scratch scratch;
    const std::string content = "rcmd-key 1 a " + secret + '\n';
    for (const mode_t mode : {0600U, 0400U})
        EXPECT_EQ(failed([&] { read_key(scratch.file(std::to_string(mode), content, mode)); }), "");
    for (const mode_t mode : {0640U, 0604U, 0644U, 0660U, 0666U, 0620U, 0602U}) {
        const auto file = scratch.file("key", content, mode);
        const auto failure = failure_of([&] { read_key(file); });
        ASSERT_TRUE(failure) << std::oct << mode;
        EXPECT_EQ(failure->code(), "no_key");
        EXPECT_EQ(failure->ran(), Ran::no);
        EXPECT_NE(std::string(failure->what()).find(file.string()), std::string::npos) << failure->what();
        EXPECT_NE(std::string(failure->what()).find("chmod"), std::string::npos) << failure->what();
    }
}

TEST(KeyFile, that_is_missing_says_how_to_make_one) {
    const Scratch scratch;
    const auto failure = failure_of([&] { read_key(scratch / "missing"); });
    ASSERT_TRUE(failure);
    EXPECT_EQ(failure->code(), "no_key");
    EXPECT_EQ(failure->status(), 255);
    EXPECT_NE(std::string(failure->what()).find((scratch / "missing").string()), std::string::npos) << failure->what();
    EXPECT_NE(std::string(failure->what()).find("rcmd keygen"), std::string::npos) << failure->what();
    EXPECT_EQ(failed([&] { read_key(scratch.path()); }), "no_key 255");
}

TEST(KeyFile, that_holds_something_else_is_refused_without_being_shown) {
    const Scratch scratch;
    const std::vector<std::string> table = {"", "\n", " ", "nonsense\n", "rcmd-key", "rcmd-key 1", "rcmd-key 1 a",
        "rcmd-key 1 a\n", "rcmd-key 1 " + secret + '\n', "rcmd-key 2 a " + secret + '\n', "rcmd-key 01 a " + secret + '\n',
        "rcmd-key a " + secret + '\n', "RCMD-KEY 1 a " + secret + '\n', "1 a " + secret + '\n', "rcmd-key 1 a AAAA\n",
        "rcmd-key 1 a/b " + secret + '\n', "rcmd-key 1 .a " + secret + '\n',
        "rcmd-key 1 " + std::string(65, 'a') + ' ' + secret + '\n', "rcmd-key 1 a " + secret + " x\n",
        "rcmd-key 1 a " + secret.substr(0, 43) + '\n', "rcmd-key 1 a " + secret.substr(1) + '\n',
        "rcmd-key 1 a A" + secret + '\n', "rcmd-key 1 a " + secret + "AAAA\n", "rcmd-key 1 a *" + secret.substr(1) + '\n',
        "rcmd-key 1 a " + secret + "\nrcmd-key 1 b " + secret + '\n', "rcmd-key 1 a\0b "s + secret + '\n',
        "rcmd-key 1 a " + secret + "\0\n"s, std::string(1000, '\0'), "rcmd-key 1 a " + std::string(100000, 'A'),
        "-----BEGIN OPENSSH PRIVATE KEY-----\n" + secret + '\n',
        "a hmac-sha256 oKGio6SlpqeoqaqrrK2urw== " + secret + ' ' + secret + '\n'};
    for (const auto& content : table) {
        SCOPED_TRACE(escape(content, 150));
        const auto file = scratch.file("key", content);
        const auto failure = failure_of([&] { read_key(file); });
        ASSERT_TRUE(failure);
        EXPECT_EQ(failure->code(), "no_key");
        EXPECT_EQ(failure->status(), 255);
        const std::string text = failure->what();
        EXPECT_NE(text.find(file.string()), std::string::npos) << text;
        EXPECT_EQ(text.find(secret.substr(2, 20)), std::string::npos) << text;
        EXPECT_LT(text.size(), 1000U);
        EXPECT_EQ(text.find('\0'), std::string::npos);
    }
}

TEST(AuthorizedLine, is_one_that_the_server_takes_and_that_verifies_the_key) {
    const Key key = example();
    const std::string line = authorized_line(key);
    EXPECT_EQ(line.find_first_of("\r\n"), std::string::npos) << line;
    const AuthorizedKeys file = parse_authorized_keys(line, false);
    EXPECT_TRUE(file.problems.empty());
    ASSERT_TRUE(file.keys.contains(key.id)) << line;
    const Verifier& verifier = file.keys.at(key.id).verifier;
    const ClientKeys keys = derive_keys(key.secret, verifier.salt);
    EXPECT_EQ(verifier.stored_key, keys.stored_key);
    EXPECT_EQ(verifier.server_key, keys.server_key);
    EXPECT_TRUE(verify_client_proof(verifier, "transcript", client_proof(keys, "transcript")));
    const ClientKeys others = derive_keys(make_random<Secret>(), verifier.salt);
    EXPECT_FALSE(verify_client_proof(verifier, "transcript", client_proof(others, "transcript")));
    EXPECT_EQ(line.find(secret.substr(0, 20)), std::string::npos) << "the secret stays here";
}

TEST(AuthorizedLine, has_a_fresh_salt_each_time) {
    std::set<Salt> salts;
    std::set<Digest> stored;
    for (int i = 0; i < 50; ++i) {
        const AuthorizedKeys file = parse_authorized_keys(authorized_line(example()), false);
        ASSERT_EQ(file.keys.size(), 1U);
        EXPECT_TRUE(salts.insert(file.keys.begin()->second.verifier.salt).second);
        EXPECT_TRUE(stored.insert(file.keys.begin()->second.verifier.stored_key).second);
    }
}

} // namespace
} // namespace rc
