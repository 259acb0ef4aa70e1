#include "server/key_options.hpp"

#include "common/bytes.hpp"
#include "common/error.hpp"

#include <algorithm>
#include <charconv>
#include <ctime>

namespace rc {

namespace {

constexpr std::string_view blanks = " \t\r";

Error bad(const std::string& problem) { return {ErrorCode::bad_message, problem}; }

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_blank(char c) { return blanks.find(c) != std::string_view::npos; }

// Takes one word off the front of `rest`.
std::string take_word(std::string_view& rest) {
    std::string word;
    bool quoted = false;
    std::size_t at = 0;
    for (; at < rest.size() && (quoted || !is_blank(rest[at])); ++at) {
        const bool escaped = quoted && rest[at] == '\\' && at + 1 < rest.size() && rest[at + 1] == '"';
        if (escaped) word += rest[++at];
        else if (rest[at] == '"') quoted = !quoted;
        else word += rest[at];
    }
    if (quoted) throw bad("a quote that is not closed");
    rest.remove_prefix(at);
    return word;
}

std::vector<std::string> list_of(std::string_view name, std::string_view value) {
    std::vector<std::string> items;
    for (;;) {
        const std::size_t end = std::min(value.find(','), value.size());
        if (end == 0) throw bad(std::string(name) + "= has an empty name");
        items.emplace_back(value.substr(0, end));
        if (end == value.size()) return items;
        value.remove_prefix(end + 1);
    }
}

std::vector<Network> networks_of(std::string_view value) {
    std::vector<Network> networks;
    for (const std::string& item : list_of("from", value)) {
        const auto network = Network::parse(item);
        if (!network) throw bad("from=: '" + escape(item, 64) + "' is not ADDRESS or ADDRESS/BITS");
        networks.push_back(*network);
    }
    return networks;
}

// A * stands at the end only.
bool valid_name(std::string_view name) {
    if (name.ends_with('*')) name.remove_suffix(1);
    return name.find_first_of("=*") == std::string_view::npos && !name.starts_with("RCMD_");
}

std::vector<std::string> environment_of(std::string_view value) {
    std::vector<std::string> names = list_of("env", value);
    for (const std::string& name : names) {
        if (!valid_name(name)) throw bad("env=: '" + escape(name, 64) + "' is not a name that may be set");
    }
    return names;
}

std::size_t count_of(std::string_view value) {
    std::size_t count = 0;
    const char* const end = value.data() + value.size();
    const auto [rest, problem] = std::from_chars(value.data(), end, count);
    if (value.empty() || problem != std::errc{} || rest != end) throw bad("max-jobs= needs a number");
    return count;
}

std::chrono::system_clock::time_point date_of(std::string_view value) {
    const auto date = parse_date(value);
    if (!date) throw bad("expires=: '" + escape(value, 64) + "' is not a date, as 2030-12-31 or 2030-12-31T18:00Z");
    return *date;
}

std::string command_of(std::string_view value) {
    if (value.empty()) throw bad("command= is empty");
    if (value.find('\0') != std::string_view::npos) throw bad("command= with a NUL in it");
    return std::string(value);
}

// An option is there once.
template <class Value>
void set(std::string_view name, bool there, Value& target, Value value) {
    if (there) throw bad(std::string(name) + " is there twice");
    target = std::move(value);
}

void take_flag(std::string_view option, KeyOptions& options) {
    if (option != "no-pty") throw Error(ErrorCode::unsupported, "unknown option '" + escape(option, 64) + "'");
    set("no-pty", !options.restrictions.pty, options.restrictions.pty, false);
}

} // namespace

std::vector<std::string> split_line(std::string_view line) {
    std::vector<std::string> words;
    for (;;) {
        while (!line.empty() && is_blank(line.front())) line.remove_prefix(1);
        if (line.empty()) return words;
        words.push_back(take_word(line));
    }
}

void take_option(std::string_view option, KeyOptions& options) {
    const std::size_t equals = option.find('=');
    if (equals == std::string_view::npos) return take_flag(option, options);
    const std::string_view name = option.substr(0, equals);
    const std::string_view value = option.substr(equals + 1);
    Restrictions& restrictions = options.restrictions;
    if (name == "user") set(name, !options.users.empty(), options.users, list_of(name, value));
    else if (name == "command")
        set(name, restrictions.command.has_value(), restrictions.command, std::optional(command_of(value)));
    else if (name == "from") set(name, !options.from.empty(), options.from, networks_of(value));
    else if (name == "expires") set(name, options.expires.has_value(), options.expires, std::optional(date_of(value)));
    else if (name == "env")
        set(name, restrictions.environment.has_value(), restrictions.environment, std::optional(environment_of(value)));
    else if (name == "max-jobs") set(name, options.max_jobs.has_value(), options.max_jobs, std::optional(count_of(value)));
    else throw Error(ErrorCode::unsupported, "unknown option '" + escape(option, 64) + "'");
}

std::optional<std::chrono::system_clock::time_point> parse_date(std::string_view text) {
    const bool utc = text.ends_with('Z');
    if (utc) text.remove_suffix(1);
    const bool dashes = text.find('-') != std::string_view::npos;
    std::string digits;
    const std::string_view shape = dashes ? "dddd-dd-ddTdd:dd:dd" : "dddddddddddddd";
    if (text.size() > shape.size()) return std::nullopt;
    for (std::size_t at = 0; at < text.size(); ++at) {
        const bool fits = shape[at] == 'd' ? is_digit(text[at]) : shape[at] == text[at];
        if (!fits) return std::nullopt;
        if (is_digit(text[at])) digits += text[at];
    }
    const bool whole = digits.size() == 8 || digits.size() == 12 || digits.size() == 14;
    if (!whole || !is_digit(text.back())) return std::nullopt;
    digits.resize(14, '0');
    const auto number = [&](std::size_t at, std::size_t count) { return std::stoi(digits.substr(at, count)); };
    std::tm wanted{};
    wanted.tm_year = number(0, 4) - 1900;
    wanted.tm_mon = number(4, 2) - 1;
    wanted.tm_mday = number(6, 2);
    wanted.tm_hour = number(8, 2);
    wanted.tm_min = number(10, 2);
    wanted.tm_sec = number(12, 2);
    wanted.tm_isdst = -1;
    std::tm normal = wanted;
    const std::time_t time = utc ? ::timegm(&normal) : std::mktime(&normal);
    const bool real = normal.tm_mon == wanted.tm_mon && normal.tm_mday == wanted.tm_mday && wanted.tm_hour < 24 &&
                      wanted.tm_min < 60 && wanted.tm_sec < 60 && time >= 0;
    if (!real) return std::nullopt;
    return std::chrono::system_clock::from_time_t(time);
}

} // namespace rc
