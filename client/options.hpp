// The client's command line.
#pragma once

#include "client/remote_job.hpp"
#include "client/settings.hpp"
#include "client/target.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace rc {

enum class Family { any, ipv4, ipv6 };

// Whether a command gets a terminal: at the prompt only; if there is one here; in any case; never.
enum class WantTerminal { at_prompt, if_here, always, never };

struct ClientOptions {
    Target target;       // as the user names it
    std::string address; // where to connect: the target's host, if nothing else is configured
    std::uint16_t port = 7420;
    Family family = Family::any;
    std::filesystem::path key_file;
    std::vector<std::filesystem::path> known_hosts; // at least one: the first is written
    HostChecking host_checking = HostChecking::accept_new;
    std::string host_key_alias;                          // its name there; empty: what is connected to
    std::optional<std::chrono::seconds> connect_timeout; // for the connection, and for the first answer
    std::vector<std::string> command;                    // empty: none was given

    bool quiet = false;
    bool verbose = false;
    bool no_stdin = false;
    WantTerminal terminal = WantTerminal::at_prompt;
    bool argv = false;
    bool subsystem = false;  // the command is the name of one
    bool no_command = false; // nothing is to be run
    bool show_settings = false;
    bool combine = false;
    bool wait_eof = false;
    bool json = false;
    int status_fd = -1;
    int unknown_status = 255; // of the exit, when a command may have run and its end is not known
    std::optional<std::chrono::seconds> timeout;
    std::chrono::seconds keep{60};        // how long a job goes on without its client, and the client tries to get back to it
    std::string directory;                // empty: the remote home
    std::vector<std::string> environment; // NAME=VALUE

    std::string job;             // its name; empty: a new one
    bool detach = false;         // do not wait for it
    Watch watch;                 // of the verb attach
    std::string signal = "TERM"; // of the verb kill, without SIG

    bool batch = false;
    bool keep_going = false;
    std::size_t jobs = 1;
};

// What is to be done: run commands, or a verb.
enum class Verb { run, jobs, attach, kill };

// Sources that lie together, and where they go. At most one end is here, which has no options.
struct CopyStep {
    std::optional<ClientOptions> from;
    std::vector<std::string> sources;
    std::optional<ClientOptions> to;
    std::string target;
};

struct CopyOptions {
    std::vector<CopyStep> steps; // one after the other
    bool into_folder = false;    // there are several sources: the target must be a directory
    bool recursive = false;
    bool preserve = false; // modes and times
    bool quiet = false;
};

struct KeygenOptions {
    std::filesystem::path key_file;
    std::string id;    // empty: user and host
    bool line = false; // only print a line of an existing key
};

// They read `words`, the command line without the program's name (and without the verb). They throw Failure{usage}, or return
// an exit status if the program ends here (after --help or --version, which have been printed).
std::optional<int> parse_options(std::vector<std::string> words, ClientOptions& options);
std::optional<int> parse_verb_options(Verb verb, std::vector<std::string> words, ClientOptions& options);
std::optional<int> parse_copy_options(std::vector<std::string> words, CopyOptions& options);
std::optional<int> parse_keygen_options(std::vector<std::string> words, KeygenOptions& options);

} // namespace rc
