#include "client/shell_syntax.hpp"

#include "client/shell_scanner.hpp"

#include <optional>
#include <vector>

namespace rc {

using shell::Frame;
using shell::Kind;
using shell::Next;
using shell::Scanner;

namespace {

// What `run` makes of a scanner at `from`.
Scanner scan(std::string_view text, std::size_t from, const Frame& first, auto run) {
    std::vector<std::size_t> misread;
    for (;;) {
        Scanner scanner(text, from, first, misread);
        run(scanner);
        if (!scanner.misread()) return scanner;
        misread.push_back(*scanner.misread());
    }
}

Scanner scan_leniently(std::string_view text, std::size_t from, Next next) {
    return scan(text, from, {.kind = Kind::list, .next = next}, [](Scanner& scanner) { scanner.run(false); });
}

} // namespace

bool needs_more(std::string_view text) {
    const Frame first{.kind = Kind::list, .next = Next::command};
    return scan(text, 0, first, [](Scanner& scanner) { scanner.run(true); }).needs_more();
}

ShellPlace shell_place(std::string_view text) {
    Scanner scanner = scan_leniently(text, 0, Next::command);
    while (const auto inner = scanner.inner()) scanner = scan_leniently(text, inner->first, inner->second);
    return scanner.place();
}

std::size_t expansion_end(std::string_view text, std::size_t at, bool quoted) {
    const Frame first{.kind = quoted ? Kind::double_quote : Kind::list};
    return scan(text, at, first, [](Scanner& scanner) { scanner.run_expansion(); }).at();
}

} // namespace rc
