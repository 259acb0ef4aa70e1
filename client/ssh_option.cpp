#include "client/ssh_option.hpp"

#include "client/failure.hpp"
#include "client/known_hosts.hpp"
#include "common/bytes.hpp"
#include "common/files.hpp"

#include <fnmatch.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <utility>
#include <vector>

namespace rc {

namespace {

constexpr std::string_view blanks = " \t";

std::string_view trim(std::string_view text) {
    const std::size_t begin = text.find_first_not_of(blanks);
    if (begin == std::string_view::npos) return {};
    return text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
}

struct SshOption {
    std::string name;  // in lower case
    std::string raw;   // the value as it is written
    std::string value; // without quotes around it
};

// The name ends at blanks, at one =, or at both.
SshOption split(std::string_view text) {
    text = trim(text);
    const std::size_t end = std::min(text.find_first_of(" \t="), text.size());
    SshOption option;
    option.name = to_lower(text.substr(0, end));
    text = trim(text.substr(end));
    if (text.starts_with('=')) text = trim(text.substr(1));
    option.raw = text;
    const bool quoted = text.size() > 1 && text.front() == '"' && text.back() == '"';
    option.value = quoted ? text.substr(1, text.size() - 2) : text;
    return option;
}

struct Given {
    const SshOption& option;
    ClientOptions& options;
    Settings& settings;

