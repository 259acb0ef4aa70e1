#include "client/target.hpp"

#include "common/signal_name.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>

namespace rc {

namespace {

template <class Number>
std::optional<Number> parse_number(std::string_view text) {
    Number number{};
    const char* const end = text.data() + text.size();
    const auto [rest, problem] = std::from_chars(text.data(), end, number);
    if (problem != std::errc{} || rest != end || text.empty() || text.front() == '-') return std::nullopt;
    return number;
}

// Whether it can be a name or an address at all.
bool valid_host(std::string_view host) {
    const auto impossible = [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == '\x7f' || c == '[' || c == ']'; };
    return !host.empty() && std::ranges::none_of(host, impossible);
}

} // namespace

std::optional<Target> parse_target(std::string_view text) {
    Target target;
    if (const std::size_t at = text.rfind('@'); at != std::string_view::npos) {
        if (at == 0) return std::nullopt;
        target.user = text.substr(0, at);
        text.remove_prefix(at + 1);
    }
    std::string_view port;
    bool has_port = false;
    if (text.starts_with('[')) {
        const std::size_t close = text.find(']');
        if (close == std::string_view::npos) return std::nullopt;
        target.host = text.substr(1, close - 1);
        text.remove_prefix(close + 1);
        if (!text.empty() && text.front() != ':') return std::nullopt;
        has_port = !text.empty();
        if (has_port) port = text.substr(1);
    } else if (std::ranges::count(text, ':') == 1) {
        const std::size_t colon = text.find(':');
        target.host = text.substr(0, colon);
        port = text.substr(colon + 1);
        has_port = true;
    } else {
        target.host = text; // a name, or an IPv6 address without a port
    }
    if (!valid_host(target.host)) return std::nullopt;
    if (has_port) {
        target.port = parse_port(port);
        if (!target.port) return std::nullopt;
    }
    return target;
}

Place parse_place(std::string_view text) {
    const std::size_t open = text.find('[');
    const bool bracket = open == 0 || (open != text.npos && text[open - 1] == '@');
    const std::size_t close = bracket ? text.find("]:", open) : text.npos;
    const std::size_t colon = close != text.npos ? close + 1 : text.find(':');
    const bool here = colon == text.npos || colon == 0 || text.find('/') < colon;
    if (here) return {"", std::string(text)};
    return {std::string(text.substr(0, colon)), std::string(text.substr(colon + 1))};
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
    const auto port = parse_number<std::uint16_t>(text);
    return port && *port > 0 ? port : std::nullopt;
}

std::optional<std::chrono::seconds> parse_duration(std::string_view text) {
    if (text.empty()) return std::nullopt;
    std::int64_t unit = 1;
    switch (text.back()) {
    case 's': break;
    case 'm': unit = 60; break;
    case 'h': unit = 60 * 60; break;
    case 'd': unit = 24 * 60 * 60; break;
    default: unit = 0;
    }
    if (unit != 0) text.remove_suffix(1);
    else unit = 1;
    const auto number = parse_number<std::int64_t>(text);
    constexpr std::int64_t longest = 10LL * 365 * 24 * 60 * 60;
    if (!number || *number < 1 || *number > longest / unit) return std::nullopt;
    return std::chrono::seconds(*number * unit);
}

std::optional<std::chrono::seconds> parse_keep(std::string_view text) {
    const bool none =
        text.starts_with('0') && (text.size() == 1 || (text.size() == 2 && std::string_view("smhd").find(text[1]) != text.npos));
    return none ? std::chrono::seconds(0) : parse_duration(text);
}

std::optional<std::uint64_t> parse_offset(std::string_view text) { return parse_number<std::uint64_t>(text); }

std::optional<std::string> parse_signal(std::string text) {
    std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    if (text.starts_with("SIG")) text.erase(0, 3);
    if (const auto number = parse_number<int>(text)) text = signal_name(*number);
    return signal_number(text) ? std::optional(text) : std::nullopt;
}

} // namespace rc
