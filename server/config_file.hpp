// The configuration file: options of the command line by their long names, in TOML as CLI11 reads it.
#pragma once

#include <filesystem>

namespace CLI {
class App;
}

namespace rc {

// Gives those options of `app` that its command line, which has been parsed, left out the values that `file` has for them. Not
// CLI11's own set_config(): that reads before --help is looked at, does not say in which file a value is wrong, and passes over
// a name that comes again.
// Throws Error{internal} that names the file: it cannot be read, somebody else may write it, an unknown name, a bad value.
void read_config_file(CLI::App& app, const std::filesystem::path& file);

} // namespace rc
