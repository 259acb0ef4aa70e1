#include "client/options.hpp"

#include "client/option_parser.hpp"
#include "common/limits.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <unistd.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>

namespace rc {

namespace {

constexpr auto usage = R"(rcmd: runs a command on another machine

  rcmd [options] [USER@]HOST[:PORT] COMMAND [ARG...]   one command
  rcmd [options] [USER@]HOST[:PORT]                    a prompt, or the remote shell on stdin if that is no terminal
  rcmd --batch [options] [USER@]HOST[:PORT]            each line of stdin is one command
  rcmd cp [-r] [-p] [options] SOURCE... TARGET         copies files; either side may be [USER@]HOST:PATH
  rcmd jobs [--json] [options] [USER@]HOST[:PORT]      the jobs of this key that the server knows
  rcmd attach [--from OFFSET | --tail] [options] [USER@]HOST[:PORT] JOB
                                                       shows a job's output and exits with its status
  rcmd kill [-s SIGNAL] [options] [USER@]HOST[:PORT] JOB
                                                       sends a signal to a job (TERM)
  rcmd keygen [--line] [-f FILE] [--id ID]             makes a key, prints its line for authorized_keys)";

constexpr auto footer =
    R"(Options may stand before and after the host; from the first other word on, everything is the command.
DURATION: 90, 90s, 5m, 8h, 2d. Of ssh's other options -1 -2 -a -C -c -k -K -M -m -S -x -y are ignored, the rest is refused.
RCMD_KEY and RCMD_CONFIG in the environment stand for -i and -F.

At the prompt each line is a command with a terminal of its own; what cd, export, unset and umask do lasts. Tab completes.
Ctrl-D or exit leaves. While a command runs, at the beginning of a line, ~. ends the connection and ~? tells more.

Exit status: the command's own; 128+n if signal n ended it; 124 if its time was up; 126, 127 if it could not be
executed or found; 255 if rcmd itself failed, with a line on stderr that says whether the command may have run.)";

// All words up to the first that is no option belong to `app`; the rest is returned. A word -- ends the options: it is kept.
Words parse_prefix(CLI::App& app, Words words) {
    std::ranges::reverse(words); // as CLI11 wants them
    app.parse(words);
    Words rest = app.remaining();
    if (!rest.empty() && rest.front().size() > 1 && rest.front().front() == '-' && rest.front() != "--") {
        refuse_words("unknown option " + rest.front());
    }
    return rest;
}

bool take_dashes(Words& words) {
    if (words.empty() || words.front() != "--") return false;
    words.erase(words.begin());
    return true;
}

// ClientOptions, the host, options again, at most one --, the command.
void parse_words(CLI::App& app, ConnectionOptions& connection, Words words, std::string& host, Words& command) {
    Words rest = parse_prefix(app, std::move(words));
    const bool ended = take_dashes(rest);
    if (rest.empty()) refuse_words("no host given");
    host = rest.front();
    connection.take_user_of(host);
    rest.erase(rest.begin());
    if (!ended) {
        rest = parse_prefix(app, std::move(rest));
        take_dashes(rest);
    }
    command = std::move(rest);
}

