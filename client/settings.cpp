#include "client/settings.hpp"

#include "client/known_hosts.hpp"
#include "common/bytes.hpp"
#include "common/files.hpp"

#include <algorithm>
#include <functional>
#include <map>

namespace rc {

namespace {

template <class T>
void fill(std::optional<T>& setting, const std::optional<T>& other) {
    if (!setting) setting = other;
}

} // namespace

void fill(Settings& settings, const Settings& others) {
    fill(settings.address, others.address);
    fill(settings.port, others.port);
    fill(settings.user, others.user);
    fill(settings.key, others.key);
    fill(settings.known_hosts, others.known_hosts);
    fill(settings.host_checking, others.host_checking);
    fill(settings.host_key_alias, others.host_key_alias);
    fill(settings.keep, others.keep);
    fill(settings.timeout, others.timeout);
    std::vector<std::string> more;
    std::ranges::copy_if(others.environment, std::back_inserter(more), [&](const std::string& assignment) {
        const auto same_name = [&](const std::string& own) { return name_of_assignment(own) == name_of_assignment(assignment); };
        return std::ranges::none_of(settings.environment, same_name);
    });
    settings.environment.insert(settings.environment.end(), more.begin(), more.end());
}

std::optional<HostChecking> parse_host_checking(std::string_view text) {
    static const std::map<std::string, HostChecking, std::less<>> values{{"yes", HostChecking::strict},
        {"true", HostChecking::strict}, {"accept-new", HostChecking::accept_new}, {"ask", HostChecking::accept_new},
        {"no", HostChecking::off}, {"false", HostChecking::off}, {"off", HostChecking::off}};
    const auto value = values.find(to_lower(text));
    if (value == values.end()) return std::nullopt;
    return value->second;
}

std::filesystem::path known_hosts_file(const std::string& text) { return text == "none" ? no_file : expand_home(text); }

std::optional<std::string_view> name_of_assignment(std::string_view assignment) {
    const std::size_t equals = assignment.find('=');
    if (equals == 0 || equals == std::string_view::npos) return std::nullopt;
    return assignment.substr(0, equals);
}

} // namespace rc
