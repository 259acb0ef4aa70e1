#include "client/here_document.hpp"

#include <algorithm>

namespace rc::shell {

namespace {

bool continues(std::string_view line) {
    const std::size_t last = line.find_last_not_of('\\');
    return (line.size() - (last == std::string_view::npos ? 0 : last + 1)) % 2 == 1;
}

} // namespace

HereDocument here_document(std::string_view word, bool tabbed) {
    HereDocument document{.end = {}, .literal = false, .tabbed = tabbed};
    char quote = '\0';
    for (std::size_t at = 0; at < word.size(); ++at) {
        char c = word[at];
        if (c == quote || (quote == '\0' && (c == '\'' || c == '"'))) {
            quote = c == quote ? '\0' : c;
            document.literal = true;
            continue;
        }
        if (c == '\\' && quote != '\'' && at + 1 < word.size()) {
            c = word[++at];
            document.literal = true;
        }
        document.end += c;
    }
    return document;
}

bool pass_over(const HereDocument& document, std::string_view text, std::size_t& at) {
    bool continued = false;
    while (at < text.size()) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        std::string_view line = text.substr(at, end - at);
        at = std::min(end + 1, text.size());
        if (document.tabbed) line.remove_prefix(std::min(line.find_first_not_of('\t'), line.size()));
        if (!continued && line == document.end) return true;
        continued = !document.literal && continues(line);
    }
    return false;
}

} // namespace rc::shell
