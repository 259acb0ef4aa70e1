#include "server/launch_plan.hpp"

#include "common/bytes.hpp"
#include "common/copy/message.hpp"
#include "common/error.hpp"
#include "server/command_state.hpp"
#include "server/complete.hpp"
#include "server/program_search.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <string_view>

namespace rc {

namespace {

using Environment = std::map<std::string, std::string, std::less<>>;

constexpr std::string_view path_of_users = "/usr/local/bin:/usr/bin:/bin";
constexpr std::string_view path_of_root = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

Environment login_environment(const Exec& exec, const Account& account) {
    Environment environment{{"HOME", account.home}, {"USER", account.name}, {"LOGNAME", account.name}, {"SHELL", account.shell},
        {"PATH", std::string(account.uid == 0 ? path_of_root : path_of_users)}};
    if (const char* lang = std::getenv("LANG"); lang != nullptr) environment["LANG"] = lang;
    if (exec.pty && !exec.pty->term.empty()) environment["TERM"] = exec.pty->term;
    return environment;
}

void add_requester(Environment& environment, const Requester& requester) {
    environment["RCMD_JOB"] = requester.job;
    environment["RCMD_KEY"] = requester.key_id;
    environment["RCMD_CLIENT"] = requester.address;
}

void add_requested(Environment& environment, const std::vector<std::string>& requested) {
    for (const std::string& assignment : requested) {
        const std::size_t equals = assignment.find('=');
        const std::string name = assignment.substr(0, equals);
        if (name.starts_with("RCMD_")) {
            throw Error(ErrorCode::forbidden,
                "the environment name " + escape(name, 64) + " is reserved: names that begin with RCMD_ are set by the server");
        }
        environment[name] = assignment.substr(equals + 1);
    }
}

bool is_program(const std::string& path) {
    struct stat status {};
    return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) && (status.st_mode & 0111U) != 0;
}

// What has a slash is left to the kernel, which sees it from the job's directory.
void plan_program(LaunchPlan& plan, const ExecRequest& request, std::string_view path) {
    plan.program = request.words.front();
    plan.places = places_of(plan.program, path);
    if (plan.program.empty()) throw Error(ErrorCode::not_found, "a command without a name: command not found");
    if (plan.places.empty()) throw Error(ErrorCode::not_found, escape(plan.program, 256) + ": command not found");
    plan.arguments.assign(request.words.begin() + 1, request.words.end());
}

std::string find_sftp_server(const std::filesystem::path& given) {
    // Where distributions have it.
    std::vector<std::string> places{"/usr/lib/openssh/sftp-server", "/usr/libexec/openssh/sftp-server",
        "/usr/libexec/sftp-server", "/usr/lib/ssh/sftp-server"};
    if (!given.empty()) places = {given.string()};
    const auto found = std::ranges::find_if(places, is_program);
    if (found != places.end()) return *found;
    const std::string missing = given.empty() ? "sftp-server" : "program " + given.string();
    throw Error(ErrorCode::unsupported,
        "the server's host has no " + missing + ": install openssh-sftp-server there, or give rcmd-server --sftp-server PATH");
}

// What another program talks to is neither kept for later nor put on a terminal, which would change its bytes.
void plan_subsystem(LaunchPlan& plan, const Exec& exec, const ExecRequest& request, const std::filesystem::path& sftp_server) {
    if (exec.durable) throw Error(ErrorCode::unsupported, "a subsystem cannot be a durable job");
    if (exec.pty) throw Error(ErrorCode::unsupported, "a subsystem cannot have a terminal");
    const std::string& name = request.words.front();
    if (name == complete_verb || name == copy::send_subsystem || name == copy::receive_subsystem) {
        plan.program = own_program;
        plan.arguments = request.words;
    } else if (name == sftp_subsystem) {
        plan.program = find_sftp_server(sftp_server);
        plan.arguments.assign(request.words.begin() + 1, request.words.end());
    } else {
        throw Error(ErrorCode::unsupported, "this server does not offer that subsystem");
    }
}

void plan_shell(LaunchPlan& plan, const ExecRequest& request, const Account& account) {
    const bool reads_stdin = request.words.front().empty();
    plan.program = account.shell;
    if (reads_stdin) plan.arguments = {"-s"};
    else plan.arguments = {"-c", request.words.front()};
    plan.state = plan.state && !reads_stdin && shell_has_traps(account.shell);
}

} // namespace

LaunchPlan make_launch_plan(const Exec& exec, const ExecRequest& request, const Account& account, const Requester& requester,
    const std::filesystem::path& sftp_server) {
    Environment environment;
    if (!exec.umask) environment = login_environment(exec, account);
    add_requested(environment, request.environment);
    add_requester(environment, requester);
    if (request.original) environment["RCMD_ORIGINAL_COMMAND"] = *request.original;
    LaunchPlan plan;
    plan.umask = exec.umask;
    plan.state = exec.state && exec.mode == ExecMode::shell;
    switch (exec.mode) {
    case ExecMode::shell: plan_shell(plan, request, account); break;
    case ExecMode::subsystem: plan_subsystem(plan, exec, request, sftp_server); break;
    case ExecMode::argv: plan_program(plan, request, environment["PATH"]); break;
    }
    if (plan.places.empty()) plan.places = {plan.program};
    plan.any_directory = request.directory.empty();
    plan.directory = plan.any_directory ? account.home : request.directory;
    for (const auto& [name, value] : environment) plan.environment.emplace_back(name).append(1, '=').append(value);
    return plan;
}

} // namespace rc
