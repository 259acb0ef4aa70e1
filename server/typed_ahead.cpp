#include "server/typed_ahead.hpp"

#include <algorithm>

namespace rc {

namespace {

constexpr char end_of_file = '\x04'; // Ctrl-D, which the terminal holds as a NUL

bool ends_typed_line(char c) { return c == '\n' || c == '\r' || c == end_of_file; }
bool ends_held_line(char c) { return c == '\n' || c == '\r' || c == '\0'; }

bool same(char typed, char held) {
    return typed == held || (typed == '\r' && held == '\n') || (typed == end_of_file && held == '\0');
}

bool is_suffix(std::string_view written, std::string_view left) {
    return left.size() <= written.size() &&
           std::equal(left.rbegin(), left.rend(), written.rbegin(), [](char held, char typed) { return same(typed, held); });
}

} // namespace

std::size_t unread_typed(std::string_view written, std::string_view left) {
    if (is_suffix(written, left)) return left.size();
    auto lines = std::ranges::count_if(left, ends_held_line);
    std::size_t start = written.size();
    while (start > 0 && !(ends_typed_line(written[start - 1]) && lines-- == 0)) --start;
    return written.size() - start;
}

} // namespace rc
