// What can stand for the beginning of a word, for a client's Tab: this same program, started in another mode as the user, in the
// directory and with the environment in which the completed command would run.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace rc {

// The subsystem's name; its arguments are a kind (command, path or variable) and the beginning. `command`: programs in PATH, and what
// every shell has built in. `path`: entries of the beginning's directory, without that, and directories with a slash behind;
// hidden ones only for a beginning with a dot. `variable`: of the environment.
inline constexpr std::string_view complete_verb = "complete";

// At most this many are found.
inline constexpr std::size_t most_completions = 2000;

// Sorted, each once. Empty also for what cannot be read and for an unknown kind.
std::vector<std::string> completions(std::string_view kind, const std::string& beginning);

// Prints them, a NUL behind each. Returns the exit status.
int print_completions(int argc, char** argv);

} // namespace rc
