// The file of authorized keys: good lines, and each way in which a line is refused while the others stay valid.
#include "server/authorized_keys.hpp"

#include "common/bytes.hpp"
#include "tests/unit/refusal.hpp"
#include "tests/unit/scratch.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace rc {
namespace {

using namespace std::string_literals;

// The line of PROTOCOL.md section 8 and its parts.
const std::string id = "alice@laptop";
const std::string algorithm = "hmac-sha256";
const std::string salt = "oKGio6SlpqeoqaqrrK2urw==";
const std::string stored = "Jiae19qRNO8XLhbe7/AUAtFjlFoj4962IC+XcvrDYUA=";
const std::string server = "rq2WQSMX1dF+MwHu2HUnWs98xHVI6/xKyrjOLiLrN6I=";

std::string line(const std::string& key_id, const std::string& options = "") {
    return key_id + ' ' + algorithm + ' ' + salt + ' ' + stored + ' ' + server + (options.empty() ? "" : ' ' + options);
}

std::vector<std::string> ids(const AuthorizedKeys& keys) {
    std::vector<std::string> all;
    for (const auto& [key_id, key] : keys.keys) all.push_back(key_id);
    return all;
}

TEST(AuthorizedKeys, the_line_of_the_protocol_has_its_values) {
    const AuthorizedKeys file = parse_authorized_keys(line(id) + '\n', false);
    EXPECT_TRUE(file.problems.empty());
    ASSERT_EQ(ids(file), std::vector{id});
    const AuthorizedKey& key = file.keys.at(id);
    EXPECT_EQ(to_hex(key.verifier.salt), "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf");
    EXPECT_EQ(to_hex(key.verifier.stored_key), "26269ed7da9134ef172e16deeff01402d163945a23e3deb6202f9772fac36140");
    EXPECT_EQ(to_hex(key.verifier.server_key), "aead96412317d5d17e3301eed875275acf7cc47548ebfc4acab8ce2e22eb37a2");
    EXPECT_TRUE(key.options.users.empty());
}

TEST(AuthorizedKeys, lines_may_be_empty_or_comments) {
    struct Case {
        std::string_view name;
        std::string text;
        std::vector<std::string> ids;
    };
    const std::vector<Case> table = {
        {"nothing", "", {}},
        {"empty lines", "\n\n\n", {}},
        {"blanks", "  \n\t\n \t ", {}},
        {"comments", "# one\n#\n" + ("#" + line("a")) + "\n# " + line("b"), {}},
        {"no line end", line("a"), {"a"}},
        {"CRLF", "# one\r\n\r\n" + line("a") + "\r\n" + line("b", "user=root") + "\r\n", {"a", "b"}},
        {"all of them", "\n# one\n" + line("b") + "\n\n  \n" + line("a") + "\n#end", {"a", "b"}},
        {"blanks around", "  " + line("a") + "  \n\t" + line("b") + "\t\n", {"a", "b"}},
        {"blanks between", "a  " + algorithm + "\t" + salt + " \t " + stored + "   " + server + "  user=root\n", {"a"}},
        {"characters of ids", line("A.z_0-9@x") + '\n' + line(std::string(64, 'k')), {"A.z_0-9@x", std::string(64, 'k')}},
    };
    for (const auto& [name, text, wanted] : table) {
        const AuthorizedKeys file = parse_authorized_keys(text, false);
        EXPECT_EQ(ids(file), wanted) << name;
        EXPECT_EQ(testing::PrintToString(file.problems), "{}") << name;
    }
}

TEST(AuthorizedKeys, users_are_kept_in_order) {
    const AuthorizedKeys file =
        parse_authorized_keys(line("a", "user=root") + '\n' + line("b", "user=www-data,root,daemon") + '\n' + line("c"), false);
    EXPECT_TRUE(file.problems.empty());
    EXPECT_EQ(file.keys.at("a").options.users, std::vector{"root"s});
    EXPECT_EQ(file.keys.at("b").options.users, (std::vector{"www-data"s, "root"s, "daemon"s}));
    EXPECT_TRUE(file.keys.at("c").options.users.empty());
}

TEST(AuthorizedKeys, root_needs_a_user_in_each_line) {
    const AuthorizedKeys file =
        parse_authorized_keys(line("a", "user=root") + '\n' + line("b") + '\n' + line("c", "user=daemon"), true);
    EXPECT_EQ(ids(file), (std::vector{"a"s, "c"s}));
    ASSERT_EQ(file.problems.size(), 1U);
    EXPECT_NE(file.problems[0].find('2'), std::string::npos) << file.problems[0];
    EXPECT_NE(file.problems[0].find("user="), std::string::npos) << "says what is missing: " << file.problems[0];
}

struct Malformed {
    std::string_view name;
    std::string line;
};

const std::vector<Malformed>& malformed() {
    const auto with = [](const std::string& a, const std::string& s, const std::string& k, const std::string& v) {
        return "bad " + a + ' ' + s + ' ' + k + ' ' + v;
    };
    static const std::vector<Malformed> table = {
        {"one word", "bad"},
        {"nothing but the algorithm", "bad " + algorithm},
        {"two fields missing", "bad " + algorithm + ' ' + salt},
        {"a field missing", "bad " + algorithm + ' ' + salt + ' ' + stored},
        {"no id", algorithm + ' ' + salt + ' ' + stored + ' ' + server},
        {"no algorithm", "bad " + salt + ' ' + stored + ' ' + server},
        {"another algorithm", with("hmac-sha1", salt, stored, server)},
        {"upper-case algorithm", with("HMAC-SHA256", salt, stored, server)},
        {"an ssh key", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ bad@host"},
        {"id with a slash", line("../bad")},
        {"id with a dot in front", line(".bad")},
        {"id too long", line(std::string(65, 'b'))},
        {"id with a letter of no ASCII", line("b\xC3\xA4"s + "d")},
        {"id with NUL", line("b\0d"s)},
        {"id with ESC", line("b\x1b[1md"s)},
        {"short salt", with(algorithm, to_base64(as_bytes(std::string(15, 's'))), stored, server)},
        {"long salt", with(algorithm, to_base64(as_bytes(std::string(17, 's'))), stored, server)},
        {"short stored key", with(algorithm, salt, to_base64(as_bytes(std::string(31, 's'))), server)},
        {"long stored key", with(algorithm, salt, to_base64(as_bytes(std::string(33, 's'))), server)},
        {"short server key", with(algorithm, salt, stored, to_base64(as_bytes(std::string(31, 's'))))},
        {"long server key", with(algorithm, salt, stored, to_base64(as_bytes(std::string(33, 's'))))},
        {"salt in the place of a key", with(algorithm, salt, salt, server)},
        {"salt without padding", with(algorithm, salt.substr(0, 22), stored, server)},
        {"key without padding", with(algorithm, salt, stored.substr(0, 43), server)},
        {"no base64", with(algorithm, salt, stored, "*" + server.substr(1))},
        {"hexadecimal", with(algorithm, "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf", stored, server)},
        {"no user", line("bad", "user=")},
        {"an empty user", line("bad", "user=root,,daemon")},
        {"an empty first user", line("bad", "user=,root")},
        {"an empty last user", line("bad", "user=root,")},
        {"user without a value", line("bad", "user")},
        {"upper-case option", line("bad", "USER=root")},
        {"unknown option", line("bad", "no-such-option")},
        {"unknown option behind a known one", line("bad", "user=root no-such-option")},
        {"an unknown option with a value", line("bad", "tunnel=\"0\"")},
        {"a quote that is not closed", line("bad", "command=\"true")},
        {"an option twice", line("bad", "no-pty no-pty")},
        {"a network that is none", line("bad", "from=10.0.0.0/33")},
        {"a comment at the end", line("bad", "# of mine")},
    };
    return table;
}

TEST(AuthorizedKeys, a_bad_line_is_refused_with_its_number_and_leaves_the_others_valid) {
    for (const auto& [name, bad] : malformed()) {
        SCOPED_TRACE(name);
        // Its number is 4711.
        const std::string text =
            line("first", "user=root") + std::string(4710, '\n') + bad + '\n' + line("last", "user=root") + '\n';
        for (const bool need_user : {false, true}) {
            const AuthorizedKeys file = parse_authorized_keys(text, need_user);
            EXPECT_EQ(ids(file), (std::vector{"first"s, "last"s}));
            ASSERT_EQ(file.problems.size(), 1U);
            EXPECT_NE(file.problems[0].find("4711"), std::string::npos) << file.problems[0];
        }
    }
}

TEST(AuthorizedKeys, each_bad_line_is_a_problem) {
    std::string text;
    for (const auto& [name, bad] : malformed()) text += bad + "\r\n";
    const AuthorizedKeys file = parse_authorized_keys(text, false);
    EXPECT_TRUE(file.keys.empty());
    EXPECT_EQ(file.problems.size(), malformed().size());
}

// Whose line is meant cannot be told, so the file must not mean the one that its owner overlooked.
TEST(AuthorizedKeys, a_second_line_of_the_same_key_is_a_problem) {
    const std::string other = to_base64(as_bytes(std::string(32, 'o')));
    const AuthorizedKeys file = parse_authorized_keys(line("a", "user=root") + "\n\n" + "a " + algorithm + ' ' + salt + ' ' +
                                                          other + ' ' + other + " user=daemon\n" + line("b"),
        false);
    EXPECT_TRUE(file.keys.contains("b"));
    ASSERT_EQ(file.problems.size(), 1U);
    EXPECT_NE(file.problems[0].find('3'), std::string::npos) << file.problems[0];
    if (file.keys.contains("a")) {
        EXPECT_EQ(file.keys.at("a").options.users, std::vector{"root"s});
    }
}

TEST(AuthorizedKeys, anything_is_taken_without_failing) {
    std::string bytes;
    for (int i = 0; i < 5000; ++i) bytes += static_cast<char>(i * 7 % 256);
    for (const std::string& text : {std::string(100000, '\0'), std::string(100000, 'x'), bytes, std::string(50000, ' ') + "x",
             "\xEF\xBB\xBF"s, "\r\r\r"s, line("a") + "\0"s, std::string(20000, '=')}) {
        EXPECT_NO_THROW(parse_authorized_keys(text, false));
        EXPECT_NO_THROW(parse_authorized_keys(text, true));
    }
}

TEST(AuthorizedKeys, many_keys_are_all_there) {
    std::string text;
    for (int i = 0; i < 2000; ++i) text += line("key-" + std::to_string(i)) + '\n';
    const AuthorizedKeys file = parse_authorized_keys(text, false);
    EXPECT_EQ(file.keys.size(), 2000U);
    EXPECT_TRUE(file.problems.empty());
}

TEST(ReadAuthorizedKeys, takes_a_file_that_others_can_read_but_not_write) {
    const Scratch scratch;
    const auto file = scratch.file("keys", line("a", "user=root") + "\nbad\n" + line("b") + '\n');
    for (const mode_t mode : {0400U, 0600U, 0640U, 0644U, 0755U}) {
        ASSERT_EQ(::chmod(file.c_str(), mode), 0);
        const AuthorizedKeys keys = read_authorized_keys(file, false);
        EXPECT_EQ(ids(keys), (std::vector{"a"s, "b"s}));
        EXPECT_EQ(keys.problems.size(), 1U);
        EXPECT_EQ(ids(read_authorized_keys(file, true)), std::vector{"a"s});
    }
    for (const mode_t mode : {0620U, 0602U, 0622U, 0666U, 0777U}) {
        ASSERT_EQ(::chmod(file.c_str(), mode), 0);
        EXPECT_EQ(refusal([&] { read_authorized_keys(file, false); }), "internal") << std::oct << mode;
    }
}

TEST(ReadAuthorizedKeys, names_the_file_that_it_cannot_read) {
    const Scratch scratch;
    scratch.file("writable", line("a"), 0666);
    for (const auto& file : {scratch / "missing", scratch.path(), scratch / "writable", scratch / "writable" / "below"}) {
        try {
            read_authorized_keys(file, false);
            ADD_FAILURE() << file << " was read";
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ErrorCode::internal);
            EXPECT_NE(std::string(error.what()).find(file.string()), std::string::npos) << error.what();
        }
    }
}

} // namespace
} // namespace rc
