// Command lines of the client that are refused or that end it at once, and the options of keygen.
#include "client/options.hpp"

#include "common/files.hpp"
#include "tests/unit/failure_of.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace rc {
namespace {

using Words = std::vector<std::string>;

constexpr auto refused = "usage 255";

void expect_refused(const std::vector<Words>& table) {
    for (const auto& words : table) {
        const auto parse = [&] {
            ClientOptions options;
            parse_options(words, options);
        };
        EXPECT_EQ(failed(parse), refused) << testing::PrintToString(words);
        const auto failure = failure_of(parse);
        if (!failure) continue;
        EXPECT_EQ(failure->ran(), Ran::no);
        EXPECT_STRNE(failure->what(), "");
    }
}

TEST(OptionsUsage, a_host_is_needed) {
    expect_refused({{}, {"-q"}, {"--"}, {"-q", "--"}, {"-p", "22"}, {"--batch"}, {""}, {"", "ls"}, {"@h"}, {"bob@"}, {"h:0"},
        {"h:65536"}, {"h:"}, {"[::1"}, {"--", ""}, {"a b", "ls"}});
}

TEST(OptionsUsage, unknown_options_are_refused_before_and_after_the_host) {
    expect_refused({{"-z", "h"}, {"h", "-z"}, {"h", "-z", "ls"}, {"-q", "h", "-z", "ls"}, {"-qz", "h"}, {"h", "-nqz", "ls"},
        {"--no-such-option", "h"}, {"h", "--no-such-option"}, {"h", "-q", "--no-such-option", "ls"}, {"--no-such-option=1", "h"},
        {"h", "--no-such-option=1"}, {"-z", "1", "h"}, {"---", "h"}, {"h", "---"}, {"-Q", "h"}, {"--QUIET", "h"}, {"-é", "h"},
        {"-z", "--", "h"}, {"h", "-z", "--", "ls"}, {"--id", "x", "h"}, {"h", "--line"}});
}

TEST(OptionsUsage, options_that_want_a_value_must_have_one) {
    for (const std::string option :
        {"-p", "-l", "-i", "-e", "--port", "--user", "--key", "--env", "--timeout", "--cwd", "--status-fd", "--jobs"}) {
        expect_refused({{option}, {"h", option}, {"-q", "h", "-n", option}});
    }
}

TEST(OptionsUsage, flags_take_no_value) {
    expect_refused({{"--quiet=nonsense", "h"}, {"--batch=nonsense", "h"}, {"--quiet=false", "h"}, {"h", "--argv=nonsense", "ls"},
        {"-4=nonsense", "h"}});
}

TEST(OptionsUsage, bad_values_are_refused) {
    for (const std::string port :
        {"", "0", "65536", "-1", "x", "22x", " 22", "22 ", "0x16", "2.5", "99999999999999999999", "1e3"}) {
        expect_refused({{"-p", port, "h"}, {"h", "-p", port, "ls"}, {"--port=" + port, "h"}});
        if (!port.empty()) expect_refused({{"-p" + port, "h"}});
    }
    for (const std::string duration : {"", "0", "-1", "x", "5x", "1.5", "5 m", "4000d", "99999999999999999999"})
        expect_refused({{"--timeout", duration, "h"}, {"h", "--timeout=" + duration, "ls"}});
    for (const std::string assignment : {"", "A", "=", "=x", "==", " "})
        expect_refused({{"-e", assignment, "h"}, {"h", "--env=" + assignment, "ls"}, {"-e", "A=1", "-e", assignment, "h"}});
    for (const std::string number : {"", "-1", "x", "3x", "1.5", "99999999999999999999"})
        expect_refused({{"--status-fd", number, "h"}, {"h", "--status-fd=" + number, "ls"}});
}

TEST(OptionsUsage, batch_has_its_rules) {
    expect_refused({{"--batch", "h", "ls"}, {"h", "--batch", "ls"}, {"--batch", "h", "--", "ls"}, {"--jobs", "2", "h"},
        {"--jobs", "2", "h", "ls"}, {"--keep-going", "h"}, {"h", "--keep-going", "ls"}});
    for (const std::string number : {"", "0", "-1", "x", "2x", "1.5", "99999999999999999999"})
        expect_refused({{"--batch", "--jobs", number, "h"}, {"--batch", "h", "--jobs=" + number}});
}

TEST(OptionsUsage, argv_needs_a_program) {
    expect_refused({{"--argv", "h"}, {"h", "--argv"}, {"--argv", "h", "--"}, {"--argv", "h", ""}});
}

TEST(OptionsUsage, what_was_refused_is_named) {
    struct Case {
        Words words;
        std::string named;
    };
    const std::vector<Case> table = {{{"--no-such-option", "h"}, "--no-such-option"}, {{"h", "-Z", "ls"}, "-Z"},
        {{"h:nope"}, "h:nope"}, {{"-p", "nope", "h"}, "nope"}, {{"--timeout", "nope", "h"}, "nope"},
        {{"-e", "nope", "h"}, "nope"}};
    for (const auto& [words, named] : table) {
        const auto failure = failure_of([&, &w = words] {
            ClientOptions options;
            parse_options(w, options);
        });
        ASSERT_TRUE(failure) << testing::PrintToString(words);
        EXPECT_NE(std::string(failure->what()).find(named), std::string::npos) << failure->what();
    }
}

TEST(OptionsUsage, help_and_version_end_it_with_success_on_stdout) {
    for (const auto& words : {Words{"--help"}, Words{"--version"}, Words{"-V"}, Words{"-q", "--help"}, Words{"h", "--help"}}) {
        ClientOptions options;
        testing::internal::CaptureStdout();
        testing::internal::CaptureStderr();
        std::optional<int> status;
        EXPECT_EQ(failed([&] { status = parse_options(words, options); }), "");
        EXPECT_NE(testing::internal::GetCapturedStdout(), "") << testing::PrintToString(words);
        EXPECT_EQ(testing::internal::GetCapturedStderr(), "") << testing::PrintToString(words);
        EXPECT_EQ(status, 0) << testing::PrintToString(words);
    }
}

KeygenOptions parsed_keygen(const Words& words) {
    KeygenOptions options;
    EXPECT_EQ(parse_keygen_options(words, options), std::nullopt) << testing::PrintToString(words);
    return options;
}

TEST(KeygenOptions, have_defaults) {
    const KeygenOptions options = parsed_keygen({});
    EXPECT_EQ(options.key_file, home_directory() / ".config/rcmd/key");
    EXPECT_EQ(options.id, "");
    EXPECT_FALSE(options.line);
}

TEST(KeygenOptions, stand_in_any_order) {
    for (const auto& words : {Words{"-f", "k", "--id", "a@b"}, Words{"--id=a@b", "-fk"}, Words{"--file=k", "--id", "a@b"},
             Words{"--id", "a@b", "--file", "k"}}) {
        const KeygenOptions options = parsed_keygen(words);
        EXPECT_EQ(options.key_file, "k");
        EXPECT_EQ(options.id, "a@b");
        EXPECT_FALSE(options.line);
    }
    const KeygenOptions line = parsed_keygen({"--line", "-f", "k"});
    EXPECT_TRUE(line.line);
    EXPECT_EQ(line.key_file, "k");
    EXPECT_TRUE(parsed_keygen({"--line"}).line);
}

TEST(KeygenOptions, other_words_are_refused) {
    for (const auto& words : {Words{"x"}, Words{"-f"}, Words{"--id"}, Words{"-f", "k", "x"}, Words{"-z"},
             Words{"--no-such-option"}, Words{"-q"}, Words{"--line", "x"}, Words{""}, Words{"--", "x"}}) {
        const auto parse = [&] {
            KeygenOptions options;
            parse_keygen_options(words, options);
        };
        EXPECT_EQ(failed(parse), refused) << testing::PrintToString(words);
    }
}

TEST(OptionsUsage, jobs_that_stay_have_their_rules) {
    expect_refused({{"-d", "h"}, {"-d", "h", ""}, {"-d", "-t", "h", "ls"}, {"-d", "-tt", "h", "ls"}, {"--batch", "-d", "h"},
        {"--batch", "--job", "x", "h"}});
    for (const std::string name : {"", ".x", "../x", "a/b", "a b", "a\nb", "\xc3\xa4"})
        expect_refused({{"--job", name, "h", "ls"}});
    expect_refused({{"--job", std::string(65, 'x'), "h", "ls"}, {"--job", std::string(10'000, 'x'), "h", "ls"}});
}

TEST(OptionsUsage, verbs_have_their_rules) {
    const auto refuse = [](Verb verb, const Words& words) {
        EXPECT_EQ(failed([&] {
            ClientOptions options;
            parse_verb_options(verb, words, options);
        }),
            refused)
            << testing::PrintToString(words);
    };
    for (const Words& words : std::vector<Words>{{}, {"h", "j"}, {"--tail", "h"}, {"h:0"}, {"--no-such-option", "h"}})
        refuse(Verb::jobs, words);
    for (const Words& words : std::vector<Words>{{}, {"h"}, {"h", "../j"}, {"h", ""}, {"h", "j", "k"}, {"--from", "-1", "h", "j"},
             {"--from", "1,", "h", "j"}, {"--from", ",1", "h", "j"}, {"--from", "1,2,3", "h", "j"},
             {"--from", "1", "--tail", "h", "j"}}) {
        refuse(Verb::attach, words);
    }
    for (const Words& words :
        std::vector<Words>{{}, {"h"}, {"h", "a b"}, {"-s", "NOSUCH", "h", "j"}, {"-s", "", "h", "j"}, {"-s", "0", "h", "j"}}) {
        refuse(Verb::kill, words);
    }
}

TEST(OptionsUsage, ssh_options_that_would_change_the_meaning_are_refused) {
    for (const std::string option : {"-D1", "-L1:h:2", "-R1:h:2", "-Wh:1", "-g", "-X", "-Y", "-b192.0.2.1", "-Blo", "-A", "-Elog",
             "-f", "-Ix", "-Jj", "-Ocheck", "-Qcipher", "-w0:0"}) {
        expect_refused({{option, "h"}, {"h", option, "ls"}, {option.substr(0, 2), "x", "h"}});
    }
    expect_refused({{"-o", "ProxyCommand=x", "h"}, {"-oProxyJump=x", "h"}, {"h", "-o", "Port=x", "ls"}, {"-o", "", "h"}});
}

TEST(OptionsUsage, subsystems_and_bare_logins_have_their_rules) {
    expect_refused(
        {{"-s", "h"}, {"-s", "h", ""}, {"-s", "-t", "h", "sftp"}, {"-s", "--argv", "h", "sftp"}, {"-s", "-d", "h", "sftp"},
            {"-s", "--job", "x", "h", "sftp"}, {"-s", "--batch", "h"}, {"-N", "h", "ls"}, {"-N", "--batch", "h"}});
}

TEST(OptionsUsage, a_configuration_that_is_not_there_is_an_error) {
    EXPECT_EQ(failed([] {
        ClientOptions options;
        parse_options({"-F", "/no/such/file", "h"}, options);
    }),
        "config 255");
}

TEST(OptionsUsage, copies_have_their_rules) {
    for (const Words& words : std::vector<Words>{{}, {"a"}, {"a", "b"}, {"h:a"}, {"a", "./h:b"}, {"-z", "a", "h:b"},
             {"h:a", "b", "c"}, {"-p", "22", "a"}, {"-P", "0", "a", "h:b"}, {"a", "@h:b"}}) {
        const auto parse = [&] {
            CopyOptions options;
            parse_copy_options(words, options);
        };
        EXPECT_EQ(failed(parse), refused) << testing::PrintToString(words);
    }
}

} // namespace
} // namespace rc
