// The client's configuration files: what they may say, and which of several values counts.
#include "client/config_file.hpp"

#include "client/failure.hpp"
#include "tests/unit/failure_of.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace rc {
namespace {

Settings read(const std::string& text, const std::string& host = "h") {
    return settings_for(parse_config(text, "config.toml"), host);
}

TEST(ConfigFile, each_setting_goes_where_it_belongs) {
    const Settings settings = read(R"([host.h]
address = "192.0.2.7"
port = 7421
user = "operator"
key = "/k"
keep = "8h"
timeout = "90s"
known-hosts = "/known"
strict-host-key-checking = "yes"
host-key-alias = "alias"
env = { A = "1", B = "x y" }
)");
    EXPECT_EQ(settings.address, "192.0.2.7");
    EXPECT_EQ(settings.port, 7421);
    EXPECT_EQ(settings.user, "operator");
    EXPECT_EQ(settings.key, "/k");
    EXPECT_EQ(settings.keep, std::chrono::hours(8));
    EXPECT_EQ(settings.timeout, std::chrono::seconds(90));
    EXPECT_EQ(settings.known_hosts, std::vector<std::filesystem::path>{"/known"});
    EXPECT_EQ(settings.host_checking, HostChecking::strict);
    EXPECT_EQ(settings.host_key_alias, "alias");
    EXPECT_EQ(settings.environment, (std::vector<std::string>{"A=1", "B=x y"}));
}

TEST(ConfigFile, numbers_are_seconds_and_keep_may_be_none) {
    EXPECT_EQ(read("[host.h]\ntimeout = 90\n").timeout, std::chrono::seconds(90));
    EXPECT_EQ(read("[host.h]\nkeep = 0\n").keep, std::chrono::seconds(0));
    EXPECT_EQ(read("[host.h]\nkeep = \"0\"\n").keep, std::chrono::seconds(0));
}

TEST(ConfigFile, an_empty_file_says_nothing) {
    EXPECT_TRUE(parse_config("", "f").empty());
    EXPECT_TRUE(parse_config("# nothing\n", "f").empty());
    EXPECT_FALSE(read("").port);
}

TEST(ConfigFile, patterns_choose_by_the_name_of_the_host) {
    const std::string text = "[host.\"web*\"]\nport = 1\n[host.\"db?\"]\nport = 2\n[host.\"x.example.org\"]\nport = 3\n";
    EXPECT_EQ(read(text, "web").port, 1);
    EXPECT_EQ(read(text, "web17.example.org").port, 1);
    EXPECT_EQ(read(text, "db1").port, 2);
    EXPECT_EQ(read(text, "x.example.org").port, 3);
    for (const std::string host : {"db", "db12", "a-web", "x", ""}) EXPECT_FALSE(read(text, host).port) << host;
}

// toml++ 3.3 asserts that a table has a name before it says that there is none.
TEST(ConfigFile, a_table_without_a_name_is_refused) {
    for (const std::string text : {"[*]", "[ = ]", "[.h]", "[[*]]", "[host.]", "[host.*]", "[,", "[\n"}) {
        SCOPED_TRACE(text);
        try {
            parse_config(text + "\nport = 1\n", "config.toml");
            ADD_FAILURE() << "it was read";
        } catch (const Failure& failure) {
            EXPECT_EQ(failure.code(), "config");
            EXPECT_EQ(std::string(failure.what()).rfind("config.toml:1: ", 0), 0U) << failure.what();
        }
    }
}

// toml++ sorts tables by their names.
TEST(ConfigFile, the_first_value_found_wins_in_the_order_of_the_file) {
    const std::string text = "[host.\"z*\"]\nport = 1\n[host.\"*\"]\nport = 2\nuser = \"any\"\nenv = { A = \"2\", B = \"2\" }\n"
                             "[host.zeta]\nport = 3\nuser = \"late\"\n";
    EXPECT_EQ(read(text, "zeta").port, 1);
    EXPECT_EQ(read(text, "zeta").user, "any");
    EXPECT_EQ(read(text, "other").port, 2);
    EXPECT_EQ(read("[host.\"*\"]\nenv = { A = \"1\" }\n[host.h]\nenv = { A = \"2\", B = \"2\" }\n").environment,
        (std::vector<std::string>{"A=1", "B=2"}));
}

TEST(ConfigFile, what_is_wrong_is_named_with_its_line) {
    struct Case {
        std::string text;
        std::string named;
    };
    const std::vector<Case> table = {
        {"[host.h]\nport = 1\nprot = 2\n", "config.toml:3: 'prot'"},
        {"port = 1\n", "config.toml:1: 'port'"},
        {"[hosts.h]\nport = 1\n", "config.toml:1: 'hosts'"},
        {"host = 1\n", "config.toml:1: host must be a table"},
        {"[host]\nh = 1\n", "config.toml:2: host.h must be a table"},
        {"[host.h]\nport = \"22\"\n", "config.toml:2: port"},
        {"[host.h]\nport = 0\n", "config.toml:2: port"},
        {"[host.h]\nport = 65536\n", "config.toml:2: port"},
        {"[host.h]\nport = 1.5\n", "config.toml:2: port"},
        {"[host.h]\nuser = 1\n", "config.toml:2: user must be a string"},
        {"[host.h]\nkey = [\"k\"]\n", "config.toml:2: key must be a string"},
        {"[host.h]\nkeep = \"long\"\n", "config.toml:2: keep"},
        {"[host.h]\nkeep = -1\n", "config.toml:2: keep"},
        {"[host.h]\ntimeout = 0\n", "config.toml:2: timeout"},
        {"[host.h]\nknown-hosts = 1\n", "config.toml:2: known-hosts must be a string"},
        {"[host.h]\nstrict-host-key-checking = true\n", "config.toml:2: strict-host-key-checking must be a string"},
        {"[host.h]\nstrict-host-key-checking = \"maybe\"\n", "config.toml:2: strict-host-key-checking"},
        {"[host.h]\nhost-key-alias = \"a b\"\n", "config.toml:2: host-key-alias"},
        {"[host.h]\nenv = \"A=1\"\n", "config.toml:2: env must be a table"},
        {"[host.h]\nenv = { A = 1 }\n", "config.toml:2: env.A must be a string"},
        {"[host.h]\nenv = { \"A=B\" = \"1\" }\n", "config.toml:2: 'A=B'"},
        {"[host.h]\nenv = { \"\" = \"1\" }\n", "config.toml:2: ''"},
        {"[host.h]\naddress = \"a\\u0000b\"\n", "config.toml:2: address"},
        {"[host.h]\nport = 1\nport = 2\n", "config.toml:3: "},
        {"[host.h]\nport = 1\n[host.h]\nuser = \"u\"\n", "config.toml:3: "},
        {"\n[host.h\n", "config.toml:2: "},
        {"[host.h]\nuser = \"open\n", "config.toml:2: "},
    };
    for (const auto& [text, named] : table) {
        const auto failure = failure_of([&, &t = text] { parse_config(t, "config.toml"); });
        ASSERT_TRUE(failure) << text;
        EXPECT_EQ(failure->code(), "config");
        EXPECT_NE(std::string(failure->what()).find(named), std::string::npos) << failure->what();
    }
}

} // namespace
} // namespace rc
