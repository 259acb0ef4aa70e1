// Whatever the file of authorized keys holds: each line is taken or refused by itself, and says so in one line that fits into a log.
#include "common/codec.hpp"
#include "server/authorized_keys.hpp"
#include "tests/fuzz/lines.hpp"
#include "tests/fuzz/require.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace rc {
namespace {

constexpr std::string_view good_line = " hmac-sha256 oKGio6SlpqeoqaqrrK2urw== Jiae19qRNO8XLhbe7/AUAtFjlFoj4962IC+XcvrDYUA= "
                                       "rq2WQSMX1dF+MwHu2HUnWs98xHVI6/xKyrjOLiLrN6I= user=root";

std::size_t lines_of(std::string_view text) { return static_cast<std::size_t>(std::ranges::count(text, '\n')) + 1; }

void check(const AuthorizedKeys& keys, std::string_view text) {
    const std::size_t lines = lines_of(text);
    require(keys.keys.size() + keys.problems.size() <= lines);
    for (const auto& [id, key] : keys.keys) {
        require(valid_key_id(id));
        require(key.line >= 1 && key.line <= lines);
    }
    for (const std::string& problem : keys.problems) require(problem.starts_with("line "));
}

std::string fresh_id(const AuthorizedKeys& keys) {
    std::string id = "one.more";
    while (keys.keys.contains(id)) id += 'e';
    return id;
}

// A good line counts, whatever stands before or behind it, and changes nothing for the others.
void check_good_line(const AuthorizedKeys& keys, std::string_view text, bool need_user) {
    const std::string id = fresh_id(keys);
    const std::string line = id + std::string(good_line);
    const AuthorizedKeys behind = parse_authorized_keys(std::string(text) + '\n' + line, need_user);
    const AuthorizedKeys before = parse_authorized_keys(line + '\n' + std::string(text), need_user);
    for (const AuthorizedKeys& more : {behind, before}) {
        require(more.keys.contains(id));
        require(more.keys.size() == keys.keys.size() + 1);
        require(more.problems.size() == keys.problems.size());
        for (const auto& [other, key] : keys.keys) require(more.keys.contains(other));
    }
}

} // namespace
} // namespace rc

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text = rc::as_input(data, size);
    const rc::AuthorizedKeys any = rc::parse_authorized_keys(text, false);
    const rc::AuthorizedKeys with_user = rc::parse_authorized_keys(text, true);
    rc::check(any, text);
    rc::check(with_user, text);
    rc::check_good_line(any, text, false);
    rc::check_good_line(with_user, text, true);
    return 0;
}
