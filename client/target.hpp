// The words of a command line that have a form of their own.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rc {

struct Target {
    std::string user; // empty: not given
    std::string host;
    std::optional<std::uint16_t> port;
};

// [USER@]HOST[:PORT]; an IPv6 address with a port stands in brackets. Nothing if it is not of that form.
std::optional<Target> parse_target(std::string_view text);

// A place of a copy: HOST:PATH, where HOST is [USER@]NAME or, an IPv6 address, [USER@][ADDRESS]; or a path here, which may hold a colon
// behind a slash.
struct Place {
    std::string host; // as parse_target() takes it; empty: here
    std::string path;
};
Place parse_place(std::string_view text);

// A port in decimal, 1 to 65535.
std::optional<std::uint16_t> parse_port(std::string_view text);

// 90, 90s, 5m, 8h, 2d: whole and at least one second. Nothing if it is not of that form or longer than ten years.
std::optional<std::chrono::seconds> parse_duration(std::string_view text);

// The same, or none: 0, 0s, 0m …
std::optional<std::chrono::seconds> parse_keep(std::string_view text);

// A byte's place in a stream, in decimal.
std::optional<std::uint64_t> parse_offset(std::string_view text);

// TERM, SIGTERM, term or 15: the name without SIG. Nothing if this system has no such signal.
std::optional<std::string> parse_signal(std::string text);

} // namespace rc
