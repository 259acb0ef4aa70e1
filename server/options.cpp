#include "server/options.hpp"

#include "common/error.hpp"
#include "common/files.hpp"
#include "server/config_file.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <iostream>

namespace rc {

namespace {

constexpr auto footer = R"(Runs commands for authenticated rcmd clients. SIGTERM ends it, SIGHUP opens its log file anew.

Without --authorized-keys and --state-dir it uses ~/.config/rcmd/authorized_keys and ~/.local/state/rcmd;
run by root, /etc/rcmd/authorized_keys and /var/lib/rcmd. Make a key and its line with 'rcmd keygen'.

rcmd-server check, jobs and kill (each with --help) check the configuration, and show and end the jobs of all keys.

A configuration file holds options by their long names, a line each: max-jobs = 100. The command line wins. Without
--config it is ~/.config/rcmd/server.toml, run by root /etc/rcmd/server.toml, if that is there.)";

constexpr std::int64_t day = 24 * 60 * 60;

std::filesystem::path config_directory() {
    if (::geteuid() == 0) return "/etc/rcmd";
    return home_directory() / ".config/rcmd";
}

std::filesystem::path state_directory() {
    if (::geteuid() == 0) return "/var/lib/rcmd";
    return home_directory() / ".local/state/rcmd";
}

void set_default_paths(ServerOptions& options) {
    if (options.authorized_keys.empty()) options.authorized_keys = config_directory() / "authorized_keys";
    if (options.state_dir.empty()) options.state_dir = state_directory();
    options.authorized_keys = std::filesystem::absolute(options.authorized_keys);
    options.state_dir = std::filesystem::absolute(options.state_dir);
    if (options.daemon && options.log_file.empty()) options.log_file = options.state_dir / "rcmd-server.log";
    if (!options.log_file.empty()) options.log_file = std::filesystem::absolute(options.log_file);
    if (!options.pid_file.empty()) options.pid_file = std::filesystem::absolute(options.pid_file);
}

// For a program that is started in a job's directory.
std::string check_absolute(const std::string& path) { return path.starts_with('/') ? "" : "not an absolute path: " + path; }

void add_places(CLI::App& app, ServerOptions& options) {
    app.add_option("--listen", options.listen, "Address to listen on; port 0 picks a free one; may be repeated")
        ->type_name("ADDR:PORT");
    app.add_option("--authorized-keys", options.authorized_keys, "Keys that may log in")->type_name("FILE");
    app.add_option("--state-dir", options.state_dir, "Where the server keeps what it must not forget")->type_name("DIR");
    app.add_flag("--daemon", options.daemon, "Go to the background when ready");
    app.add_option("--pid-file", options.pid_file, "Write the process id here")->type_name("FILE");
    app.add_option("--log-file", options.log_file, "Log here instead of stderr")->type_name("FILE");
    app.add_option("--log-level", options.log_level, "Least important messages to log")
        ->check(CLI::IsMember({"debug", "info", "warning", "error"}))
        ->capture_default_str();
    app.add_option("--log-format", options.log_format, "Lines as text, or each a JSON object")
        ->check(CLI::IsMember({"text", "json"}))
        ->capture_default_str();
    app.add_flag(
        "--no-new-privs", options.no_new_privs, "Let commands gain no rights by what they start: no sudo, no set-id programs");
    app.add_option(
           "--sftp-server", options.sftp_server, "Program of the subsystem sftp (default: looked for in the usual places)")
        ->check(check_absolute)
        ->type_name("PATH");
}

void add_counts(CLI::App& app, ServerOptions& options) {
    app.add_option("--threads", options.threads, "Worker threads (default: one for each core)")
        ->check(CLI::Range(1, 1024))
        ->type_name("N");
    app.add_option("--max-sessions", options.max_sessions, "Connections at a time")
        ->check(CLI::Range(1, 1'000'000))
        ->type_name("N")
        ->capture_default_str();
    app.add_option("--max-unauthenticated", options.max_unauthenticated, "Connections at a time that have not logged in")
        ->check(CLI::Range(1, 1'000'000))
        ->type_name("N")
        ->capture_default_str();
    app.add_option("--max-jobs", options.max_jobs, "Jobs at a time")
        ->check(CLI::Range(1, 1'000'000))
        ->type_name("N")
        ->capture_default_str();
    app.add_option(
           "--max-jobs-per-key", options.max_jobs_per_key, "Jobs at a time of one key; max-jobs= in its line may say less")
        ->check(CLI::Range(1, 1'000'000))
        ->type_name("N")
        ->capture_default_str();
}

void add_seconds(CLI::App& app, const std::string& name, std::chrono::seconds& value, const CLI::Range& range,
    const std::string& description) {
    const auto take = [&value](const std::int64_t& count) { value = std::chrono::seconds(count); };
    app.add_option_function<std::int64_t>(name, take, description)
        ->check(range)
        ->type_name("S")
        ->default_str(std::to_string(value.count()));
}

void add_times(CLI::App& app, ServerOptions& options) {
    constexpr std::int64_t none = 0;
    add_seconds(app, "--login-grace", options.login_grace, {std::int64_t{1}, day}, "Seconds a client has to authenticate");
    add_seconds(app, "--max-keep", options.max_keep, {none, 365 * day},
        "Seconds that a job may go on at most when its client has vanished");
    add_seconds(app, "--retain", options.retain, {none, 10 * 365 * day}, "Seconds that a durable job is kept when it has ended");
    add_seconds(app, "--drain", options.drain, {none, day}, "Seconds that jobs may go on after SIGTERM");
}

void add_sizes(CLI::App& app, ServerOptions& options) {
    const CLI::Range range(std::uint64_t{64 * 1024}, std::uint64_t{1} << 60);
    app.add_option("--max-spool", options.max_spool, "Bytes of output kept on disk for one durable job")
        ->transform(CLI::AsSizeValue(false))
        ->check(range)
        ->type_name("SIZE")
        ->default_str("1G");
    app.add_option("--max-state", options.max_state, "Bytes of output kept on disk for all durable jobs")
        ->transform(CLI::AsSizeValue(false))
        ->check(range)
        ->type_name("SIZE")
        ->default_str("10G");
}

// `given`: with --config; empty: the usual file, which need not be there.
void read_config(CLI::App& app, const std::filesystem::path& given) {
    if (!given.empty()) return read_config_file(app, given);
    const std::filesystem::path usual = config_directory() / "server.toml";
    std::error_code problem;
    const bool missing = !std::filesystem::exists(usual, problem) && !problem;
    if (!missing) read_config_file(app, usual);
}

const char* description_of(const std::string& verb) {
    if (verb == "check")
        return "Says what is wrong with the configuration and the authorized keys, and exits with 1 if anything is";
    if (verb == "jobs") return "Lists the jobs of all keys; those that are not durable only while the server runs";
    if (verb == "kill") return "Sends a signal to a job, or to every job of a key";
    return "rcmd-server: the daemon of rcmd";
}

} // namespace

std::optional<int> parse_options(
    int argc, char** argv, ServerOptions& options, const std::string& verb, const std::function<void(CLI::App&)>& extend) {
    CLI::App app(description_of(verb), verb.empty() ? "rcmd-server" : "rcmd-server " + verb);
    if (verb.empty()) app.footer(footer);
    if (extend) extend(app);
    app.set_version_flag("-V,--version", "rcmd-server " RCMD_VERSION);
    std::filesystem::path config;
    app.add_option("--config", config, "Take options that are not given here from this file")
        ->type_name("FILE")
        ->configurable(false);
    add_places(app, options);
    add_counts(app, options);
    add_times(app, options);
    add_sizes(app, options);
    try {
        app.parse(argc, argv);
        read_config(app, config);
    } catch (const CLI::ParseError& error) {
        if (app.exit(error) != 0) return 2;
        if (std::cout.flush()) return 0;
        std::fputs("rcmd-server: cannot write to stdout\n", stderr);
        return 1;
    } catch (const Error& error) {
        std::fprintf(stderr, "rcmd-server: %s\n", error.what());
        return 2;
    }
    set_default_paths(options);
    return std::nullopt;
}

} // namespace rc
