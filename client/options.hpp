// The client's command line.
#pragma once

#include "client/remote_job.hpp"
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
    Target target;
    std::uint16_t port = 7420;
    Family family = Family::any;
    std::filesystem::path key_file;
    std::vector<std::string> command; // empty: none was given

    bool quiet = false;
    bool verbose = false;
    bool no_stdin = false;
    WantTerminal terminal = WantTerminal::at_prompt;
    bool argv = false;
    bool combine = false;
    bool wait_eof = false;
    bool json = false;
    int status_fd = -1;
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

struct KeygenOptions {
    std::filesystem::path key_file;
    std::string id;    // empty: user and host
    bool line = false; // only print a line of an existing key
};

// They read `words`, the command line without the program's name (and without the verb). They throw Failure{usage}, or return
// an exit status if the program ends here (after --help or --version, which have been printed).
std::optional<int> parse_options(std::vector<std::string> words, ClientOptions& options);
std::optional<int> parse_verb_options(Verb verb, std::vector<std::string> words, ClientOptions& options);
std::optional<int> parse_keygen_options(std::vector<std::string> words, KeygenOptions& options);

} // namespace rc
