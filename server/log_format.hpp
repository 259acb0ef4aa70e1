// How an event is written: as `event key=value …`, or as the fields of a JSON object.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace rc {

using LogFields = std::initializer_list<std::pair<std::string_view, std::string>>;

enum class LogFormat { text, json };

// `name`: text or json, which the command line has checked.
LogFormat log_format(std::string_view name);

// What follows on time and level in the line of an event. As text, values are escaped, and quoted where they hold a blank, a quote or
// nothing. As JSON it is the rest of the object, whose values are strings: who reads them gets what the peer sent, but for bytes that
// are not UTF-8. A long value is cut.
std::string log_line(LogFormat format, std::string_view event, LogFields fields);

} // namespace rc
