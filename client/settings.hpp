// What can be said of a host in several places: on the command line, in the environment, in the configuration files. The first
// place that says it counts.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rc {

// What becomes of a host whose identity is not the one that is known. `strict`: an unknown host is refused as a changed one is; `off`: a
// changed one is taken as an unknown one is.
enum class HostChecking { accept_new, strict, off };

struct Settings {
    std::optional<std::string> address; // where to connect; absent: the host's name
    std::optional<std::uint16_t> port;
    std::optional<std::string> user;
    std::optional<std::filesystem::path> key;
    std::optional<std::vector<std::filesystem::path>> known_hosts; // the first is written
    std::optional<HostChecking> host_checking;
    std::optional<std::string> host_key_alias;
    std::optional<std::chrono::seconds> keep;
    std::optional<std::chrono::seconds> timeout;
    std::vector<std::string> environment; // NAME=VALUE
};

// Takes from `others` what `settings` do not say yet; of the environment, the names that they do not have.
void fill(Settings& settings, const Settings& others);

// As ssh has it: yes, accept-new, ask, no, off. Nothing for any other text.
std::optional<HostChecking> parse_host_checking(std::string_view text);

// A file of known hosts as a user writes it; `none` is no_file.
std::filesystem::path known_hosts_file(const std::string& text);

// The NAME of NAME=VALUE; nothing if it has none.
std::optional<std::string_view> name_of_assignment(std::string_view assignment);

} // namespace rc
