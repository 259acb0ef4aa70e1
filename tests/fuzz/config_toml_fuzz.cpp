// Whatever stands in the client's configuration file: it is read, or refused with the line that is wrong; what is read can be used.
#include "client/config_file.hpp"
#include "client/failure.hpp"
#include "tests/fuzz/lines.hpp"
#include "tests/fuzz/require.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace rc {
namespace {

constexpr std::string_view file = "config.toml";

void check(const Settings& settings) {
    const auto whole = [](const std::string& text) { return text.find('\0') == text.npos; };
    require(!settings.port || *settings.port > 0);
    require(!settings.keep || settings.keep->count() >= 0);
    require(!settings.timeout || settings.timeout->count() > 0);
    require(!settings.address || whole(*settings.address));
    require(!settings.user || whole(*settings.user));
    require(!settings.key || whole(settings.key->string()));
    for (const std::string& assignment : settings.environment) require(name_of_assignment(assignment) && whole(assignment));
}

// FILE:LINE: what is wrong
void check_names_line(std::string_view problem, std::string_view text) {
    require(problem.starts_with(file) && problem.at(file.size()) == ':');
    const unsigned long line = std::strtoul(problem.data() + file.size() + 1, nullptr, 10);
    require(line >= 1 && line <= static_cast<unsigned long>(std::ranges::count(text, '\n')) + 1);
}

} // namespace
} // namespace rc

extern "C" int LLVMFuzzerInitialize(int*, char***) {
    ::setenv("HOME", "/home/operator", 1); // for ~, which is not looked at
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text = rc::as_input(data, size);
    try {
        const std::vector<rc::HostSettings> tables = rc::parse_config(text, rc::file);
        for (const rc::HostSettings& table : tables) rc::check(table.settings);
        for (const char* host : {"db1.example.org", "::1", ""}) rc::check(rc::settings_for(tables, host));
    } catch (const rc::Failure& failure) {
        rc::require(failure.code() == "config");
        rc::check_names_line(failure.what(), text);
    }
    return 0;
}
