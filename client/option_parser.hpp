// What the command lines of the client's forms and verbs have in common.
#pragma once

#include "client/options.hpp"
#include "client/settings.hpp"

#include <CLI/App.hpp>

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace rc {

using Words = std::vector<std::string>;

// Throws Failure{usage}.
[[noreturn]] void refuse_words(const std::string& problem);

// How --help looks: the description says how the form is used, and an option shows no more than the name of its value.
void set_help_format(CLI::App& app);

// As getopt has it: an option that is given again replaces its value, and a flag takes none.
void follow_getopt(CLI::App& app);

// Runs `parse`, which uses `app`. Throws Failure{usage}, or returns an exit status after --help or --version, which it prints.
std::optional<int> run_parser(CLI::App& app, const std::function<void()>& parse);

// The options that say how to reach a server, for every form and verb; of those that are repeated the first counts, as in ssh.
class ConnectionOptions {
public:
    // Where the port is `-p`, or `-P` as in scp.
    enum class PortLetter { small, capital };

    // Adds them to `app`. Both must outlive the parsing.
    ConnectionOptions(CLI::App& app, ClientOptions& options, PortLetter port = PortLetter::small);
    ConnectionOptions(const ConnectionOptions&) = delete;
    ConnectionOptions& operator=(const ConnectionOptions&) = delete;

    // What of them is a setting; other options may add to it.
    Settings given;

    // The options that are yet to come do not count before the user that this [USER@]HOST[:PORT] names.
    void take_user_of(const std::string& host);

    // Completes the options for [USER@]HOST[:PORT] `host`, whose port counts before -p and whose user after -l: by the environment, the
    // configuration files, the defaults. Throws Failure{usage, config}.
    void resolve(const std::string& host);

private:
    [[nodiscard]] Settings configured() const;

    ClientOptions& options_;
    std::optional<std::string> config_; // -F
    std::vector<std::string> unknown_;  // what -o gave that ssh does not know
};

// Options that several verbs have.
void add_keep_option(CLI::App& app, Settings& given, const std::string& description);
void add_status_fd_option(CLI::App& app, ClientOptions& options);
void check_status_fd(const ClientOptions& options);
// Throws Failure{usage} unless `name` can be a job's.
void set_job(ClientOptions& options, const std::string& name);

std::filesystem::path default_key_file();

} // namespace rc
