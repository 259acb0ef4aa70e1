// From a request to program, arguments, environment and directory.
#include "server/launch_plan.hpp"

#include "tests/unit/refusal.hpp"
#include "tests/unit/scratch.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace rc {
namespace {

using Words = std::vector<std::string>;

Account account() {
    Account bob;
    bob.name = "bob";
    bob.uid = 4711;
    bob.gid = 4712;
    bob.home = "/home/bob";
    bob.shell = "/bin/some-shell";
    return bob;
}

LaunchPlan plan(ExecMode mode, const Words& words, const Words& environment = {}, const std::string& directory = "") {
    Exec exec;
    exec.job = "j1";
    exec.mode = mode;
    exec.words = words.size();
    ExecRequest request;
    request.words = words;
    request.directory = directory;
    request.environment = environment;
    return make_launch_plan(exec, request, account(), Requester{"j1", "alice@laptop", "192.0.2.1:4000"}, {});
}

std::string refused(ExecMode mode, const Words& words, const Words& environment = {}) {
    return refusal([&] { plan(mode, words, environment); });
}

// By name; each may be there once only.
std::map<std::string, std::string> variables(const LaunchPlan& plan) {
    std::map<std::string, std::string> all;
    for (const auto& assignment : plan.environment) {
        const auto equals = assignment.find('=');
        EXPECT_NE(equals, std::string::npos) << assignment;
        EXPECT_TRUE(all.emplace(assignment.substr(0, equals), assignment.substr(equals + 1)).second)
            << assignment << " is there twice";
    }
    return all;
}

TEST(LaunchPlan, the_shell_runs_a_command_or_reads_stdin) {
    for (const std::string command : {"echo hi", " ", "-c", "--", "exit\n3", "a 'b' \"c\" $D \\", "\xFF"}) {
        const LaunchPlan made = plan(ExecMode::shell, {command});
        EXPECT_EQ(made.program, "/bin/some-shell");
        EXPECT_EQ(made.arguments, (Words{"-c", command}));
    }
    const LaunchPlan reading = plan(ExecMode::shell, {""});
    EXPECT_EQ(reading.program, "/bin/some-shell");
    EXPECT_EQ(reading.arguments, Words{"-s"});
}

TEST(LaunchPlan, the_directory_is_the_home_directory_unless_named) {
    for (const ExecMode mode : {ExecMode::shell, ExecMode::argv}) {
        EXPECT_EQ(plan(mode, {"/bin/true"}).directory, "/home/bob");
        EXPECT_EQ(plan(mode, {"/bin/true"}, {}, "/no/such directory").directory, "/no/such directory");
        EXPECT_EQ(plan(mode, {"/bin/true"}, {"HOME=/elsewhere"}).directory, "/home/bob");
    }
}

TEST(LaunchPlan, the_environment_is_clean) {
    ::setenv("OF_THE_DAEMON", "1", 1);
    const auto got = variables(plan(ExecMode::shell, {"true"}));
    ::unsetenv("OF_THE_DAEMON");
    const std::map<std::string, std::string> wanted = {{"HOME", "/home/bob"}, {"USER", "bob"}, {"LOGNAME", "bob"},
        {"SHELL", "/bin/some-shell"}, {"RCMD_JOB", "j1"}, {"RCMD_KEY", "alice@laptop"}, {"RCMD_CLIENT", "192.0.2.1:4000"}};
    for (const auto& [name, value] : wanted) {
        ASSERT_TRUE(got.contains(name)) << name;
        EXPECT_EQ(got.at(name), value) << name;
    }
    ASSERT_TRUE(got.contains("PATH"));
    EXPECT_NE(got.at("PATH").find("/usr/bin"), std::string::npos);
    // TERM belongs to a pty.
    const std::set<std::string> others = {"PATH", "LANG"};
    for (const auto& [name, value] : got) EXPECT_TRUE(wanted.contains(name) || others.contains(name)) << name;
}

TEST(LaunchPlan, the_request_adds_and_replaces_and_its_last_word_counts) {
    const Words requested = {
        "A=1", "PATH=/p", "HOME=/h", "A=2", "B=", "C=x=y", "LANG=C.UTF-8", "TERM=dumb", "A=3", "LD_PRELOAD=/x", "D= \n\xFF"};
    for (const ExecMode mode : {ExecMode::shell, ExecMode::argv}) {
        const auto got = variables(plan(mode, {"/bin/true"}, requested));
        const std::map<std::string, std::string> wanted = {{"A", "3"}, {"PATH", "/p"}, {"HOME", "/h"}, {"B", ""}, {"C", "x=y"},
            {"LANG", "C.UTF-8"}, {"TERM", "dumb"}, {"LD_PRELOAD", "/x"}, {"D", " \n\xFF"}, {"USER", "bob"}, {"RCMD_JOB", "j1"}};
        for (const auto& [name, value] : wanted) {
            ASSERT_TRUE(got.contains(name)) << name;
            EXPECT_EQ(got.at(name), value) << name;
        }
    }
    EXPECT_EQ(plan(ExecMode::shell, {"x"}, {"SHELL=/bin/other"}).program, "/bin/some-shell") << "the account's shell runs it";
}

// With a terminal, and the state wanted.
LaunchPlan plan_with_terminal(const Exec& wanted, const std::string& command, const std::string& shell = "/bin/bash") {
    Exec exec = wanted;
    exec.state = true;
    exec.pty = Pty{24, 80, "xterm", 0};
    ExecRequest request;
    request.words = {command};
    request.environment = {"A=1", "HOME=/h"};
    Account bob = account();
    bob.shell = shell;
    return make_launch_plan(exec, request, bob, Requester{"j1", "alice@laptop", "192.0.2.1:4000"}, {});
}

TEST(LaunchPlan, a_terminal_has_a_kind) {
    EXPECT_EQ(variables(plan_with_terminal({}, "ls")).at("TERM"), "xterm");
    EXPECT_FALSE(variables(plan(ExecMode::shell, {"ls"})).contains("TERM"));
}

TEST(LaunchPlan, the_environment_of_a_state_is_whole) {
    Exec exec;
    exec.umask = 027;
    const LaunchPlan made = plan_with_terminal(exec, "ls");
    const std::map<std::string, std::string> wanted = {
        {"A", "1"}, {"HOME", "/h"}, {"RCMD_JOB", "j1"}, {"RCMD_KEY", "alice@laptop"}, {"RCMD_CLIENT", "192.0.2.1:4000"}};
    EXPECT_EQ(variables(made), wanted);
    EXPECT_EQ(made.umask, 027U);
    EXPECT_FALSE(plan_with_terminal({}, "ls").umask);
}

TEST(LaunchPlan, only_a_command_line_of_a_known_shell_leaves_its_state) {
    EXPECT_TRUE(plan_with_terminal({}, "ls").state);
    EXPECT_FALSE(plan_with_terminal({}, "").state) << "it reads its commands from stdin";
    EXPECT_FALSE(plan_with_terminal({}, "ls", "/usr/bin/fish").state);
    EXPECT_FALSE(plan(ExecMode::shell, {"ls"}).state) << "not asked for";
    Exec argv;
    argv.mode = ExecMode::argv;
    EXPECT_FALSE(plan_with_terminal(argv, "/bin/ls").state);
}

TEST(LaunchPlan, the_subsystem_complete_is_this_program_itself) {
    const LaunchPlan made = plan(ExecMode::subsystem, {"complete", "path", "/etc/pas"}, {}, "/tmp");
    EXPECT_EQ(made.program, "/proc/self/exe");
    EXPECT_EQ(made.arguments, (Words{"complete", "path", "/etc/pas"}));
    EXPECT_EQ(made.directory, "/tmp");
    EXPECT_FALSE(made.state);
}

// Of a server that was told which program that is.
LaunchPlan plan_sftp(const Words& words, const std::filesystem::path& sftp_server, const Exec& wanted = {}) {
    Exec exec = wanted;
    exec.mode = ExecMode::subsystem;
    ExecRequest request;
    request.words = words;
    return make_launch_plan(exec, request, account(), Requester{"j1", "alice@laptop", "192.0.2.1:4000"}, sftp_server);
}

TEST(LaunchPlan, the_subsystem_sftp_is_the_program_of_the_host) {
    const LaunchPlan made = plan_sftp({"sftp"}, "/bin/cat");
    EXPECT_EQ(made.program, "/bin/cat");
    EXPECT_EQ(made.arguments, Words{}) << "no shell, and not the subsystem's name";
    EXPECT_EQ(made.directory, "/home/bob");
    EXPECT_EQ(variables(made).at("USER"), "bob");
    EXPECT_EQ(plan_sftp({"sftp", "-R"}, "/bin/cat").arguments, Words{"-R"});
}

TEST(LaunchPlan, a_host_without_a_program_for_sftp_does_not_offer_it) {
    const Scratch scratch;
    const auto data = scratch.file("data", "", 0644);
    for (const auto& file : {scratch / "nothing", data, scratch.path()}) {
        EXPECT_EQ(refusal([&] { plan_sftp({"sftp"}, file); }), "unsupported") << file;
        EXPECT_EQ(refusal([&] { plan_sftp({"complete"}, file); }), "") << file;
    }
}

TEST(LaunchPlan, no_other_subsystem_is_known) {
    for (const std::string name : {"terminal", "supervise", "SFTP", "sftp ", "", "/bin/sh"})
        EXPECT_EQ(refused(ExecMode::subsystem, {name}), "unsupported") << name;
}

TEST(LaunchPlan, a_subsystem_is_neither_durable_nor_on_a_terminal) {
    Exec durable;
    durable.durable = true;
    Exec on_terminal;
    on_terminal.pty = Pty{24, 80, "xterm", 0};
    for (const std::string name : {"complete", "sftp", "nonsense"}) {
        EXPECT_EQ(refusal([&] { plan_sftp({name}, "/bin/cat", durable); }), "unsupported") << name;
        EXPECT_EQ(refusal([&] { plan_sftp({name}, "/bin/cat", on_terminal); }), "unsupported") << name;
    }
}

TEST(LaunchPlan, names_of_the_servers_are_refused) {
    for (const std::string name : {"RCMD_JOB", "RCMD_KEY", "RCMD_CLIENT", "RCMD_ORIGINAL_COMMAND", "RCMD_X", "RCMD_", "RCMD__"}) {
        EXPECT_EQ(refused(ExecMode::shell, {"true"}, {name + "=1"}), "forbidden") << name;
        EXPECT_EQ(refused(ExecMode::argv, {"/bin/true"}, {"A=1", name + "=", "B=2"}), "forbidden") << name;
    }
    for (const std::string name : {"RCMD", "rcmd_job", "XRCMD_JOB", "Rcmd_X", " RCMD_X"})
        EXPECT_EQ(refused(ExecMode::shell, {"true"}, {name + "=1"}), "") << name;
    EXPECT_EQ(refused(ExecMode::shell, {"true"}, {"A=RCMD_JOB=1"}), "");
}

TEST(LaunchPlan, a_program_with_a_slash_stands_as_it_is) {
    const LaunchPlan made = plan(ExecMode::argv, {"/bin/sh", "-c", "", "a b", "$X", "--"});
    EXPECT_EQ(made.places, Words{"/bin/sh"});
    EXPECT_EQ(made.arguments, (Words{"-c", "", "a b", "$X", "--"}));
    const LaunchPlan relative = plan(ExecMode::argv, {"./here"});
    EXPECT_EQ(relative.places, Words{"./here"}) << "from the job's directory";
    EXPECT_EQ(relative.arguments, Words{});
}

TEST(LaunchPlan, a_program_is_searched_in_the_path_of_the_request) {
    const LaunchPlan made = plan(ExecMode::argv, {"here", "x"}, {"PATH=/", "PATH=/one:/two"});
    EXPECT_EQ(made.places, (Words{"/one/here", "/two/here"})) << "the last PATH counts";
    EXPECT_EQ(made.program, "here");
    EXPECT_EQ(made.arguments, Words{"x"});
}

TEST(LaunchPlan, the_path_is_not_that_of_the_daemon) {
    const std::string before = std::getenv("PATH") != nullptr ? std::getenv("PATH") : "";
    ::setenv("PATH", "/of/the/daemon", 1);
    const Words places = plan(ExecMode::argv, {"here"}).places;
    EXPECT_EQ(std::ranges::count(places, "/of/the/daemon/here"), 0);
    EXPECT_EQ(std::ranges::count(places, "/usr/bin/here"), 1);
    ::setenv("PATH", before.c_str(), 1);
}

TEST(LaunchPlan, a_program_that_can_be_nowhere_is_not_found) {
    EXPECT_EQ(refused(ExecMode::argv, {""}), "not_found");
    EXPECT_EQ(refused(ExecMode::argv, {"sh"}, {"PATH="}), "not_found");
    EXPECT_EQ(refused(ExecMode::argv, {"sh"}, {"PATH=bin:.::"}), "not_found");
}

} // namespace
} // namespace rc
