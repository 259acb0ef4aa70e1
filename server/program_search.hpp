// Where a program is that was named without a path. It is tried, not looked for: by the process that is to become it, with the rights of its user,
// because a directory of a user's choice may not answer.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace rc {

// As for execvp(3), but of `path` (of the form of PATH) only the absolute directories count, and no more than the first 256 of them. A name with a
// slash is its only place; one that is longer than any file's has none.
std::vector<std::string> places_of(const std::string& name, std::string_view path);

// Becomes the first of them that can be executed. Returns why it is none: errno of the only one, or EACCES if one of them may not be executed, or
// ENOENT. Makes system calls and nothing else, so that it may be called between vfork and exec.
int execute_first(const std::vector<std::string>& places, char* const* arguments, char* const* environment);

// For a message. `problem` is what execute_first() returned for that name.
std::string why_not_executed(std::string_view name, int problem);

} // namespace rc
