// The log: one line an event, `event key=value …`, whatever a peer put into the values.
#pragma once

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace rc {

// `file` empty: stderr. `level`: debug, info, warning, error. Throws Error{internal} if the file cannot be opened.
void open_log(const std::filesystem::path& file, const std::string& level);

using LogFields = std::initializer_list<std::pair<std::string_view, std::string>>;

// Values are escaped, and quoted where they hold a blank, a quote or nothing.
void log_event(std::string_view event, LogFields fields);
void log_warning(std::string_view event, LogFields fields);
void log_debug(std::string_view event, LogFields fields);

// Microseconds as seconds with three decimals.
std::string seconds_text(std::uint64_t microseconds);

// The line of an event, without time and level.
std::string log_line(std::string_view event, LogFields fields);

} // namespace rc
