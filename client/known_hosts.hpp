// The files that say which identity each host has: lines `HOST:PORT SHA256:FINGERPRINT`. Empty lines and those that begin with # are
// skipped; several lines for one host allow any of them.
#pragma once

#include "common/identity.hpp"

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rc {

// One line.
struct KnownHost {
    std::string name; // in lower case
    Fingerprint fingerprint;
    std::filesystem::path file;
    std::size_t line; // from 1
};

// What is known of a host. No line at all: nothing.
struct Lookup {
    bool known = false;            // a line has its fingerprint
    std::vector<KnownHost> others; // its lines with other fingerprints
};

// The lines of `text`. `file` is where it stands. Throws Failure{config} that names file and line of the first that is broken.
std::vector<KnownHost> parse_known_hosts(std::string_view text, const std::filesystem::path& file);

// Upper and lower case of `name` are alike.
Lookup look_up(const std::vector<KnownHost>& hosts, std::string_view name, const Fingerprint& shown);

// The line of a host, with its end.
std::string known_hosts_line(std::string_view name, const Fingerprint& fingerprint);

// Whether a name can stand in a line: one word, not empty, that does not begin with #.
bool valid_host_name(std::string_view name);

// The lines of all `files` that are there. Throws Failure{config} as well if one cannot be read, or if others can write it.
std::vector<KnownHost> read_known_hosts(const std::vector<std::filesystem::path>& files);

// Adds a line to a file that has none for that host; both are made if they are missing, for this user only. Returns what the file then
// says of the host, or nothing if another process is writing it. Throws what read_known_hosts() throws, and std::exception if the file
// cannot be written.
std::optional<Lookup> add_known_host(const std::filesystem::path& file, const std::string& name, const Fingerprint& shown);

// Stands for no file.
inline constexpr auto no_file = "/dev/null";

} // namespace rc
