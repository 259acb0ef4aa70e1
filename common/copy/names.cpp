#include "common/copy/names.hpp"

#include "common/bytes.hpp"

#include <fnmatch.h>

#include <algorithm>

namespace rc::copy {

namespace {

constexpr std::size_t longest_kept = 200; // of a name; with what is put around it it is still a name

std::string partial_name(const std::string& name, std::span<const std::byte> mark) {
    std::string partial = ".";
    return partial.append(name, 0, longest_kept).append(1, '.').append(to_hex(mark.first(4))).append(".rcmd-part");
}

} // namespace

std::string entry_name(std::string_view source) {
    while (source.ends_with('/')) source.remove_suffix(1);
    const std::string_view last = source.substr(source.rfind('/') + 1); // npos + 1 is 0
    const bool nameless = last.empty() || last == "." || last == ".." || source == "~";
    return std::string(nameless ? std::string_view{} : last);
}

bool valid_name(std::string_view name) {
    return !name.empty() && name != "." && name != ".." && name.size() <= name_limit && name.find('/') == name.npos &&
           name.find('\0') == name.npos;
}

bool is_wanted(const std::vector<std::string>& wanted, const std::string& name) {
    return std::ranges::any_of(wanted, [&](const std::string& pattern) {
        return pattern == name || (!name.empty() && ::fnmatch(pattern.c_str(), name.c_str(), FNM_PERIOD) == 0);
    });
}

bool has_pattern(std::string_view path) { return path.find_first_of("*?[") != path.npos; }

std::string partial_name(const std::string& name, const File& about) {
    std::string identity = name;
    for (const std::uint64_t number : {about.length, about.mtime, about.mtime_ns}) identity += '/' + std::to_string(number);
    return partial_name(name, sha256(as_bytes(identity)));
}

std::string unique_partial_name(const std::string& name) { return partial_name(name, make_random<Salt>()); }

} // namespace rc::copy
