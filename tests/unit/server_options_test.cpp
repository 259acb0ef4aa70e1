// The server's command line and its configuration file.
#include "server/options.hpp"

#include "tests/unit/scratch.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include <unistd.h>

namespace rc {
namespace {

using Words = std::vector<std::string>;

struct Parsed {
    std::optional<int> status;
    std::string err;
    ServerOptions options;
};

Parsed parse(Words words) {
    words.insert(words.begin(), "rcmd-server");
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    Parsed parsed;
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    parsed.status = parse_options(static_cast<int>(words.size()), argv.data(), parsed.options);
    parsed.err = testing::internal::GetCapturedStderr();
    testing::internal::GetCapturedStdout();
    return parsed;
}

class ServerOptionsTest : public testing::Test {
protected:
    // With a file of that content, and more words.
    [[nodiscard]] Parsed with_file(const std::string& content, const Words& more = {}) const {
        Words words{"--config", scratch.file("server.toml", content).string()};
        words.insert(words.end(), more.begin(), more.end());
        return parse(words);
    }

    Scratch scratch;
};

TEST_F(ServerOptionsTest, an_empty_file_changes_nothing) {
    for (const std::string content : {"", "\n\n", "# a comment\n", "   \n; another\n#\n"}) {
        const Parsed got = with_file(content);
        EXPECT_EQ(got.status, std::nullopt) << got.err;
        EXPECT_EQ(got.options.max_jobs, 5'000U);
        EXPECT_EQ(got.options.max_jobs_per_key, 2'500U);
        EXPECT_EQ(got.options.login_grace.count(), 10);
        EXPECT_EQ(got.options.max_spool, 1ULL << 30);
        EXPECT_EQ(got.options.listen, Words{});
        EXPECT_EQ(got.options.sftp_server, "");
    }
}

TEST_F(ServerOptionsTest, the_file_has_the_options_by_their_long_names) {
    const Parsed got = with_file(R"(# of this host
listen = ["127.0.0.1:7420", "[::1]:0"]
authorized-keys = "/a b/keys"   # who may
state-dir = "/a, b/state"
pid-file = '/run/pid'
log-file = /var/log/rcmd
log-level = "debug"
log-format = "json"
sftp-server = "/opt/sftp-server"
threads = 3
max-sessions = 7
max-jobs=100
login-grace = 20
max-keep = 30
max-spool = "2G"
max-state = 1048576
retain = 40
  drain  =  50
)");
    ASSERT_EQ(got.status, std::nullopt) << got.err;
    const ServerOptions& options = got.options;
    EXPECT_EQ(options.listen, (Words{"127.0.0.1:7420", "[::1]:0"}));
    EXPECT_EQ(options.authorized_keys, "/a b/keys");
    EXPECT_EQ(options.state_dir, "/a, b/state");
    EXPECT_EQ(options.pid_file, "/run/pid");
    EXPECT_EQ(options.log_file, "/var/log/rcmd");
    EXPECT_EQ(options.log_level, "debug");
    EXPECT_EQ(options.log_format, "json");
    EXPECT_EQ(options.sftp_server, "/opt/sftp-server");
    EXPECT_EQ(options.threads, 3U);
    EXPECT_EQ(options.max_sessions, 7U);
    EXPECT_EQ(options.max_jobs, 100U);
    EXPECT_EQ(options.login_grace.count(), 20);
    EXPECT_EQ(options.max_keep.count(), 30);
    EXPECT_EQ(options.max_spool, 2ULL << 30);
    EXPECT_EQ(options.max_state, 1048576U);
    EXPECT_EQ(options.retain.count(), 40);
    EXPECT_EQ(options.drain.count(), 50);
}

TEST_F(ServerOptionsTest, one_address_needs_no_brackets_and_an_array_may_have_several_lines) {
    EXPECT_EQ(with_file("listen = \"[::]:7420\"").options.listen, Words{"[::]:7420"});
    EXPECT_EQ(with_file("listen = [\"a:1\",\n \"b:2\"]").options.listen, (Words{"a:1", "b:2"}));
}

TEST_F(ServerOptionsTest, the_command_line_wins) {
    const std::string file = "listen = [\"a:1\", \"b:2\"]\nmax-jobs = 100\nmax-keep = 5\nmax-spool = \"2G\"\ndrain = 9\n";
    const Parsed got =
        with_file(file, {"--listen", "c:3", "--max-jobs", "200", "--max-keep", "0", "--max-spool", "1G", "--listen", "d:4"});
    ASSERT_EQ(got.status, std::nullopt) << got.err;
    EXPECT_EQ(got.options.listen, (Words{"c:3", "d:4"})) << "not put together";
    EXPECT_EQ(got.options.max_jobs, 200U);
    EXPECT_EQ(got.options.max_keep.count(), 0);
    EXPECT_EQ(got.options.max_spool, 1ULL << 30) << "although it is the default";
    EXPECT_EQ(got.options.drain.count(), 9) << "what it does not say is from the file";
}

TEST_F(ServerOptionsTest, what_is_wrong_in_the_file_is_named_in_one_line) {
    struct Case {
        std::string content;
        std::string named;
    };
    const std::vector<Case> cases = {{"no-such = 1", "no-such"}, {"max_jobs = 1", "max_jobs"}, {"Max-Jobs = 1", "Max-Jobs"},
        {"max-jobs = 1\nno-such-flag", "no-such-flag"}, {"config = \"/x\"", "config"}, {"version = true", "version"},
        {"help = true", "help"}, {"V = true", "V"}, {"[listen]\nmax-jobs = 1", "listen"}, {"a.max-jobs = 1", "a"},
        {"threads = 0", "threads"}, {"threads = 1025", "threads"}, {"threads = x", "threads"}, {"threads =", "threads"},
        {"threads", "threads"}, {"threads = [1, 2]", "threads"}, {"listen = []", "listen"}, {"max-jobs = -1", "max-jobs"},
        {"login-grace = 0", "login-grace"}, {"drain = 1d", "drain"}, {"max-spool = \"1K\"", "max-spool"},
        {"max-spool = \"lots\"", "max-spool"}, {"log-level = \"loud\"", "log-level"}, {"log-format = \"xml\"", "log-format"},
        {"sftp-server = \"sftp-server\"", "sftp-server"}, {"log-file = \"/var/log/a", "log-file"},
        {"max-jobs = 1\nmax-jobs = 2", "max-jobs"}, {"max-jobs = 1\ndrain = 1\nmax-jobs = 2", "max-jobs"}};
    for (const auto& [content, named] : cases) {
        const Parsed got = with_file(content);
        EXPECT_EQ(got.status, 2) << content;
        EXPECT_TRUE(got.err.starts_with("rcmd-server: " + (scratch / "server.toml").string() + ": ")) << got.err;
        EXPECT_NE(got.err.find(named), std::string::npos) << content << " -> " << got.err;
        EXPECT_EQ(got.err.find('\n'), got.err.size() - 1) << got.err;
    }
}

// As CLI11's releases differ in that.
TEST_F(ServerOptionsTest, a_hash_within_quotes_is_taken_or_refused) {
    const Parsed got = with_file("log-file = \"/var/log/a#b\"");
    if (got.status) EXPECT_NE(got.err.find("log-file"), std::string::npos) << got.err;
    else EXPECT_EQ(got.options.log_file, "/var/log/a#b");
}

TEST_F(ServerOptionsTest, a_file_that_others_can_write_or_that_is_not_there_is_refused) {
    const auto file = scratch.file("server.toml", "max-jobs = 1\n");
    for (const mode_t mode : {0620U, 0602U, 0666U}) {
        scratch.file("server.toml", "max-jobs = 1\n", mode);
        const Parsed got = parse({"--config", file.string()});
        EXPECT_EQ(got.status, 2) << mode;
        EXPECT_NE(got.err.find("chmod"), std::string::npos) << got.err;
        EXPECT_NE(got.err.find(file.string()), std::string::npos) << got.err;
    }
    scratch.file("server.toml", "max-jobs = 1\n", 0644);
    EXPECT_EQ(parse({"--config", file.string()}).status, std::nullopt) << "others may read it";
    for (const auto& other : {scratch / "nothing", scratch.path()}) {
        const Parsed got = parse({"--config", other.string()});
        EXPECT_EQ(got.status, 2) << other;
        EXPECT_NE(got.err.find(other.string()), std::string::npos) << got.err;
    }
}

TEST_F(ServerOptionsTest, a_wrong_file_keeps_nobody_from_the_help) {
    EXPECT_EQ(with_file("nonsense", {"--help"}).status, 0);
    EXPECT_EQ(with_file("nonsense", {"--version"}).status, 0);
}

TEST_F(ServerOptionsTest, the_program_for_sftp_is_an_absolute_path) {
    EXPECT_EQ(parse({"--sftp-server", "/no/such/program"}).options.sftp_server, "/no/such/program");
    for (const std::string path : {"sftp-server", "./sftp-server", "~/sftp-server", ""}) {
        const Parsed got = parse({"--sftp-server", path});
        EXPECT_EQ(got.status, 2) << path;
        EXPECT_NE(got.err.find("--sftp-server"), std::string::npos) << got.err;
    }
}

} // namespace
} // namespace rc
