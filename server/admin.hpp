// What a host's administrator does beside running the server: check, jobs, kill.
#pragma once

#include <optional>

namespace rc {

// The exit status if the first word is one of these verbs: 0, 1 when something was found or not done, 2 for a wrong command line.
std::optional<int> administer(int argc, char** argv);

} // namespace rc
