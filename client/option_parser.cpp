#include "client/option_parser.hpp"

#include "client/config_file.hpp"
#include "client/failure.hpp"
#include "client/local_io.hpp"
#include "client/reporter.hpp"
#include "client/ssh_option.hpp"
#include "common/bytes.hpp"
#include "common/codec.hpp"
#include "common/files.hpp"
#include "common/limits.hpp"

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <fcntl.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <limits>
#include <memory>

namespace rc {

namespace {

class HelpFormatter : public CLI::Formatter {
public:
    std::string make_usage(const CLI::App*, std::string) const override { return ""; }
    std::string make_option_opts(const CLI::Option* option) const override {
        if (option->get_type_size() == 0 || option->get_positional()) return "";
        const std::string name = option->get_type_name(); // behind a colon stands what the value is checked for
        return std::string(1, ' ').append(name, 0, name.find(':'));
    }
};

// A variable that is set to something.
std::optional<std::string> variable(const char* name) {
    const char* value = std::getenv(name);
    if (value == nullptr || *value == '\0') return std::nullopt;
    return value;
}

// A job's environment has the id of its key in RCMD_KEY; no id holds a slash, and a path to a key does.
std::optional<std::filesystem::path> key_of_environment() {
    const auto value = variable("RCMD_KEY");
    if (!value || value->find('/') == std::string::npos) return std::nullopt;
    return expand_home(*value);
}

std::filesystem::path default_known_hosts_file() { return home_directory() / ".config/rcmd/known_hosts"; }

// Those that are there of the usual ones, the user's first.
std::vector<std::filesystem::path> usual_files() {
    std::vector<std::filesystem::path> files;
    for (const auto& file : {home_directory() / ".config/rcmd/config.toml", std::filesystem::path("/etc/rcmd/config.toml")}) {
        std::error_code ignored;
        if (std::filesystem::exists(file, ignored)) files.push_back(file);
    }
    return files;
}

std::vector<std::filesystem::path> config_files(const std::optional<std::string>& chosen) {
    if (!chosen) return usual_files();
    if (*chosen == "none" || *chosen == "/dev/null") return {};
    return {expand_home(*chosen)};
}

std::string replace_mark(std::string address, const std::string& host) {
    if (const std::size_t mark = address.find("%h"); mark != std::string::npos) address.replace(mark, 2, host);
    return address;
}

} // namespace

void refuse_words(const std::string& problem) { throw Failure("usage", problem + "; see rcmd --help"); }

void set_help_format(CLI::App& app) { app.formatter(std::make_shared<HelpFormatter>()); }

void follow_getopt(CLI::App& app) {
    for (CLI::Option* option : app.get_options([](const CLI::Option*) { return true; })) {
        if (option->get_items_expected_max() == 0) option->disable_flag_override();
        else if (!option->get_trigger_on_parse()) option->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    }
}

std::optional<int> run_parser(CLI::App& app, const std::function<void()>& parse) {
    try {
        parse();
        return std::nullopt;
    } catch (const CLI::ParseError& error) {
        if (error.get_exit_code() != 0) refuse_words(error.what());
        const int status = app.exit(error);
        if (std::cout.flush()) return status;
        if (errno == EPIPE) die_of(SIGPIPE);
        throw Failure("output", std::string("cannot write to stdout: ") + std::strerror(errno));
    }
}

ConnectionOptions::ConnectionOptions(CLI::App& app, ClientOptions& options, PortLetter port) : options_(options) {
    app.add_option_function<std::string>(
           port == PortLetter::small ? "-p,--port" : "-P,--port",
           [this](const std::string& text) {
               const auto number = parse_port(text);
               if (!number) refuse_words("--port " + text + ": not a number from 1 to 65535");
               if (!given.port) given.port = number;
           },
           "Port of the server (7420)")
        ->type_name("PORT")
        ->trigger_on_parse();
    app.add_option_function<std::string>(
           "-l,--user",
           [this](const std::string& user) {
               if (user.empty()) refuse_words("--user: an empty name");
               if (!given.user) given.user = user;
           },
           "Remote user (the key's first)")
        ->type_name("USER")
        ->trigger_on_parse();
    app.add_option_function<std::string>(
           "-i,--key",
           [this](const std::string& file) {
               if (!given.key) given.key = file;
           },
           "Key file (~/.config/rcmd/key)")
        ->type_name("KEYFILE")
        ->trigger_on_parse();
    app.add_option_function<std::string>(
           "-F,--config",
           [this](const std::string& file) {
               if (!config_) config_ = file;
           },
           "Configuration instead of ~/.config/rcmd/config.toml and /etc/rcmd/config.toml; none: no file")
        ->type_name("FILE")
        ->trigger_on_parse();
    app.add_option_function<std::string>(
           "-o,--option",
           [this](const std::string& text) {
               if (!take_ssh_option(text, options_, given)) unknown_.push_back(text);
           },
           "An option as ssh has it (HostName, Port, User, ConnectTimeout, StrictHostKeyChecking ...)")
        ->type_name("NAME=VALUE")
        ->trigger_on_parse();
    app.add_flag_callback(
        "-4,--ipv4", [&options] { options.family = Family::ipv4; }, "Use IPv4 only");
    app.add_flag_callback(
        "-6,--ipv6", [&options] { options.family = Family::ipv6; }, "Use IPv6 only");
    app.add_flag("-q,--quiet", options.quiet, "No warnings; errors are still shown");
    app.add_flag("-v,--verbose", options.verbose, "Tell on stderr what happens");
}

Settings ConnectionOptions::configured() const {
    Settings settings;
    settings.key = key_of_environment();
    for (const auto& file : config_files(config_ ? config_ : variable("RCMD_CONFIG")))
        fill(settings, settings_for(read_config(file), options_.target.host));
    return settings;
}

void ConnectionOptions::take_user_of(const std::string& host) {
    const auto target = parse_target(host);
    if (target && !target->user.empty() && !given.user) given.user = target->user;
}

void ConnectionOptions::resolve(const std::string& host) {
    for (const std::string& text : unknown_) {
        if (!options_.quiet) print_error("-o " + escape(text, 256) + ": ssh has no such option; ignored");
    }
    const auto target = parse_target(host);
    if (!target) refuse_words(host + ": not [USER@]HOST[:PORT]");
    options_.target = *target;
    Settings settings = given;
    if (target->port) settings.port = target->port;
    if (!settings.user && !target->user.empty()) settings.user = target->user;
    fill(settings, configured());

    options_.target.user = settings.user.value_or("");
    options_.address = replace_mark(settings.address.value_or(target->host), target->host);
    options_.port = settings.port.value_or(options_.port);
    options_.key_file = settings.key ? *settings.key : default_key_file();
    options_.known_hosts = settings.known_hosts ? *settings.known_hosts : std::vector{default_known_hosts_file()};
    options_.host_checking = settings.host_checking.value_or(HostChecking::accept_new);
    options_.host_key_alias = settings.host_key_alias.value_or("");
    options_.keep = settings.keep.value_or(options_.keep);
    options_.timeout = settings.timeout;
    options_.environment = settings.environment;
}

void add_keep_option(CLI::App& app, Settings& given, const std::string& description) {
    app.add_option_function<std::string>(
           "--keep",
           [&given](const std::string& text) {
               const auto keep = parse_keep(text);
               if (!keep) refuse_words("--keep " + text + ": not a DURATION");
               given.keep = *keep;
           },
           description)
        ->type_name("DURATION");
}

void add_status_fd_option(CLI::App& app, ClientOptions& options) {
    app.add_option("--status-fd", options.status_fd, "Write a JSON line for each event to this descriptor")
        ->check(CLI::Range(0, std::numeric_limits<int>::max()))
        ->type_name("N");
}

void check_status_fd(const ClientOptions& options) {
    if (options.status_fd >= 0 && ::fcntl(options.status_fd, F_GETFD) < 0) {
        refuse_words("--status-fd " + std::to_string(options.status_fd) + ": no such descriptor is open");
    }
}

void set_job(ClientOptions& options, const std::string& name) {
    if (!valid_job_id(name))
        refuse_words("the job name '" + name.substr(0, limits::job_id_length) +
                     "' is not 1 to 64 of A-Z a-z 0-9 . _ - with no dot in front");
    options.job = name;
}

std::filesystem::path default_key_file() { return home_directory() / ".config/rcmd/key"; }

} // namespace rc
