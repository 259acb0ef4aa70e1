// The names of files in a copy. They are bytes: anything but / and NUL.
#pragma once

#include "common/copy/message.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace rc::copy {

// What a source is called in its target: the last part of its path. Empty for one that has no name of its own (`.`, `..`, `/`, `~`):
// its content goes into the target itself.
std::string entry_name(std::string_view source);

// Whether it names something in a folder, and in no other one.
bool valid_name(std::string_view name);

// Whether what is called `name` was asked for by one of `wanted`, the names of the sources, in which * ? [ are patterns.
bool is_wanted(const std::vector<std::string>& wanted, const std::string& name);

// Whether `path` can be a pattern.
bool has_pattern(std::string_view path);

// Where a file waits beside its target until it is complete: the same for the same source, so that it can be continued.
std::string partial_name(const std::string& name, const File& about);
// The same, for nobody else.
std::string unique_partial_name(const std::string& name);

} // namespace rc::copy
