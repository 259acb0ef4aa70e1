#include "server/config_file.hpp"

#include "common/bytes.hpp"
#include "common/error.hpp"
#include "common/files.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>

#include <algorithm>
#include <set>
#include <sstream>
#include <string>
#include <string_view>

namespace rc {

namespace {

constexpr std::size_t most_bytes = 64 * 1024;

std::string quoted(const std::string& text) { return "'" + escape(text, 64) + "'"; }

CLI::Option& option_of(CLI::App& app, const CLI::ConfigItem& item) {
    if (!item.parents.empty()) throw CLI::ConfigError(quoted(item.parents.front()) + ": there are no sections here");
    CLI::Option* option = app.get_option_no_throw("--" + item.name);
    if (option == nullptr || !option->get_configurable()) throw CLI::ConfigError("unknown name " + quoted(item.name));
    return *option;
}

// CLI11 2.1 takes a # for the beginning of a comment within quotes, too, and leaves the first quote in the value.
bool has_lost_its_end(const std::string& value) { return value.starts_with('"') || value.starts_with('\''); }

void set_option(CLI::Option& option, const CLI::ConfigItem& item) {
    if (item.inputs.empty()) throw CLI::ConfigError(item.name + ": there is no value");
    if (std::ranges::any_of(item.inputs, has_lost_its_end))
        throw CLI::ConfigError(item.name + ": a quote is not closed before a # or the end of the line");
    option.add_result(item.inputs);
    option.run_callback();
}

} // namespace

void read_config_file(CLI::App& app, const std::filesystem::path& file) {
    std::istringstream text(read_guarded(file, 022, most_bytes));
    std::set<const CLI::Option*> seen;
    try {
        for (const CLI::ConfigItem& item : CLI::ConfigTOML().from_config(text)) {
            CLI::Option& option = option_of(app, item);
            const bool again = !seen.insert(&option).second;
            if (again) throw CLI::ConfigError(item.name + " is there twice");
            if (option.empty()) set_option(option, item);
        }
    } catch (const CLI::Error& error) {
        throw Error(ErrorCode::internal, file.string() + ": " + error.what());
    }
}

} // namespace rc
