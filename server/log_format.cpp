#include "server/log_format.hpp"

#include "common/bytes.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

namespace rc {

namespace json = boost::json;

namespace {

constexpr std::size_t longest_value = 1024;

std::string quote(std::string_view value) {
    std::string safe = escape(value, longest_value);
    if (!safe.empty() && safe.find_first_of(" \"=") == std::string::npos) return safe;
    std::string quoted = "\"";
    for (const char c : safe) {
        if (c == '"') quoted += '\\';
        quoted += c;
    }
    return quoted += '"';
}

std::string shortened(std::string_view value) {
    std::string text(value.substr(0, longest_value));
    if (value.size() > longest_value) text += "…";
    return text;
}

std::string text_line(std::string_view event, LogFields fields) {
    std::string line(event);
    for (const auto& [name, value] : fields) {
        line += ' ';
        line += name;
        line += '=';
        line += quote(value);
    }
    return line;
}

std::string json_line(std::string_view event, LogFields fields) {
    json::object line;
    line.emplace("event", event);
    for (const auto& [name, value] : fields) line.emplace(name, shortened(value));
    return escape_json(json::serialize(line)).substr(1);
}

} // namespace

LogFormat log_format(std::string_view name) { return name == "json" ? LogFormat::json : LogFormat::text; }

std::string log_line(LogFormat format, std::string_view event, LogFields fields) {
    return format == LogFormat::json ? json_line(event, fields) : text_line(event, fields);
}

} // namespace rc
