#include "client/config_file.hpp"

#include "client/failure.hpp"
#include "client/known_hosts.hpp"
#include "client/target.hpp"
#include "common/bytes.hpp"
#include "common/error.hpp"
#include "common/files.hpp"

// What toml++ asserts of a file it also checks, and says what is wrong: so an assertion must neither end the program nor, as with
// NDEBUG, be taken for granted.
#undef NDEBUG
#define TOML_ASSERT(condition) static_assert(true)
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

#include <fnmatch.h>

#include <algorithm>
#include <functional>
#include <map>

namespace rc {

namespace {

constexpr std::size_t largest_file = 1024 * 1024;
constexpr auto nothing_started = "; nothing was started";

std::string quoted(std::string_view name) {
    std::string text = "'";
    return text.append(name).append(1, '\'');
}

// A file, for what is said of it.
class Source {
public:
    explicit Source(const std::filesystem::path& file) : file_(file) {}

    [[noreturn]] void fail(const toml::source_region& where, const std::string& problem) const {
        throw Failure("config", file_.string() + ':' + std::to_string(where.begin.line) + ": " + problem + nothing_started);
    }

    [[nodiscard]] std::string text(const toml::node& node, const std::string& name) const {
        const auto value = node.value_exact<std::string>();
        if (!value) fail(node.source(), name + " must be a string");
        if (value->find('\0') != std::string::npos) fail(node.source(), name + " holds a NUL");
        return *value;
    }

    // A string, or a whole number of seconds.
    [[nodiscard]] std::string duration_text(const toml::node& node, const std::string& name) const {
        const auto number = node.value_exact<std::int64_t>();
        return number ? std::to_string(*number) : text(node, name);
    }

    [[nodiscard]] std::chrono::seconds duration(const toml::node& node, const std::string& name) const {
        return right(parse_duration(duration_text(node, name)), node, name);
    }

    [[nodiscard]] std::chrono::seconds keep(const toml::node& node) const {
        return right(parse_keep(duration_text(node, "keep")), node, "keep");
    }

    [[nodiscard]] std::uint16_t port(const toml::node& node) const {
        const auto number = node.value_exact<std::int64_t>();
        const auto port = number ? parse_port(std::to_string(*number)) : std::nullopt;
        if (!port) fail(node.source(), "port must be a number from 1 to 65535");
        return *port;
    }

    [[nodiscard]] HostChecking host_checking(const toml::node& node) const {
        const auto checking = parse_host_checking(text(node, "strict-host-key-checking"));
        if (!checking) fail(node.source(), "strict-host-key-checking is not \"yes\", \"accept-new\" or \"no\"");
        return *checking;
    }

    [[nodiscard]] std::string host_key_alias(const toml::node& node) const {
        std::string alias = text(node, "host-key-alias");
        if (!valid_host_name(alias)) fail(node.source(), "host-key-alias is not one word");
        return alias;
    }

    [[nodiscard]] const toml::table& table(const toml::node& node, const std::string& name) const {
        if (!node.is_table()) fail(node.source(), name + " must be a table");
        return *node.as_table();
    }

    [[nodiscard]] std::vector<std::string> environment(const toml::node& node) const {
        std::vector<std::string> assignments;
        for (const auto& [name, value] : table(node, "env")) {
            std::string assignment(name.str());
            assignment.append(1, '=').append(text(value, "env." + std::string(name.str())));
            if (!name_of_assignment(assignment) || name.str().find('=') != std::string_view::npos)
                fail(value.source(), quoted(name.str()) + " is no name of a variable");
            assignments.push_back(std::move(assignment));
        }
        return assignments;
    }

private:
    [[nodiscard]] std::chrono::seconds right(
        std::optional<std::chrono::seconds> duration, const toml::node& node, const std::string& name) const {
        if (!duration) fail(node.source(), name + " is not a duration, such as \"90s\", \"5m\", \"8h\" or \"2d\"");
        return *duration;
    }

