// Inputs that are text, for the fuzzer's sake: a line is a step, and a line with a header is a frame.
#pragma once

#include "common/frame.hpp"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace rc {

inline std::string_view as_input(const std::uint8_t* data, std::size_t size) {
    return {reinterpret_cast<const char*>(data), size};
}

// Removes the first line of `rest` and returns it without its end.
inline std::string_view take_line(std::string_view& rest) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    return line;
}

inline std::string replaced(std::string text, std::string_view mark, std::string_view by) {
    for (std::size_t at = text.find(mark); at != text.npos; at = text.find(mark, at + by.size()))
        text.replace(at, mark.size(), by);
    return text;
}

// What stands for a body: itself, or `#N` for so many bytes.
inline std::string body_of(std::string_view text) {
    constexpr std::size_t most = 256 * 1024 + 1;
    std::size_t count = 0;
    if (!text.starts_with('#')) return std::string(text);
    const auto [end, problem] = std::from_chars(text.data() + 1, text.data() + text.size(), count);
    const bool is_count = problem == std::errc{} && end == text.data() + text.size();
    return is_count ? std::string(std::min(count, most), 'x') : std::string(text);
}

// A line `HEADER` or `HEADER>BODY`; in the header, $size is the body's.
struct LineFrame {
    explicit LineFrame(std::string_view line) {
        const std::size_t end = std::min(line.find('>'), line.size());
        if (end < line.size()) body = body_of(line.substr(end + 1));
        header = replaced(std::string(line.substr(0, end)), "$size", std::to_string(body.size()));
    }

    [[nodiscard]] std::string bytes() const {
        std::string frame;
        append_length(frame, static_cast<std::uint32_t>(header.size()));
        return frame.append(header).append(body);
    }

    std::string header;
    std::string body;
};

} // namespace rc
