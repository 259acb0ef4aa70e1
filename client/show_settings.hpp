// rcmd -G HOST: what the command line, the environment and the configuration files say of a host.
#pragma once

#include "client/options.hpp"

#include <string>

namespace rc {

// A line `name value` for each, with the names that `ssh -G` has where it has them.
std::string settings_text(const ClientOptions& options);

} // namespace rc
