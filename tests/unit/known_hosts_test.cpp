// The files of known hosts: what a line says, what is known of a host, and how a line is added.
#include "client/known_hosts.hpp"

#include "common/files.hpp"
#include "tests/unit/failure_of.hpp"
#include "tests/unit/scratch.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace rc {
namespace {

Fingerprint filled(unsigned char byte) {
    Fingerprint fingerprint;
    fingerprint.fill(static_cast<std::byte>(byte));
    return fingerprint;
}

const Fingerprint a = filled(0xa0);
const Fingerprint b = filled(0xb0);
const std::string text_a = to_text(a);
const std::string text_b = to_text(b);

std::vector<KnownHost> parse(const std::string& text) { return parse_known_hosts(text, "known_hosts"); }

TEST(KnownHosts, a_line_is_a_name_and_a_fingerprint) {
    struct Case {
        std::string text, name;
        std::size_t line;
    };
    const std::vector<Case> table = {
        {"h:1 " + text_a, "h:1", 1},
        {"h:1 " + text_a + "\n", "h:1", 1},
        {"[::1]:7420 " + text_a + "\n", "[::1]:7420", 1},
        {"[fe80::1%eth0]:7420 " + text_a + "\n", "[fe80::1%eth0]:7420", 1},
        {"  h:1 \t " + text_a + "  \n", "h:1", 1},
        {"Host.Example.ORG:1 " + text_a, "host.example.org:1", 1},
        {"alias " + text_a, "alias", 1},
        {"# h:2 x\n\n   \n\t# x\nh:1 " + text_a, "h:1", 5},
        {"h:1 " + text_a + "\n\n\n# end", "h:1", 1},
    };
    for (const auto& [text, name, line] : table) {
        const std::vector<KnownHost> hosts = parse(text);
        ASSERT_EQ(hosts.size(), 1U) << text;
        EXPECT_EQ(hosts[0].name, name) << text;
        EXPECT_EQ(hosts[0].fingerprint, a) << text;
        EXPECT_EQ(hosts[0].file, "known_hosts") << text;
        EXPECT_EQ(hosts[0].line, line) << text;
    }
    for (const std::string text : {"", "\n", "#", "# h:1 x", " \n\t\n"}) EXPECT_TRUE(parse(text).empty()) << text;
}

TEST(KnownHosts, a_broken_line_is_named) {
    const std::vector<std::string> table = {"h:1", "h:1 ", text_a, "h:1 " + text_a + " x", "h:1 " + text_a + " # x",
        "h:1 " + text_a + "=", "h:1 " + text_a + "\r", "h:1 " + text_a.substr(0, 49), "h:1 " + text_a + "A",
        "h:1 SHA256:", "h:1 sha256:" + text_a.substr(7), "h:1 " + text_a.substr(7), "h:1 MD5:" + text_a.substr(7),
        "h:1 SHA256:" + std::string(43, '*'), "h:1 SHA256:" + std::string(42, 'A') + 'B', "h\x01:1 " + text_a,
        std::string("h\0 ", 3) + text_a, text_a + " h:1"};
    for (const std::string& line : table) {
        for (const auto& [before, number] : {std::pair(std::string(), "1"), std::pair("# x\n\nk:1 " + text_b + "\n", "4")}) {
            const auto failure = failure_of([&, &start = before] { parse(start + line + "\nk:2 " + text_b + "\n"); });
            ASSERT_TRUE(failure) << line;
            EXPECT_EQ(failure->code(), "config");
            EXPECT_EQ(std::string(failure->what()).find(std::string("known_hosts:") + number + ": "), 0U) << failure->what();
        }
    }
}

TEST(KnownHosts, a_host_is_known_changed_or_unknown) {
    struct Case {
        std::string lines;
        bool known;
        std::vector<std::size_t> others;
    };
    const std::vector<Case> table = {
        {"", false, {}},
        {"k " + text_a, false, {}},
        {"h " + text_a, true, {}},
        {"H " + text_a, true, {}},
        {"h " + text_b, false, {1}},
        {"h " + text_b + "\nk " + text_a + "\nh " + text_b, false, {1, 3}},
        {"h " + text_b + "\nh " + text_a, true, {1}},
        {"h " + text_a + "\nh " + text_a, true, {}},
        {"h:1 " + text_a + "\nhh " + text_a, false, {}},
    };
    for (const auto& [lines, known, others] : table) {
        for (const std::string name : {"h", "H"}) {
            const Lookup lookup = look_up(parse(lines), name, a);
            EXPECT_EQ(lookup.known, known) << lines;
            std::vector<std::size_t> numbers;
            for (const KnownHost& host : lookup.others) numbers.push_back(host.line);
            EXPECT_EQ(numbers, others) << lines;
        }
    }
}

TEST(KnownHosts, what_is_written_is_read) {
    for (const std::string name : {"h:1", "[::1]:1", "Alias", "192.0.2.7:65535"}) {
        const std::string line = known_hosts_line(name, a);
        EXPECT_EQ(line.back(), '\n');
        EXPECT_TRUE(look_up(parse(line), name, a).known) << line;
    }
}

TEST(KnownHosts, a_name_is_one_word) {
    for (const std::string_view name : {"h", "h:1", "[::1]:1", "a#b", "é"}) EXPECT_TRUE(valid_host_name(name)) << name;
    for (const std::string_view name : {"", " ", "a b", "a\tb", "a\n", "#", "#a", "a\x7f"})
        EXPECT_FALSE(valid_host_name(name)) << name;
}

TEST(KnownHosts, all_files_are_read_that_are_there) {
    const Scratch scratch;
    const auto one = scratch.file("one", "h " + text_a + "\n");
    const auto two = scratch.file("two", "k " + text_b + "\n", 0644);
    const std::vector<KnownHost> hosts = read_known_hosts({one, scratch / "missing", no_file, one / "none", two});
    ASSERT_EQ(hosts.size(), 2U);
    EXPECT_EQ(hosts[0].file, one);
    EXPECT_EQ(hosts[1].file, two);
    EXPECT_EQ(failed([&] { read_known_hosts({scratch.file("open", "", 0602)}); }), "config 255");
    EXPECT_EQ(failed([&] { read_known_hosts({scratch.path()}); }), "config 255");
}

TEST(KnownHosts, a_line_is_added_once) {
    const Scratch scratch;
    const auto file = scratch / "new" / "known_hosts";
    const mode_t before = ::umask(0);
    const auto added = add_known_host(file, "h", a);
    ::umask(before);
    ASSERT_TRUE(added);
    EXPECT_TRUE(added->known);
    EXPECT_EQ(mode_of(file), 0600U);
    EXPECT_EQ(mode_of(file.parent_path()), 0700U);
    EXPECT_TRUE(add_known_host(file, "h", a)->known);
    EXPECT_TRUE(add_known_host(file, "K", b)->known);
    EXPECT_EQ(content_of(file), "h " + text_a + "\nk " + text_b + "\n");
    const auto changed = add_known_host(file, "h", b);
    ASSERT_TRUE(changed);
    EXPECT_FALSE(changed->known);
    EXPECT_EQ(changed->others.size(), 1U);
    EXPECT_EQ(content_of(file), "h " + text_a + "\nk " + text_b + "\n");
}

TEST(KnownHosts, a_last_line_without_an_end_gets_one) {
    const Scratch scratch;
    const auto file = scratch.file("known_hosts", "# mine");
    EXPECT_TRUE(add_known_host(file, "h", a)->known);
    EXPECT_EQ(content_of(file), "# mine\nh " + text_a + "\n");
}

TEST(KnownHosts, nothing_is_added_while_another_process_writes) {
    const Scratch scratch;
    const auto file = scratch / "known_hosts";
    {
        const Descriptor lock = try_lock(file);
        ASSERT_TRUE(lock.is_open());
        EXPECT_FALSE(add_known_host(file, "h", a));
    }
    EXPECT_TRUE(add_known_host(file, "h", a));
}

TEST(KnownHosts, what_cannot_be_written_is_an_error) {
    const Scratch scratch;
    const auto file = scratch.file("known_hosts", "");
    EXPECT_THROW(add_known_host(file / "below", "h", a), std::exception);
    EXPECT_THROW(add_known_host(scratch.path(), "h", a), std::exception);
    EXPECT_EQ(failed([&] { add_known_host(scratch.file("broken", "x\n"), "h", a); }), "config 255");
}

} // namespace
} // namespace rc