    const std::filesystem::path& file_;
};

using Take = std::function<void(const Source& source, const toml::node& node, Settings& settings)>;

const std::map<std::string, Take, std::less<>>& known_settings() {
    static const std::map<std::string, Take, std::less<>> known{
        {"address", [](const auto& source, const auto& node, auto& out) { out.address = source.text(node, "address"); }},
        {"port", [](const auto& source, const auto& node, auto& out) { out.port = source.port(node); }},
        {"user", [](const auto& source, const auto& node, auto& out) { out.user = source.text(node, "user"); }},
        {"key", [](const auto& source, const auto& node, auto& out) { out.key = expand_home(source.text(node, "key")); }},
        {"known-hosts", [](const auto& source, const auto& node,
                            auto& out) { out.known_hosts = {known_hosts_file(source.text(node, "known-hosts"))}; }},
        {"strict-host-key-checking",
            [](const auto& source, const auto& node, auto& out) { out.host_checking = source.host_checking(node); }},
        {"host-key-alias",
            [](const auto& source, const auto& node, auto& out) { out.host_key_alias = source.host_key_alias(node); }},
        {"keep", [](const auto& source, const auto& node, auto& out) { out.keep = source.keep(node); }},
        {"timeout", [](const auto& source, const auto& node, auto& out) { out.timeout = source.duration(node, "timeout"); }},
        {"env", [](const auto& source, const auto& node, auto& out) { out.environment = source.environment(node); }},
    };
    return known;
}

std::string names_of_settings() {
    std::string names;
    for (const auto& [name, take] : known_settings()) names.append(names.empty() ? "" : ", ").append(name);
    return names;
}

Settings read_settings(const Source& source, const toml::table& table) {
    Settings settings;
    for (const auto& [name, node] : table) {
        const auto known = known_settings().find(name.str());
        if (known == known_settings().end())
            source.fail(name.source(), quoted(name.str()) + " is no setting of a host; there are " + names_of_settings());
        known->second(source, node, settings);
    }
    return settings;
}

struct Placed {
    HostSettings host;
    toml::source_position where;
};

toml::table parse(std::string_view text, const Source& source) {
    try {
        return toml::parse(text);
    } catch (const toml::parse_error& error) {
        source.fail(error.source(), std::string(error.description()));
    }
}

} // namespace

std::vector<HostSettings> parse_config(std::string_view text, const std::filesystem::path& file) {
    const Source source(file);
    const toml::table root = parse(text, source);
    std::vector<Placed> placed;
    for (const auto& [name, node] : root) {
        if (name.str() != "host")
            source.fail(name.source(), quoted(name.str()) + " is unknown; settings stand in tables such as [host.NAME]");
        for (const auto& [pattern, settings] : source.table(node, "host")) {
            const toml::table& table = source.table(settings, "host." + std::string(pattern.str()));
            placed.push_back({{std::string(pattern.str()), read_settings(source, table)}, pattern.source().begin});
        }
    }
    // toml++ sorts by name.
    std::ranges::sort(placed, {}, [](const Placed& one) { return std::pair(one.where.line, one.where.column); });
    std::vector<HostSettings> tables;
    tables.reserve(placed.size());
    for (Placed& one : placed) tables.push_back(std::move(one.host));
    return tables;
}

std::vector<HostSettings> read_config(const std::filesystem::path& file) {
    constexpr mode_t others_write = 022;
    try {
        return parse_config(read_guarded(file, others_write, largest_file), file);
    } catch (const Error& error) {
        throw Failure("config", std::string(error.what()) + nothing_started);
    }
}

Settings settings_for(const std::vector<HostSettings>& tables, const std::string& host) {
    Settings settings;
    for (const HostSettings& table : tables) {
        if (::fnmatch(table.pattern.c_str(), host.c_str(), 0) == 0) fill(settings, table.settings);
    }
    return settings;
}

} // namespace rc
