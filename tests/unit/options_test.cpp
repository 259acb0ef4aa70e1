// The client's command line: in which order its words stand, and what each option sets.
#include "client/options.hpp"

#include "common/files.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace rc {
namespace {

using Words = std::vector<std::string>;

// The tests know of no configuration but their own.
const int no_config = ::setenv("RCMD_CONFIG", "none", 1);

ClientOptions parsed(const Words& words) {
    ClientOptions options;
    EXPECT_EQ(parse_options(words, options), std::nullopt);
    return options;
}

TEST(Options, the_host_alone_has_the_defaults) {
    const ClientOptions options = parsed({"h"});
    EXPECT_EQ(options.target.host, "h");
    EXPECT_EQ(options.target.user, "");
    EXPECT_EQ(options.port, 7420);
    EXPECT_EQ(options.family, Family::any);
    EXPECT_EQ(options.key_file, home_directory() / ".config/rcmd/key");
    EXPECT_TRUE(options.command.empty());
    EXPECT_FALSE(options.quiet || options.verbose || options.no_stdin || options.argv || options.combine || options.wait_eof);
    EXPECT_FALSE(options.json || options.batch || options.keep_going);
    EXPECT_EQ(options.status_fd, -1);
    EXPECT_FALSE(options.timeout);
    EXPECT_EQ(options.directory, "");
    EXPECT_TRUE(options.environment.empty());
    EXPECT_EQ(options.jobs, 1U);
}

TEST(Options, stand_before_and_after_the_host_and_end_at_the_first_other_word) {
    struct Case {
        Words words;
        bool quiet;
        Words command;
    };
    const std::vector<Case> table = {
        {{"-q", "h"}, true, {}},
        {{"h", "-q"}, true, {}},
        {{"-q", "h", "ls", "-l"}, true, {"ls", "-l"}},
        {{"h", "-q", "ls", "-q"}, true, {"ls", "-q"}},
        {{"h", "ls", "-q"}, false, {"ls", "-q"}},
        {{"h", "ls", "--quiet"}, false, {"ls", "--quiet"}},
        {{"h", "ls", "--help"}, false, {"ls", "--help"}},
        {{"h", "ls", "--no-such-option"}, false, {"ls", "--no-such-option"}},
        {{"h", "ls", "-z", "-q"}, false, {"ls", "-z", "-q"}},
        {{"h", "-", "-q"}, false, {"-", "-q"}},
        {{"h", "a", "h", "-q", "b"}, false, {"a", "h", "-q", "b"}},
        {{"h", "echo a  b", "'*'", "$HOME", "a=b"}, false, {"echo a  b", "'*'", "$HOME", "a=b"}},
        {{"h", "jobs", "ls"}, false, {"jobs", "ls"}},
    };
    for (const auto& [words, quiet, command] : table) {
        SCOPED_TRACE(testing::PrintToString(words));
        const ClientOptions options = parsed(words);
        EXPECT_EQ(options.target.host, "h");
        EXPECT_EQ(options.quiet, quiet);
        EXPECT_EQ(options.command, command);
    }
}

TEST(Options, one_pair_of_dashes_is_taken_and_the_rest_is_untouched) {
    struct Case {
        Words words;
        bool quiet;
        Words command;
    };
    const std::vector<Case> table = {
        {{"--", "h"}, false, {}},
        {{"--", "h", "-q"}, false, {"-q"}},
        {{"--", "h", "ls", "-q"}, false, {"ls", "-q"}},
        {{"--", "h", "--", "x"}, false, {"--", "x"}},
        {{"-q", "--", "h", "-v"}, true, {"-v"}},
        {{"h", "--"}, false, {}},
        {{"h", "--", "-x"}, false, {"-x"}},
        {{"h", "--", "-q"}, false, {"-q"}},
        {{"h", "--", "ls", "-q"}, false, {"ls", "-q"}},
        {{"h", "--", "--", "x"}, false, {"--", "x"}},
        {{"h", "--", "--"}, false, {"--"}},
        {{"h", "-q", "--", "-v"}, true, {"-v"}},
        {{"-q", "h", "--", "x"}, true, {"x"}},
        {{"h", "ls", "--", "x"}, false, {"ls", "--", "x"}},
        {{"h", "ls", "--"}, false, {"ls", "--"}},
    };
    for (const auto& [words, quiet, command] : table) {
        SCOPED_TRACE(testing::PrintToString(words));
        const ClientOptions options = parsed(words);
        EXPECT_EQ(options.target.host, "h");
        EXPECT_EQ(options.quiet, quiet);
        EXPECT_FALSE(options.verbose);
        EXPECT_EQ(options.command, command);
    }
}

TEST(Options, empty_words_of_a_command_are_words) {
    EXPECT_EQ(parsed({"h", ""}).command, Words{""});
    EXPECT_EQ(parsed({"h", "--", ""}).command, Words{""});
    EXPECT_EQ(parsed({"--", "h", "", "-q"}).command, (Words{"", "-q"}));
    EXPECT_EQ(parsed({"h", "a", "", "b", ""}).command, (Words{"a", "", "b", ""}));
}

TEST(Options, the_host_may_have_user_and_port) {
    const ClientOptions options = parsed({"bob@h:22", "ls"});
    EXPECT_EQ(options.target.user, "bob");
    EXPECT_EQ(options.target.host, "h");
    EXPECT_EQ(options.port, 22);
    EXPECT_EQ(parsed({"[::1]:22"}).target.host, "::1");
    EXPECT_EQ(parsed({"--", "jobs", "ls"}).target.host, "jobs");
}

TEST(Options, values_are_attached_or_follow) {
    const std::vector<Words> table = {{"-p", "2222", "-l", "bob", "h"}, {"-p2222", "-lbob", "h"}, {"h", "-p2222", "-lbob"},
        {"-p2222", "h", "-l", "bob"}, {"--port", "2222", "--user", "bob", "h"}, {"--port=2222", "--user=bob", "h"},
        {"-qp2222", "-nlbob", "h"}, {"-qp", "2222", "-nl", "bob", "h"}, {"h", "-qp", "2222", "-nlbob", "--"}};
    for (const auto& words : table) {
        SCOPED_TRACE(testing::PrintToString(words));
        const ClientOptions options = parsed(words);
        EXPECT_EQ(options.port, 2222);
        EXPECT_EQ(options.target.user, "bob");
        EXPECT_EQ(options.target.host, "h");
        EXPECT_TRUE(options.command.empty());
    }
}

TEST(Options, may_be_given_twice) {
    const ClientOptions options = parsed(
        {"-p", "22", "-l", "bob", "--timeout", "5", "--cwd", "/d", "h", "-p22", "-lbob", "--timeout=5", "--cwd=/d", "-q", "-q"});
    EXPECT_EQ(options.port, 22);
    EXPECT_EQ(options.target.user, "bob");
    EXPECT_EQ(options.timeout, std::chrono::seconds(5));
    EXPECT_EQ(options.directory, "/d");
    EXPECT_EQ(parsed({"-p22", "-p22", "-lbob", "-lbob", "-i/k", "-i/k", "h"}).key_file, "/k");
}

TEST(Options, numbers_are_decimal) { EXPECT_EQ(parsed({"-p", "010", "h"}).port, 10); }

TEST(Options, flags_are_bundled_or_not) {
    for (const auto& words : {Words{"-nq", "h"}, Words{"-qn", "h"}, Words{"-n", "-q", "h"}, Words{"h", "-nq"},
             Words{"-n", "h", "-q"}, Words{"--no-stdin", "--quiet", "h"}, Words{"-nqn", "-q", "h", "-qq"}}) {
        const ClientOptions options = parsed(words);
        EXPECT_TRUE(options.no_stdin && options.quiet && !options.verbose) << testing::PrintToString(words);
    }
}

TEST(Options, each_flag_sets_its_own) {
    EXPECT_TRUE(parsed({"-v", "h"}).verbose);
    EXPECT_TRUE(parsed({"--verbose", "h"}).verbose);
    EXPECT_TRUE(parsed({"--combine", "h"}).combine);
    EXPECT_TRUE(parsed({"h", "--wait-eof"}).wait_eof);
    EXPECT_TRUE(parsed({"--json", "h", "x"}).json);
    EXPECT_TRUE(parsed({"--argv", "h", "x"}).argv);
    EXPECT_EQ(parsed({"-4", "h"}).family, Family::ipv4);
    EXPECT_EQ(parsed({"h", "-6"}).family, Family::ipv6);
}

TEST(Options, each_value_goes_where_it_belongs) {
    EXPECT_EQ(parsed({"-i", "a key", "h"}).key_file, "a key");
    EXPECT_EQ(parsed({"--key=/k", "h"}).key_file, "/k");
    EXPECT_EQ(parsed({"h", "-i/k"}).key_file, "/k");
    EXPECT_EQ(parsed({"-p", "1", "h"}).port, 1);
    EXPECT_EQ(parsed({"-p", "65535", "h"}).port, 65535);
    EXPECT_EQ(parsed({"--status-fd", "2", "h"}).status_fd, 2);
    EXPECT_EQ(parsed({"--status-fd=1", "h"}).status_fd, 1);
    for (const std::string directory : {"/tmp", "sub dir", "[a,b]", "{}", "a=b", "%%", "\"q\"", "'q'", "\xFF"}) {
        EXPECT_EQ(parsed({"--cwd", directory, "h"}).directory, directory);
        EXPECT_EQ(parsed({"h", "--cwd=" + directory}).directory, directory);
    }
}

// As getopt does: the word after an option that wants a value is that value.
TEST(Options, a_value_may_begin_with_a_dash) {
    EXPECT_EQ(parsed({"--cwd", "-dir", "h"}).directory, "-dir");
    EXPECT_EQ(parsed({"--cwd=-dir", "h"}).directory, "-dir");
    EXPECT_EQ(parsed({"-l", "-bob", "h"}).target.user, "-bob");
    EXPECT_EQ(parsed({"-l-bob", "h"}).target.user, "-bob");
    EXPECT_EQ(parsed({"-i", "-q", "h"}).key_file, "-q");
    EXPECT_EQ(parsed({"-i", "--", "h"}).key_file, "--");
    EXPECT_EQ(parsed({"-e", "-x=1", "h"}).environment, Words{"-x=1"});
}

TEST(Options, the_environment_is_kept_in_order) {
    EXPECT_EQ(parsed({"-e", "A=1", "-eB=2", "h", "--env", "C=3", "--env=A=4", "-e", "A=4", "x", "-e", "D=5"}).environment,
        (Words{"A=1", "B=2", "C=3", "A=4", "A=4"}));
    const Words odd = {"A=", "A==", "A=b=c", "A=a b", "A=1,2", "A=[1,2]", "[A]=[1]", "A=\"q\"", "A='q'", "A=\n", "A=\xFF",
        "a.b=1", "A=%%", "A=--", "A={}", "A=\\n"};
    for (const auto& assignment : odd) {
        EXPECT_EQ(parsed({"-e", assignment, "h"}).environment, Words{assignment});
        EXPECT_EQ(parsed({"-e" + assignment, "h"}).environment, Words{assignment});
        EXPECT_EQ(parsed({"h", "--env=" + assignment}).environment, Words{assignment});
    }
}

TEST(Options, the_timeout_is_a_duration) {
    EXPECT_EQ(parsed({"--timeout", "90", "h", "x"}).timeout, std::chrono::seconds(90));
    EXPECT_EQ(parsed({"--timeout=5m", "h", "x"}).timeout, std::chrono::seconds(300));
    EXPECT_EQ(parsed({"h", "--timeout", "2d", "x"}).timeout, std::chrono::seconds(172800));
}

TEST(Options, a_batch_has_jobs_and_may_keep_going) {
    const ClientOptions one = parsed({"--batch", "h"});
    EXPECT_TRUE(one.batch && !one.keep_going && one.jobs == 1);
    const ClientOptions many = parsed({"h", "--batch", "--jobs", "8", "--keep-going"});
    EXPECT_TRUE(many.batch && many.keep_going);
    EXPECT_EQ(many.jobs, 8U);
    EXPECT_EQ(parsed({"--jobs=2", "--batch", "h"}).jobs, 2U);
}

ClientOptions parsed_verb(Verb verb, const Words& words) {
    ClientOptions options;
    EXPECT_EQ(parse_verb_options(verb, words, options), std::nullopt);
    return options;
}

TEST(Options, a_job_may_be_named_and_detached) {
    const ClientOptions options = parsed({"-d", "--job", "nightly", "h", "ls"});
    EXPECT_EQ(options.job, "nightly");
    EXPECT_TRUE(options.detach && options.no_stdin);
    EXPECT_FALSE(parsed({"--job", "nightly", "h", "ls"}).no_stdin);
    EXPECT_EQ(parsed({"h", "ls", "-d"}).command, (Words{"ls", "-d"}));
}

TEST(Options, verbs_take_a_host_and_a_job) {
    EXPECT_EQ(parsed_verb(Verb::jobs, {"-p", "22", "bob@h", "--json"}).target.user, "bob");
    const ClientOptions attach = parsed_verb(Verb::attach, {"h:22", "nightly", "--from", "10,20"});
    EXPECT_EQ(attach.port, 22);
    EXPECT_EQ(attach.job, "nightly");
    EXPECT_EQ(attach.watch.stdout_, 10U);
    EXPECT_EQ(attach.watch.stderr_, 20U);
    EXPECT_TRUE(parsed_verb(Verb::attach, {"--tail", "h", "j"}).watch.tail);
    EXPECT_EQ(parsed_verb(Verb::kill, {"h", "j"}).signal, "TERM");
    EXPECT_EQ(parsed_verb(Verb::kill, {"-s", "sigint", "h", "j"}).signal, "INT");
}

CopyOptions parsed_copy(const Words& words) {
    CopyOptions options;
    EXPECT_EQ(parse_copy_options(words, options), std::nullopt);
    return options;
}

TEST(Options, of_a_repeated_option_of_the_connection_the_first_counts_as_in_ssh) {
    EXPECT_EQ(parsed({"-p", "1", "-p", "2", "h", "-p", "3"}).port, 1);
    EXPECT_EQ(parsed({"-oPort=1", "-p", "2", "h"}).port, 1);
    EXPECT_EQ(parsed({"-p", "2", "-oPort=1", "h"}).port, 2);
    EXPECT_EQ(parsed({"-l", "a", "h", "-l", "b"}).target.user, "a");
    EXPECT_EQ(parsed({"-i", "/a", "-i", "/b", "h"}).key_file, "/a");
    EXPECT_EQ(parsed({"--timeout", "5", "--timeout", "6", "h", "x"}).timeout, std::chrono::seconds(6));
}

// What the tools build that call ssh.
TEST(Options, ssh_options_that_mean_nothing_here_are_taken_with_their_values) {
    for (const Words& words :
        std::vector<Words>{{"-1", "-2", "-a", "-x", "-k", "-K", "-C", "-M", "-y", "h", "c", "-x"}, {"-12axkKCMy", "h", "c", "-x"},
            {"-S", "none", "-MT", "h", "c", "-x"}, {"-S/dir/%r@%h:%p", "-c", "aes128-ctr", "-m", "x", "h", "c", "-x"},
            {"-2", "-a", "-x", "-lbob", "h", "c", "-x"}, {"-oConnectTimeout=10", "-xT", "h", "--", "c", "-x"},
            {"-C", "-o", "ControlMaster=auto", "-o", "User=\"bob\"", "-tt", "h", "c", "-x"}}) {
        const ClientOptions options = parsed(words);
        EXPECT_EQ(options.target.host, "h") << testing::PrintToString(words);
        EXPECT_EQ(options.command, (Words{"c", "-x"})) << testing::PrintToString(words);
    }
}

TEST(Options, a_subsystem_is_named_by_the_command) {
    const ClientOptions options = parsed({"-x", "-oForwardX11 no", "-s", "--", "h", "sftp"});
    EXPECT_TRUE(options.subsystem);
    EXPECT_EQ(options.command, Words{"sftp"});
    EXPECT_TRUE(parsed({"h", "-s", "sftp"}).subsystem);
}

TEST(Options, an_address_may_stand_for_the_host) {
    EXPECT_EQ(parsed({"h"}).address, "h");
    EXPECT_EQ(parsed({"-oHostName=%h.example.org", "h"}).address, "h.example.org");
    EXPECT_EQ(parsed({"-oHostName=192.0.2.7", "h"}).target.host, "h");
}

// The server of a job sets RCMD_KEY to the id of its key, which holds no slash.
TEST(Options, the_environment_may_name_the_key) {
    ::setenv("RCMD_KEY", "/env", 1);
    EXPECT_EQ(parsed({"h"}).key_file, "/env");
    EXPECT_EQ(parsed({"-i", "/k", "h"}).key_file, "/k");
    ::setenv("RCMD_KEY", "~/env", 1);
    EXPECT_EQ(parsed({"h"}).key_file, home_directory() / "env");
    ::setenv("RCMD_KEY", "alice@laptop", 1);
    EXPECT_EQ(parsed({"h"}).key_file, home_directory() / ".config/rcmd/key");
    ::unsetenv("RCMD_KEY");
}

TEST(Options, a_copy_has_steps_of_sources_that_lie_together) {
    const CopyOptions up = parsed_copy({"-rp", "-P", "22", "a", "b", "bob@h:d"});
    EXPECT_TRUE(up.recursive && up.preserve && up.into_folder);
    ASSERT_EQ(up.steps.size(), 1U);
    EXPECT_FALSE(up.steps[0].from);
    EXPECT_EQ(up.steps[0].sources, (Words{"a", "b"}));
    EXPECT_EQ(up.steps[0].to->target.user, "bob");
    EXPECT_EQ(up.steps[0].to->port, 22);
    EXPECT_EQ(up.steps[0].target, "d");
    const CopyOptions down = parsed_copy({"h:a", "h:b", "g:c", "."});
    ASSERT_EQ(down.steps.size(), 2U);
    EXPECT_EQ(down.steps[0].sources, (Words{"a", "b"}));
    EXPECT_EQ(down.steps[1].from->target.host, "g");
    EXPECT_FALSE(down.steps[1].to);
    const CopyOptions both = parsed_copy({"h:a", "g:"});
    EXPECT_EQ(both.steps[0].from->target.host, "h");
    EXPECT_EQ(both.steps[0].to->target.host, "g");
    EXPECT_EQ(both.steps[0].target, "");
    EXPECT_FALSE(both.into_folder);
}

} // namespace
} // namespace rc
