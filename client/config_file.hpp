// The client's configuration: tables `[host."PATTERN"]` in TOML 1.0 with settings for the hosts whose name, as the user gives it,
// the pattern (fnmatch(3)) matches. The ONLY file that includes toml++.
#pragma once

#include "client/settings.hpp"

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace rc {

struct HostSettings {
    std::string pattern;
    Settings settings;
};

// The tables of `text` in their order. `file` is for errors. Throws Failure{config} that names file, line and what is wrong there:
// no TOML, an unknown name, a value of the wrong kind.
std::vector<HostSettings> parse_config(std::string_view text, const std::filesystem::path& file);

// The same for a file of at most 1 MiB. Throws Failure{config} if it is missing or cannot be read, or if others can write it: it says
// where passwords are typed and which key is shown.
std::vector<HostSettings> read_config(const std::filesystem::path& file);

// What these tables say of a host: of each setting the first that is found.
Settings settings_for(const std::vector<HostSettings>& tables, const std::string& host);

} // namespace rc
