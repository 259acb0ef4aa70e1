#include "client/options.hpp"

#include "client/failure.hpp"
#include "common/bytes.hpp"
#include "common/codec.hpp"
#include "common/files.hpp"
#include "common/limits.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <utility>

namespace rc {

namespace {

using Words = std::vector<std::string>;

constexpr auto usage = R"(rcmd: runs a command on another machine

  rcmd [options] [USER@]HOST[:PORT] COMMAND [ARG...]   one command
  rcmd [options] [USER@]HOST[:PORT]                    a prompt, or the remote shell on stdin if that is no terminal
  rcmd --batch [options] [USER@]HOST[:PORT]            each line of stdin is one command
  rcmd jobs [--json] [options] [USER@]HOST             the jobs of this key that the server knows
  rcmd attach [options] [USER@]HOST JOB                shows a job's output and exits with its status
  rcmd kill [-s SIGNAL] [options] [USER@]HOST JOB      sends a signal to a job (TERM)
  rcmd keygen [--line] [-f FILE] [--id ID]             makes a key, prints its line for authorized_keys)";

constexpr auto footer =
    R"(Options may stand before and after the host; from the first other word on, everything is the command.
DURATION: 90, 90s, 5m, 8h, 2d.

At the prompt each line is a command with a terminal of its own; what cd, export, unset and umask do lasts. Tab completes.
Ctrl-D or exit leaves. While a command runs, at the beginning of a line, ~. ends the connection and ~? tells more.

Exit status: the command's own; 128+n if signal n ended it; 124 if its time was up; 126, 127 if it could not be
executed or found; 255 if rcmd itself failed, with a line on stderr that says whether the command may have run.)";

[[noreturn]] void fail(const std::string& problem) { throw Failure("usage", problem + "; see rcmd --help"); }

std::filesystem::path default_key_file() { return home_directory() / ".config/rcmd/key"; }

// All words up to the first that is no option belong to `app`; the rest is returned. A word -- ends the options: it is kept.
Words parse_prefix(CLI::App& app, Words words) {
    std::ranges::reverse(words); // as CLI11 wants them
    app.parse(words);
    Words rest = app.remaining();
    if (!rest.empty() && rest.front().size() > 1 && rest.front().front() == '-' && rest.front() != "--") {
        fail("unknown option " + rest.front());
    }
    return rest;
}

bool take_dashes(Words& words) {
    if (words.empty() || words.front() != "--") return false;
    words.erase(words.begin());
    return true;
}

// ClientOptions, the host, options again, at most one --, the command.
void parse_words(CLI::App& app, Words words, std::string& host, Words& command) {
    Words rest = parse_prefix(app, std::move(words));
    const bool ended = take_dashes(rest);
    if (rest.empty()) fail("no host given");
    host = rest.front();
    rest.erase(rest.begin());
    if (!ended) {
        rest = parse_prefix(app, std::move(rest));
        take_dashes(rest);
    }
    command = std::move(rest);
}

void check_environment(const Words& environment) {
    for (const std::string& assignment : environment) {
        const std::size_t equals = assignment.find('=');
        if (equals == 0 || equals == std::string::npos) fail("--env " + assignment + ": not NAME=VALUE");
    }
}

void check_status_fd(const ClientOptions& options) {
    if (options.status_fd >= 0 && ::fcntl(options.status_fd, F_GETFD) < 0) {
        fail("--status-fd " + std::to_string(options.status_fd) + ": no such descriptor is open");
    }
}

void set_job(ClientOptions& options, const std::string& name) {
    if (!valid_job_id(name))
        fail("the job name '" + name.substr(0, limits::job_id_length) +
             "' is not 1 to 64 of A-Z a-z 0-9 . _ - with no dot in front");
    options.job = name;
}

void set_target(ClientOptions& options, const std::string& host, const std::string& user) {
    const auto target = parse_target(host);
    if (!target) fail(host + ": not [USER@]HOST[:PORT]");
    options.target = *target;
    if (!user.empty()) options.target.user = user;
    if (target->port) options.port = *target->port;
    if (options.key_file.empty()) options.key_file = default_key_file();
}

void add_keep_option(CLI::App& app, ClientOptions& options, const std::string& description) {
    app.add_option_function<std::string>(
           "--keep",
           [&](const std::string& text) {
               const auto keep = text == "0" ? std::chrono::seconds(0) : parse_duration(text);
               if (!keep) fail("--keep " + text + ": not a DURATION");
               options.keep = *keep;
           },
           description)
        ->type_name("DURATION");
}

void add_status_fd_option(CLI::App& app, ClientOptions& options) {
    app.add_option("--status-fd", options.status_fd, "Write a JSON line for each event to this descriptor")
        ->check(CLI::NonNegativeNumber)
        ->type_name("N");
}

