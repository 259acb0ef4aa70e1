#include "client/show_settings.hpp"

#include <string_view>

namespace rc {

namespace {

std::string_view name_of(Family family) {
    switch (family) {
    case Family::any: return "any";
    case Family::ipv4: return "inet";
    case Family::ipv6: return "inet6";
    }
    return {};
}

std::string_view name_of(WantTerminal want) {
    switch (want) {
    case WantTerminal::at_prompt: return "auto";
    case WantTerminal::if_here: return "yes";
    case WantTerminal::always: return "force";
    case WantTerminal::never: return "no";
    }
    return {};
}

std::string_view name_of(HostChecking checking) {
    switch (checking) {
    case HostChecking::accept_new: return "accept-new";
    case HostChecking::strict: return "yes";
    case HostChecking::off: return "no";
    }
    return {};
}

} // namespace

std::string settings_text(const ClientOptions& options) {
    std::string text;
    const auto add = [&text](std::string_view name, std::string_view value) {
        text.append(name).append(1, ' ').append(value).append(1, '\n');
    };
    add("host", options.target.host);
    if (!options.target.user.empty()) add("user", options.target.user); // else the server knows which is the key's first
    add("hostname", options.address);
    add("port", std::to_string(options.port));
    add("addressfamily", name_of(options.family));
    add("identityfile", options.key_file.native());
    std::string files;
    for (const auto& file : options.known_hosts) files.append(files.empty() ? "" : " ").append(file.native());
    add("userknownhostsfile", files);
    add("stricthostkeychecking", name_of(options.host_checking));
    if (!options.host_key_alias.empty()) add("hostkeyalias", options.host_key_alias);
    if (options.connect_timeout) add("connecttimeout", std::to_string(options.connect_timeout->count()));
    add("requesttty", name_of(options.terminal));
    add("keep", std::to_string(options.keep.count()));
    if (options.timeout) add("timeout", std::to_string(options.timeout->count()));
    for (const std::string& assignment : options.environment) add("setenv", assignment);
    return text;
}

} // namespace rc
