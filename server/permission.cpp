#include "server/permission.hpp"

#include "common/error.hpp"

#include <algorithm>
#include <string_view>

namespace rc {

namespace {

bool matches(std::string_view pattern, std::string_view name) {
    if (!pattern.ends_with('*')) return pattern == name;
    pattern.remove_suffix(1);
    return name.starts_with(pattern);
}

bool may_set(const Restrictions& key, std::string_view assignment) {
    if (!key.environment) return !key.command;
    const std::string_view name = assignment.substr(0, assignment.find('='));
    return std::ranges::any_of(*key.environment, [&](const std::string& pattern) { return matches(pattern, name); });
}

void force(const std::string& command, Grant& granted) {
    if (granted.exec.mode == ExecMode::subsystem)
        throw Error(ErrorCode::forbidden, "this key runs one command only (command=), no subsystem and no copy");
    granted.request.original = one_line(granted.request.words);
    granted.request.words = {command};
    granted.request.directory.clear();
    granted.exec.words = 1;
    granted.exec.mode = ExecMode::shell;
    granted.exec.state = false;
}

} // namespace

void check_usable(const KeyOptions& key, const boost::asio::ip::address& address, std::chrono::system_clock::time_point now) {
    if (key.expires && *key.expires <= now) throw Error(ErrorCode::forbidden, "this key has expired (expires=)");
    const auto holds = [&](const Network& network) { return network.contains(address); };
    if (!key.from.empty() && std::ranges::none_of(key.from, holds))
        throw Error(ErrorCode::forbidden, "this key may not be used from " + address.to_string() + " (from=)");
}

Grant grant(const Restrictions& key, const Exec& exec, const ExecRequest& request) {
    if (exec.pty && !key.pty) throw Error(ErrorCode::forbidden, "this key may not have a terminal (no-pty)");
    Grant granted{exec, request};
    const bool any_environment = !key.environment && !key.command;
    if (!any_environment) {
        granted.exec.umask.reset(); // with it goes a whole environment, which it may not set
        std::erase_if(granted.request.environment, [&](const std::string& assignment) { return !may_set(key, assignment); });
    }
    if (key.command) force(*key.command, granted);
    return granted;
}

} // namespace rc