void add_connection_options(CLI::App& app, ClientOptions& options, std::string& user) {
    app.add_option_function<std::string>(
           "-p,--port",
           [&](const std::string& text) {
               const auto port = parse_port(text);
               if (!port) fail("--port " + text + ": not a number from 1 to 65535");
               options.port = *port;
           },
           "Port of the server (7420)")
        ->type_name("PORT");
    app.add_option("-l,--user", user, "Remote user (the key's first)")->type_name("USER");
    app.add_option("-i,--key", options.key_file, "Key file (~/.config/rcmd/key)")->type_name("KEYFILE");
    app.add_flag_callback(
        "-4,--ipv4", [&] { options.family = Family::ipv4; }, "Use IPv4 only");
    app.add_flag_callback(
        "-6,--ipv6", [&] { options.family = Family::ipv6; }, "Use IPv6 only");
    app.add_flag("-q,--quiet", options.quiet, "No warnings; errors are still shown");
    app.add_flag("-v,--verbose", options.verbose, "Tell on stderr what happens");
}

// As in ssh -tt is more than -t, and of -t and -T the last one counts.
void add_terminal_options(CLI::App& app, ClientOptions& options) {
    app.add_flag_callback(
           "-t,--tty",
           [&] {
               const bool again = options.terminal == WantTerminal::if_here || options.terminal == WantTerminal::always;
               options.terminal = again ? WantTerminal::always : WantTerminal::if_here;
           },
           "Give the command a terminal, if there is one here; twice: in any case")
        ->trigger_on_parse();
    app.add_flag_callback(
           "-T,--no-tty", [&] { options.terminal = WantTerminal::never; }, "No terminal for the command, and no prompt")
        ->trigger_on_parse();
}

void add_command_options(CLI::App& app, ClientOptions& options) {
    app.add_flag("-n,--no-stdin", options.no_stdin, "The command reads nothing");
    app.add_option_function<std::string>(
           "--timeout",
           [&](const std::string& text) {
               options.timeout = parse_duration(text);
               if (!options.timeout) fail("--timeout " + text + ": not a DURATION");
           },
           "End the command after that time")
        ->type_name("DURATION");
    add_keep_option(app, options,
        "How long the command goes on when the connection is lost and does not come back (60s); 0: it ends with it");
    app.add_flag("-d,--detach", options.detach, "Do not wait: print the job's id when it is sure to run (implies -n)");
    app.add_option_function<std::string>(
           "--job", [&](const std::string& name) { set_job(options, name); },
           "Name the job: asked for again, it is not run again, but shown")
        ->type_name("NAME");
    app.add_option("--cwd", options.directory, "Directory to run in (the home directory)")->type_name("DIR");
    app.add_option_function<std::string>(
           "-e,--env", [&](const std::string& text) { options.environment.push_back(text); }, "Set a variable for the command")
        ->type_name("NAME=VALUE")
        ->trigger_on_parse();
    app.add_flag("--combine", options.combine, "The command's stderr goes into its stdout");
    app.add_flag("--wait-eof", options.wait_eof, "Wait until nothing holds the output open any more");
    app.add_flag("--argv", options.argv, "Run the words as they stand, without a shell");
    app.add_flag("--json", options.json, "Print one JSON object with output and status instead of the output");
    add_status_fd_option(app, options);
}

void add_watch_options(CLI::App& app, ClientOptions& options) {
    app.add_option_function<std::string>(
           "--from",
           [&](const std::string& text) {
               const std::size_t comma = text.find(',');
               options.watch.stdout_ = parse_offset(text.substr(0, comma));
               if (comma != text.npos) options.watch.stderr_ = parse_offset(text.substr(comma + 1));
               const bool right = options.watch.stdout_ && (comma == text.npos || options.watch.stderr_);
               if (!right) fail("--from " + text + ": not an OFFSET or OFFSET,OFFSET");
           },
           "Begin at that byte of stdout (and of stderr), counted from 0")
        ->type_name("OFFSET[,OFFSET]");
    app.add_flag("--tail", options.watch.tail, "Begin with what comes from now on")->excludes("--from");
    add_status_fd_option(app, options);
    add_keep_option(app, options, "How long to try to get back when the connection is lost (60s); 0: not at all");
}

void add_batch_options(CLI::App& app, ClientOptions& options) {
    constexpr auto most = limits::windows_of_connection / (2 * limits::smallest_window);
    app.add_flag("--batch", options.batch, "Each line of stdin is one command");
    app.add_option("--jobs", options.jobs, "Commands to run at a time, with --batch (1)")
        ->check(CLI::Range(std::size_t{1}, static_cast<std::size_t>(most)))
        ->type_name("N");
    app.add_flag("--keep-going", options.keep_going, "Do not stop at the first command that fails, with --batch");
}

