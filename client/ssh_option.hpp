// Options of ssh_config(5), as programs that call ssh give them with -o.
#pragma once

#include "client/options.hpp"
#include "client/settings.hpp"

#include <string>
#include <string_view>

namespace rc {

// Sets what `text`, `NAME=VALUE` or `NAME VALUE`, says in `options` or `settings`, unless that is set already: as in ssh the first one
// counts. What has no meaning here is ignored, what would change the meaning of the command line if it were ignored is refused:
// throws Failure{usage}. Returns whether ssh has an option of that name.
bool take_ssh_option(std::string_view text, ClientOptions& options, Settings& settings);

} // namespace rc