void check_environment(const Words& environment) {
    for (const std::string& assignment : environment) {
        if (!name_of_assignment(assignment)) refuse_words("--env " + assignment + ": not NAME=VALUE");
    }
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

void add_command_options(CLI::App& app, ClientOptions& options, Settings& given) {
    app.add_flag("-n,--no-stdin", options.no_stdin, "The command reads nothing");
    app.add_option_function<std::string>(
           "--timeout",
           [&](const std::string& text) {
               given.timeout = parse_duration(text);
               if (!given.timeout) refuse_words("--timeout " + text + ": not a DURATION");
           },
           "End the command after that time")
        ->type_name("DURATION");
    add_keep_option(
        app, given, "How long the command goes on when the connection is lost and does not come back (60s); 0: it ends with it");
    app.add_flag("-d,--detach", options.detach, "Do not wait: print the job's id when it is sure to run (implies -n)");
    app.add_option_function<std::string>(
           "--job", [&](const std::string& name) { set_job(options, name); },
           "Name the job: asked for again, it is not run again, but shown")
        ->type_name("NAME");
    app.add_option("--cwd", options.directory, "Directory to run in (the home directory)")->type_name("DIR");
    app.add_option_function<std::string>(
           "-e,--env", [&](const std::string& text) { given.environment.push_back(text); }, "Set a variable for the command")
        ->type_name("NAME=VALUE")
        ->trigger_on_parse();
    app.add_flag("--combine", options.combine, "The command's stderr goes into its stdout");
    app.add_flag("--wait-eof", options.wait_eof, "Wait until nothing holds the output open any more");
    app.add_flag("--argv", options.argv, "Run the words as they stand, without a shell");
    app.add_flag("--json", options.json, "Print one JSON object with output and status instead of the output");
    add_status_fd_option(app, options);
    app.add_option("--unknown-status", options.unknown_status,
           "Exit status when the command may have run and its end is not known (255), for callers that try again on 255")
        ->check(CLI::Range(1, 255))
        ->type_name("N");
}

void add_ssh_options(CLI::App& app, ClientOptions& options) {
    app.add_flag("-s,--subsystem", options.subsystem, "The command is the name of a subsystem: sftp");
    app.add_flag("-N,--no-command", options.no_command, "Log in and run nothing, until a signal");
    app.add_flag("-G,--settings", options.show_settings, "Print the settings for this host, make no connection");
}

// For programs that call ssh: to ignore these changes nothing that rcmd does.
void ignore_ssh_options(CLI::App& app) {
    app.add_flag("-1,-2,-a,-C,-k,-K,-M,-x,-y")->group("");
    app.add_option_function<std::string>("-c,-m,-S", [](const std::string&) {})->group("")->trigger_on_parse();
}

// To ignore these would change what the command line means. They are one option to CLI11, which compares each with all there are.
void refuse_ssh_options(CLI::App& app) {
    constexpr auto no_ports = "rcmd forwards no ports";
    constexpr auto no_x11 = "rcmd forwards no X11";
    constexpr auto no_address = "rcmd lets the system choose where it calls from";
    static const std::map<std::string, std::string> refused{{"A", "rcmd forwards no agent"}, {"B", no_address}, {"b", no_address},
        {"D", no_ports}, {"E", "rcmd has no log; redirect its stderr"}, {"f", "use -d to leave a command running"},
        {"g", no_ports}, {"I", "rcmd uses no such keys"}, {"J", "rcmd goes through no other host"}, {"L", no_ports},
        {"O", "rcmd shares no connections, so there is no master to control"}, {"Q", "rcmd has no lists of algorithms"},
        {"R", no_ports}, {"W", no_ports}, {"w", "rcmd makes no tunnels"}, {"X", no_x11}, {"Y", no_x11}};
    std::string flags; // -A{A},-B{B} ...: the letter is the flag's value
    for (const auto& [letter, why] : refused)
        flags.append(flags.empty() ? "-" : ",-").append(letter).append(1, '{').append(letter).append(1, '}');
    app.add_flag(flags)->group("")->trigger_on_parse()->each(
        [](const std::string& letter) { refuse_words('-' + letter + ": " + refused.at(letter)); });
}

void add_batch_options(CLI::App& app, ClientOptions& options) {
    constexpr auto most = limits::windows_of_connection / (2 * limits::smallest_window);
    app.add_flag("--batch", options.batch, "Each line of stdin is one command");
    app.add_option("--jobs", options.jobs, "Commands to run at a time, with --batch (1)")
        ->check(CLI::Range(std::size_t{1}, static_cast<std::size_t>(most)))
        ->type_name("N");
    app.add_flag("--keep-going", options.keep_going, "Do not stop at the first command that fails, with --batch");
}

// What must and must not stand together.
void check_together(const ClientOptions& options) {
    const bool no_words = options.command.empty() || (options.command.size() == 1 && options.command.front().empty());
    const bool terminal = options.terminal == WantTerminal::if_here || options.terminal == WantTerminal::always;
    if (options.argv && no_words) refuse_words("--argv needs a command");
    if (options.subsystem && no_words) refuse_words("-s needs the name of a subsystem");
    if (options.subsystem && options.argv) refuse_words("-s names a subsystem, so --argv cannot go with it");
    if (options.subsystem && terminal) refuse_words("a subsystem has no terminal, so -t cannot go with -s");
    if (options.subsystem && (options.detach || !options.job.empty())) refuse_words("a subsystem is neither named nor detached");
    if (options.no_command && !no_words) refuse_words("-N runs nothing, so there can be no command");
    if (options.batch && (options.subsystem || options.no_command))
        refuse_words("--batch runs commands, so -s and -N cannot go with it");
    if (options.batch && terminal) refuse_words("--batch gives its commands no terminal, so -t cannot go with it");
    if (options.batch && (options.detach || !options.job.empty())) refuse_words("--batch names and detaches no jobs");
    if (options.batch && !no_words) refuse_words("--batch reads its commands from stdin, so there is none on the command line");
    if (!options.batch && (options.jobs > 1 || options.keep_going)) refuse_words("--jobs and --keep-going go with --batch");
    if (options.detach && terminal) refuse_words("a detached job has no terminal, so -t cannot go with -d");
    if (options.detach && no_words) refuse_words("-d needs a command");
    if (!options.job.empty() && no_words && ::isatty(STDIN_FILENO) == 1) refuse_words("--job names a command, not a prompt");
}

} // namespace

std::optional<int> parse_options(std::vector<std::string> words, ClientOptions& options) {
    CLI::App app(usage, "rcmd");
    app.footer(footer);
    app.prefix_command();
    app.set_version_flag("-V,--version", "rcmd " RCMD_VERSION);
    std::string host;
    ConnectionOptions connection(app, options);
    add_terminal_options(app, options);
    add_command_options(app, options, connection.given);
    add_ssh_options(app, options);
    add_batch_options(app, options);
    ignore_ssh_options(app);
    refuse_ssh_options(app);
    follow_getopt(app);
    set_help_format(app);
    if (const auto status = run_parser(app, [&] { parse_words(app, connection, std::move(words), host, options.command); }))
        return status;

    connection.resolve(host);
    check_environment(options.environment);
    check_status_fd(options);
    check_together(options);
    options.no_stdin = options.no_stdin || options.detach;
    return std::nullopt;
}

} // namespace rc