    [[nodiscard]] const std::string& value() const { return option.value; }
    [[noreturn]] void refuse(std::string_view why) const {
        std::string problem = "-o ";
        problem.append(option.name).append(1, '=').append(option.value, 0, 256).append(": ").append(why);
        throw Failure("usage", problem.append("; see rcmd --help"));
    }
};

void take_port(const Given& given) {
    const auto port = parse_port(given.value());
    if (!port) given.refuse("not a number from 1 to 65535");
    if (!given.settings.port) given.settings.port = port;
}

void take_user(const Given& given) {
    if (!given.settings.user) given.settings.user = given.value();
}

void take_address(const Given& given) {
    if (!given.settings.address) given.settings.address = given.value();
}

void take_key(const Given& given) {
    if (!given.settings.key && given.value() != "none") given.settings.key = expand_home(given.value());
}

void take_connect_timeout(const Given& given) {
    if (given.value() == "none" || given.value() == "0") return;
    const auto timeout = parse_duration(given.value());
    if (!timeout) given.refuse("not a number of seconds");
    if (!given.options.connect_timeout) given.options.connect_timeout = timeout;
}

void take_family(const Given& given) {
    static const std::map<std::string, Family, std::less<>> families{
        {"any", Family::any}, {"inet", Family::ipv4}, {"inet6", Family::ipv6}};
    const auto family = families.find(to_lower(given.value()));
    if (family == families.end()) given.refuse("not any, inet or inet6");
    if (given.options.family == Family::any) given.options.family = family->second;
}

void take_terminal(const Given& given) {
    static const std::map<std::string, WantTerminal, std::less<>> wants{{"auto", WantTerminal::at_prompt},
        {"yes", WantTerminal::if_here}, {"force", WantTerminal::always}, {"no", WantTerminal::never}};
    const auto want = wants.find(to_lower(given.value()));
    if (want == wants.end()) given.refuse("not no, yes, force or auto");
    if (given.options.terminal == WantTerminal::at_prompt) given.options.terminal = want->second;
}

void take_log_level(const Given& given) {
    const std::string level = to_lower(given.value());
    if (level == "quiet") given.options.quiet = true;
    if (level == "verbose" || level.starts_with("debug")) given.options.verbose = true;
}

void take_no_stdin(const Given& given) {
    if (to_lower(given.value()) == "yes") given.options.no_stdin = true;
}

void take_session_type(const Given& given) {
    const std::string type = to_lower(given.value());
    if (type != "none" && type != "subsystem" && type != "default") given.refuse("not none, subsystem or default");
    if (type == "none") given.options.no_command = true;
    if (type == "subsystem") given.options.subsystem = true;
}

// With blanks between them, unless these are in quotes.
std::vector<std::string> words_of(const std::string& text) {
    std::vector<std::string> words;
    std::string word;
    bool in_word = false;
    bool quoted = false;
    for (const char c : text) {
        if (!quoted && blanks.find(c) != blanks.npos) {
            if (std::exchange(in_word, false)) words.push_back(std::exchange(word, {}));
            continue;
        }
        in_word = true;
        if (c == '"') quoted = !quoted;
        else word += c;
    }
    if (in_word) words.push_back(word);
    return words;
}

void take_environment(const Given& given) {
    for (const std::string& assignment : words_of(given.option.raw)) {
        if (!name_of_assignment(assignment)) given.refuse("not NAME=VALUE");
        given.settings.environment.push_back(assignment);
    }
}

// The server sets names that begin with RCMD_ itself.
void send_environment(const Given& given) {
    for (const std::string& pattern : words_of(given.option.raw)) {
        for (char** variable = environ; *variable != nullptr; ++variable) {
            const auto name = name_of_assignment(*variable);
            if (!name || name->starts_with("RCMD_")) continue;
            if (::fnmatch(pattern.c_str(), std::string(*name).c_str(), 0) == 0)
                given.settings.environment.emplace_back(*variable);
        }
    }
}

void take_host_checking(const Given& given) {
    const auto checking = parse_host_checking(given.value());
    if (!checking) given.refuse("not yes, accept-new, ask, no or off");
    if (!given.settings.host_checking) given.settings.host_checking = checking;
}

void take_known_hosts(const Given& given) {
    std::vector<std::filesystem::path> files;
    for (const std::string& word : words_of(given.option.raw)) files.push_back(known_hosts_file(word));
    if (files.empty()) given.refuse("no file is named");
    if (!given.settings.known_hosts) given.settings.known_hosts = files;
}

void take_host_key_alias(const Given& given) {
    if (!valid_host_name(given.value())) given.refuse("not one word");
    if (!given.settings.host_key_alias) given.settings.host_key_alias = given.value();
}

using Take = std::function<void(const Given& given)>;

// For what rcmd cannot do: only where it is not asked for.
Take only_if_off(const std::string& instead) {
    return [instead](const Given& given) {
        const std::string value = to_lower(given.value());
        if (value != "no" && value != "none") given.refuse(instead);
    };
}

const std::map<std::string, Take, std::less<>>& known_options() {
    static const std::map<std::string, Take, std::less<>> known{
        {"addressfamily", take_family},
        {"connecttimeout", take_connect_timeout},
        {"hostkeyalias", take_host_key_alias},
        {"hostname", take_address},
        {"identityfile", take_key},
        {"loglevel", take_log_level},
        {"port", take_port},
        {"requesttty", take_terminal},
        {"sendenv", send_environment},
        {"sessiontype", take_session_type},
        {"setenv", take_environment},
        {"stdinnull", take_no_stdin},
        {"stricthostkeychecking", take_host_checking},
        {"user", take_user},
        {"userknownhostsfile", take_known_hosts},
        {"bindaddress", only_if_off("rcmd lets the system choose the address it calls from")},
        {"bindinterface", only_if_off("rcmd lets the system choose the interface it calls from")},
        {"dynamicforward", only_if_off("rcmd forwards no ports")},
        {"forkafterauthentication", only_if_off("rcmd -d leaves a command running")},
        {"forwardagent", only_if_off("rcmd forwards no agent")},
        {"forwardx11", only_if_off("rcmd forwards no X11")},
        {"localforward", only_if_off("rcmd forwards no ports")},
        {"permitlocalcommand", only_if_off("rcmd runs no local commands")},
        {"proxycommand", only_if_off("rcmd goes through no proxy")},
        {"proxyjump", only_if_off("rcmd goes through no other host")},
        {"remotecommand", only_if_off("give the command as words")},
        {"remoteforward", only_if_off("rcmd forwards no ports")},
        {"tunnel", only_if_off("rcmd makes no tunnels")},
    };
    return known;
}

// The rest of what ssh_config(5) of OpenSSH 9 lists: nothing that rcmd does depends on them.
constexpr std::array ignored{"addkeystoagent", "batchmode", "canonicaldomains", "canonicalizefallbacklocal",
    "canonicalizehostname", "canonicalizemaxdots", "canonicalizepermittedcnames", "casignaturealgorithms", "certificatefile",
    "challengeresponseauthentication", "channeltimeout", "checkhostip", "cipher", "ciphers", "clearallforwardings", "compression",
    "compressionlevel", "connectionattempts", "controlmaster", "controlpath", "controlpersist", "enableescapecommandline",
    "enablesshkeysign", "escapechar", "exitonforwardfailure", "fingerprinthash", "forwardx11timeout", "forwardx11trusted",
    "gatewayports", "globalknownhostsfile", "gssapiauthentication", "gssapiclientidentity", "gssapidelegatecredentials",
    "gssapikeyexchange", "gssapirenewalforcesrekey", "gssapiserveridentity", "gssapitrustdns", "hashknownhosts",
    "hostbasedacceptedalgorithms", "hostbasedauthentication", "hostbasedkeytypes", "hostkeyalgorithms", "identitiesonly",
    "identityagent", "ignoreunknown", "ipqos", "kbdinteractiveauthentication", "kbdinteractivedevices", "kexalgorithms",
    "keyboardinteractiveauthentication", "knownhostscommand", "localcommand", "logverbose", "macs",
    "nohostauthenticationforlocalhost", "numberofpasswordprompts", "obscurekeystroketiming", "passwordauthentication",
    "permitremoteopen", "pkcs11provider", "preferredauthentications", "protocol", "proxyusefdpass", "pubkeyacceptedalgorithms",
    "pubkeyacceptedkeytypes", "pubkeyauthentication", "rekeylimit", "requiredrsasize", "revokedhostkeys", "securitykeyprovider",
    "serveralivecountmax", "serveraliveinterval", "streamlocalbindmask", "streamlocalbindunlink", "syslogfacility", "tag",
    "tcpkeepalive", "tunneldevice", "updatehostkeys", "useprivilegedport", "verifyhostkeydns", "versionaddendum", "visualhostkey",
    "xauthlocation"};

} // namespace

bool take_ssh_option(std::string_view text, ClientOptions& options, Settings& settings) {
    const SshOption option = split(text);
    const Given given{option, options, settings};
    if (option.name.empty() || option.value.empty()) given.refuse("not NAME=VALUE");
    const auto known = known_options().find(option.name);
    if (known == known_options().end()) return std::ranges::find(ignored, option.name) != ignored.end();
    known->second(given);
    return true;
}

} // namespace rc
