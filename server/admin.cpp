#include "server/admin.hpp"

#include "common/error.hpp"
#include "server/account.hpp"
#include "server/authorized_keys.hpp"
#include "server/control_socket.hpp"
#include "server/listener.hpp"
#include "server/options.hpp"
#include "server/service.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include <CLI/App.hpp>

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <string_view>

namespace rc {

namespace {

void print(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }

// Every account that the lines name, so that a wrong one shows before its key is used.
void check_accounts(const AuthorizedKeys& keys, std::vector<std::string>& findings) {
    if (::geteuid() != 0) return;
    for (const auto& [id, key] : keys.keys) {
        for (const std::string& user : key.options.users) {
            try {
                find_account(user);
            } catch (const Error& error) {
                findings.push_back("line " + std::to_string(key.line) + ": user=: " + error.what());
            }
        }
    }
}

std::vector<std::string> findings_in(const std::filesystem::path& file) {
    try {
        const AuthorizedKeys keys = read_authorized_keys(file, ::geteuid() == 0);
        std::vector<std::string> findings = keys.problems;
        check_accounts(keys, findings);
        if (keys.keys.empty()) findings.emplace_back("no key may log in");
        for (std::string& finding : findings) finding.insert(0, file.string() + ": ");
        return findings;
    } catch (const Error& error) { // it names the file
        return {error.what()};
    }
}

void check_addresses(const std::vector<std::string>& addresses, std::vector<std::string>& findings) {
    for (const std::string& address : addresses) {
        try {
            parse_address(address);
        } catch (const Error& error) {
            findings.emplace_back(error.what());
        }
    }
}

int check(int argc, char** argv) {
    ServerOptions options;
    if (const auto status = parse_options(argc, argv, options, "check")) return *status;
    std::vector<std::string> findings = findings_in(options.authorized_keys);
    check_addresses(options.listen, findings);
    for (const std::string& finding : findings) print(finding + '\n');
    if (findings.empty()) print("no problem was found in the configuration and in " + options.authorized_keys.string() + '\n');
    return findings.empty() ? 0 : 1;
}

// The daemon is asked; without one there are still the jobs on the disk.
std::string control(const std::filesystem::path& state_dir, const ControlRequest& request) {
    if (::access(state_dir.c_str(), R_OK | X_OK) != 0) {
        throw Error(ErrorCode::internal, state_dir.string() + ": " + std::strerror(errno) +
                                             "; run this as the user that the server runs as, or name its --state-dir");
    }
    if (auto answer = ask_daemon(state_dir, request)) return *answer;
    const DurableJobs durable(jobs_directory(state_dir), {});
    asio::io_context context(1);
    auto result = asio::co_spawn(context, control_jobs(request, nullptr, durable), asio::use_future);
    context.run();
    return result.get();
}

int jobs(int argc, char** argv) {
    ServerOptions options;
    ControlRequest request;
    const auto extend = [&](CLI::App& app) {
        app.add_flag("--json", request.json, "One JSON object for each job, a line each")->configurable(false);
    };
    if (const auto status = parse_options(argc, argv, options, "jobs", extend)) return *status;
    print(control(options.state_dir, request));
    return 0;
}

int kill(int argc, char** argv) {
    ServerOptions options;
    ControlRequest request;
    request.signal = "TERM";
    const auto extend = [&](CLI::App& app) {
        app.add_option("-s,--signal", request.signal, "Signal to send, without SIG")
            ->type_name("NAME")
            ->configurable(false)
            ->capture_default_str();
        app.add_option("KEY", request.key, "Key id")->required()->configurable(false);
        app.add_option("JOB", request.job, "Job id (default: every job of the key that runs)")->configurable(false);
    };
    if (const auto status = parse_options(argc, argv, options, "kill", extend)) return *status;
    if (request.signal.starts_with("SIG")) request.signal.erase(0, 3);
    control(options.state_dir, request);
    return 0;
}

} // namespace

std::optional<int> administer(int argc, char** argv) {
    const std::string_view verb = argc > 1 ? argv[1] : "";
    if (verb == "check") return check(argc - 1, argv + 1);
    if (verb == "jobs") return jobs(argc - 1, argv + 1);
    if (verb == "kill") return kill(argc - 1, argv + 1);
    return std::nullopt;
}

} // namespace rc
