#include "server/options.hpp"

#include "common/error.hpp"
#include "common/files.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <unistd.h>

#include <cstdint>

namespace rc {

namespace {

constexpr auto footer = R"(Runs commands for authenticated rcmd clients. SIGTERM ends it.

Without --authorized-keys and --state-dir it uses ~/.config/rcmd/authorized_keys and ~/.local/state/rcmd;
run by root, /etc/rcmd/authorized_keys and /var/lib/rcmd. Make a key and its line with 'rcmd keygen'.)";

void set_default_paths(ServerOptions& options) {
    const bool root = ::geteuid() == 0;
    if (options.authorized_keys.empty()) {
        options.authorized_keys =
            (root ? "/etc/rcmd" : home_directory() / ".config/rcmd") / std::filesystem::path("authorized_keys");
    }
    if (options.state_dir.empty()) {
        options.state_dir = root ? std::filesystem::path("/var/lib/rcmd") : home_directory() / ".local/state/rcmd";
    }
    options.authorized_keys = std::filesystem::absolute(options.authorized_keys);
    options.state_dir = std::filesystem::absolute(options.state_dir);
    if (options.daemon && options.log_file.empty()) options.log_file = options.state_dir / "rcmd-server.log";
    if (!options.log_file.empty()) options.log_file = std::filesystem::absolute(options.log_file);
    if (!options.pid_file.empty()) options.pid_file = std::filesystem::absolute(options.pid_file);
}

} // namespace

std::optional<int> parse_options(int argc, char** argv, ServerOptions& options) {
    CLI::App app("rcmd-server: the daemon of rcmd", "rcmd-server");
    app.footer(footer);
    app.set_version_flag("-V,--version", "rcmd-server " RCMD_VERSION);
    std::int64_t login_grace = options.login_grace.count();
    std::int64_t drain = options.drain.count();
    std::int64_t max_keep = options.max_keep.count();
    std::int64_t retain = options.retain.count();
    constexpr std::int64_t day = 24 * 60 * 60;
    constexpr std::uint64_t least_spool = 64 * 1024;
    constexpr std::uint64_t most_bytes = 1ULL << 60;
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
    app.add_option("--threads", options.threads, "Worker threads (default: one for each core)")
        ->check(CLI::Range(1, 1024))
        ->type_name("N");
    app.add_option("--max-sessions", options.max_sessions, "Connections at a time")
        ->check(CLI::Range(1, 1'000'000))
        ->type_name("N")
        ->capture_default_str();
    app.add_option("--max-jobs", options.max_jobs, "Jobs at a time")
        ->check(CLI::Range(1, 1'000'000))
        ->type_name("N")
        ->capture_default_str();
    app.add_option("--login-grace", login_grace, "Seconds a client has to authenticate")
        ->check(CLI::Range(std::int64_t{1}, day))
        ->type_name("S")
        ->capture_default_str();
    app.add_option("--max-keep", max_keep, "Seconds that a job may go on at most when its client has vanished")
        ->check(CLI::Range(std::int64_t{0}, 365 * day))
        ->type_name("S")
        ->capture_default_str();
    app.add_option("--max-spool", options.max_spool, "Bytes of output kept on disk for one durable job")
        ->transform(CLI::AsSizeValue(false))
        ->check(CLI::Range(least_spool, most_bytes))
        ->type_name("SIZE")
        ->default_str("1G");
    app.add_option("--max-state", options.max_state, "Bytes of output kept on disk for all durable jobs")
        ->transform(CLI::AsSizeValue(false))
        ->check(CLI::Range(least_spool, most_bytes))
        ->type_name("SIZE")
        ->default_str("10G");
    app.add_option("--retain", retain, "Seconds that a durable job is kept when it has ended")
        ->check(CLI::Range(std::int64_t{0}, 10 * 365 * day))
        ->type_name("S")
        ->capture_default_str();
    app.add_option("--drain", drain, "Seconds that jobs may go on after SIGTERM")
        ->check(CLI::Range(std::int64_t{0}, day))
        ->type_name("S")
        ->capture_default_str();
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }
    options.login_grace = std::chrono::seconds(login_grace);
    options.drain = std::chrono::seconds(drain);
    options.max_keep = std::chrono::seconds(max_keep);
    options.retain = std::chrono::seconds(retain);
    set_default_paths(options);
    return std::nullopt;
}

} // namespace rc
