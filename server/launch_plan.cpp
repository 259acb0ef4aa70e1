#include "server/launch_plan.hpp"

#include "common/bytes.hpp"
#include "common/error.hpp"

#include <sys/stat.h>

#include <cstdlib>
#include <map>
#include <string_view>

namespace rc {

namespace {

using Environment = std::map<std::string, std::string, std::less<>>;

constexpr std::string_view path_of_users = "/usr/local/bin:/usr/bin:/bin";
constexpr std::string_view path_of_root = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

Environment base_environment(const Account& account, const Requester& requester) {
    Environment environment{{"HOME", account.home}, {"USER", account.name}, {"LOGNAME", account.name}, {"SHELL", account.shell},
        {"PATH", std::string(account.uid == 0 ? path_of_root : path_of_users)}, {"RCMD_JOB", requester.job},
        {"RCMD_KEY", requester.key_id}, {"RCMD_CLIENT", requester.address}};
    if (const char* lang = std::getenv("LANG"); lang != nullptr) environment["LANG"] = lang;
    return environment;
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

enum class Found { nothing, not_executable, executable };

Found look_at(const std::string& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) return Found::nothing;
    if (!S_ISREG(status.st_mode)) return Found::not_executable;
    return (status.st_mode & 0111U) != 0 ? Found::executable : Found::not_executable;
}

// As execvp(3) does, in the PATH of the job. What has a slash is left to the kernel, which sees it from the job's directory
// and with the job's rights.
std::string find_program(const std::string& name, std::string_view path) {
    if (name.find('/') != std::string::npos) return name;
    if (name.empty()) throw Error(ErrorCode::not_found, "a command without a name: command not found");
    Found best = Found::nothing;
    while (!path.empty()) {
        const std::size_t end = std::min(path.find(':'), path.size());
        std::string candidate = std::string(path.substr(0, end)) + '/' + name;
        const Found found = candidate.front() == '/' ? look_at(candidate) : Found::nothing;
        if (found == Found::executable) return candidate;
        best = std::max(best, found);
        path.remove_prefix(std::min(end + 1, path.size()));
    }
    if (best == Found::not_executable) throw Error(ErrorCode::not_executable, escape(name, 256) + ": permission denied");
    throw Error(ErrorCode::not_found, escape(name, 256) + ": command not found");
}

} // namespace

LaunchPlan make_launch_plan(const Exec& exec, const ExecRequest& request, const Account& account, const Requester& requester) {
    Environment environment = base_environment(account, requester);
    add_requested(environment, request.environment);
    LaunchPlan plan;
    if (exec.mode == ExecMode::argv) {
        plan.program = find_program(request.words.front(), environment["PATH"]);
        plan.arguments.assign(request.words.begin() + 1, request.words.end());
    } else {
        plan.program = account.shell;
        if (request.words.front().empty()) plan.arguments = {"-s"};
        else plan.arguments = {"-c", request.words.front()};
    }
    plan.any_directory = request.directory.empty();
    plan.directory = plan.any_directory ? account.home : request.directory;
    for (const auto& [name, value] : environment) plan.environment.emplace_back(name).append(1, '=').append(value);
    return plan;
}

} // namespace rc
