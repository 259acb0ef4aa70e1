// The server's command line, and every limit and time-out it has beside those of the protocol.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace rc {

struct ServerOptions {
    std::vector<std::string> listen; // ADDR:PORT, [ADDR]:PORT; empty: all addresses, port 7420
    std::filesystem::path authorized_keys;
    std::filesystem::path state_dir;
    bool daemon = false;
    std::filesystem::path pid_file; // empty: none
    std::filesystem::path log_file; // empty: stderr; with daemon, a file in state_dir
    std::string log_level = "info";
    std::string log_format = "text";
    bool no_new_privs = false;                     // commands gain no rights by what they start, as sudo
    std::filesystem::path sftp_server;             // program of the subsystem sftp; empty: one of the usual places
    std::size_t threads = 0;                       // workers; 0: one for each core
    std::size_t max_sessions = 10'000;             // connections at a time, authenticated or not
    std::size_t max_unauthenticated = 1'000;       // of them, those that have not logged in
    std::size_t max_jobs = 5'000;                  // jobs at a time, of all connections
    std::size_t max_jobs_per_key = 2'500;          // and of those of one key: others are to find some left
    std::chrono::seconds login_grace{10};          // from accept to the verified proof
    std::chrono::seconds max_keep{24 * 60 * 60};   // how long a job may linger when its client has vanished
    std::uint64_t max_spool = 1ULL << 30;          // bytes of output kept on disk for one durable job
    std::uint64_t max_state = 10ULL << 30;         // and for all of them
    std::chrono::seconds retain{7 * 24 * 60 * 60}; // how long a durable job that has ended is kept
    std::chrono::seconds drain{0};                 // how long ordinary jobs may go on after SIGTERM
};

// How long the steps of ending a job are apart: HUP, TERM, KILL.
inline constexpr std::chrono::seconds ending_step{5};
// A job whose process has ended is over when its output has been silent for this long.
inline constexpr std::chrono::seconds quiet_after_exit{1};
// A terminal's leader, which runs as the user and may have been stopped, gets this long for each answer.
inline constexpr std::chrono::seconds leader_patience{1};
// A peer gets this long to take the last error before the connection is closed.
inline constexpr std::chrono::seconds farewell{2};
// Job ids that are remembered.
inline constexpr std::size_t remembered_jobs = 1'000'000;

// Fills `options` from the command line and, for what that leaves out, from the configuration file. `verb`: of which this is the command
// line; empty: of the server itself. `extend` adds what is the verb's own. An exit status if the program ends here (after --help,
// --version or an error, which have been printed).
std::optional<int> parse_options(int argc, char** argv, ServerOptions& options, const std::string& verb = {},
    const std::function<void(CLI::App&)>& extend = {});

} // namespace rc