// As getopt has it: an option that is given again replaces its value, and a flag takes none.
void follow_getopt(CLI::App& app) {
    for (CLI::Option* option : app.get_options([](const CLI::Option*) { return true; })) {
        if (option->get_items_expected_max() == 0) option->disable_flag_override();
        else if (!option->get_trigger_on_parse()) option->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    }
}

template <class Parse>
std::optional<int> run_parser(CLI::App& app, Parse parse) {
    try {
        parse();
        return std::nullopt;
    } catch (const CLI::ParseError& error) {
        if (error.get_exit_code() == 0) return app.exit(error);
        fail(error.what());
    }
}

} // namespace

std::optional<int> parse_verb_options(Verb verb, std::vector<std::string> words, ClientOptions& options) {
    static const std::map<Verb, std::pair<std::string, std::string>> descriptions{
        {Verb::jobs, {"rcmd jobs", "rcmd jobs: the jobs of this key that the server knows"}},
        {Verb::attach,
            {"rcmd attach",
                "rcmd attach: shows a job's output and exits with its status; ended by a signal, it leaves the job alone"}},
        {Verb::kill, {"rcmd kill", "rcmd kill: sends a signal to a job's process group"}}};
    const auto& [name, description] = descriptions.at(verb);
    CLI::App app(description, name);
    std::string user;
    std::string host;
    add_connection_options(app, options, user);
    if (verb == Verb::jobs) app.add_flag("--json", options.json, "Print a JSON object for each job, a line each");
    if (verb == Verb::attach) add_watch_options(app, options);
    if (verb == Verb::kill)
        app.add_option("-s,--signal", options.signal, "TERM, INT, KILL …, or its number (TERM)")->type_name("SIGNAL");
    app.add_option("HOST", host, "[USER@]HOST[:PORT]")->required();
    if (verb != Verb::jobs)
        app.add_option_function<std::string>(
               "JOB", [&](const std::string& id) { set_job(options, id); }, "Its id, or its name")
            ->required();
    follow_getopt(app);
    std::ranges::reverse(words);
    if (const auto status = run_parser(app, [&] { app.parse(words); })) return status;
    set_target(options, host, user);
    check_status_fd(options);
    const auto signal = parse_signal(options.signal);
    if (!signal) fail("--signal " + options.signal.substr(0, 64) + ": no such signal");
    options.signal = *signal;
    return std::nullopt;
}

std::optional<int> parse_options(std::vector<std::string> words, ClientOptions& options) {
    CLI::App app(usage, "rcmd");
    app.footer(footer);
    app.prefix_command();
    app.set_version_flag("-V,--version", "rcmd " RCMD_VERSION);
    std::string user;
    std::string host;
    add_connection_options(app, options, user);
    add_terminal_options(app, options);
    add_command_options(app, options);
    add_batch_options(app, options);
    follow_getopt(app);
    if (const auto status = run_parser(app, [&] { parse_words(app, std::move(words), host, options.command); })) return status;

    set_target(options, host, user);
    check_environment(options.environment);
    check_status_fd(options);
    const bool no_command = options.command.empty() || (options.command.size() == 1 && options.command.front().empty());
    if (options.argv && no_command) fail("--argv needs a command");
    const bool terminal = options.terminal == WantTerminal::if_here || options.terminal == WantTerminal::always;
    if (options.batch && terminal) fail("--batch gives its commands no terminal, so -t cannot go with it");
    if (options.batch && (options.detach || !options.job.empty())) fail("--batch names and detaches no jobs");
    if (options.detach && terminal) fail("a detached job has no terminal, so -t cannot go with -d");
    if (options.detach && no_command) fail("-d needs a command");
    if (!options.job.empty() && no_command && ::isatty(STDIN_FILENO) == 1) fail("--job names a command, not a prompt");
    options.no_stdin = options.no_stdin || options.detach;
    if (options.batch && !no_command) fail("--batch reads its commands from stdin, so there is none on the command line");
    if (!options.batch && (options.jobs > 1 || options.keep_going)) fail("--jobs and --keep-going go with --batch");
    return std::nullopt;
}

std::optional<int> parse_keygen_options(std::vector<std::string> words, KeygenOptions& options) {
    CLI::App app("rcmd keygen: makes a key and prints its line for the authorized_keys of a server", "rcmd keygen");
    app.add_flag("--line", options.line, "Make nothing; print a further line of the existing key, for another host");
    app.add_option("-f,--file", options.key_file, "Key file (~/.config/rcmd/key)")->type_name("FILE");
    app.add_option("--id", options.id, "Name of the key (user@host)")->type_name("ID");
    follow_getopt(app);
    std::ranges::reverse(words);
    if (const auto status = run_parser(app, [&] { app.parse(words); })) return status;
    if (options.line && !options.id.empty()) fail("--id names a new key; the one of --line has its name");
    if (options.key_file.empty()) options.key_file = default_key_file();
    return std::nullopt;
}

} // namespace rc
