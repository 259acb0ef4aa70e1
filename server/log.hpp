// The log: one line an event, whatever a peer put into the values.
#pragma once

#include "server/log_format.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace rc {

struct LogOptions {
    std::filesystem::path file;  // empty: stderr
    std::string level = "info";  // the least important that is logged: debug, info, warning, error
    std::string format = "text"; // or json
};

// Lines on a stderr that leads to systemd's journal begin with a level that the journal understands, and leave the time to it. Throws
// Error{internal} if the file cannot be opened.
void open_log(const LogOptions& options);

// After the file has been rotated: opens it anew, or goes on with the former one and logs why. Does nothing if the log is on stderr.
void reopen_log();

void log_event(std::string_view event, LogFields fields);
void log_warning(std::string_view event, LogFields fields);
void log_debug(std::string_view event, LogFields fields);

// Microseconds as seconds with three decimals.
std::string seconds_text(std::uint64_t microseconds);

} // namespace rc
