#include "client/completion_word.hpp"

#include "client/shell_grammar.hpp"
#include "client/shell_syntax.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

namespace rc {

namespace {

bool is_letter(char c) { return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_control(char c) { return (static_cast<unsigned char>(c) < ' ' && c != '\t') || c == '\x7f'; }

// What stands between a backslash and a letter in $'…'.
constexpr std::array<std::pair<char, char>, 8> escapes = {
    {{'a', '\a'}, {'b', '\b'}, {'e', '\x1b'}, {'f', '\f'}, {'n', '\n'}, {'r', '\r'}, {'t', '\t'}, {'v', '\v'}}};

// The length of the --opt= that the word begins with.
std::size_t option_length(std::string_view word) {
    if (!word.starts_with('-')) return 0;
    const auto named = [](char c) { return is_letter(c) || is_digit(c) || c == '-'; };
    const auto* const end = std::ranges::find_if_not(word, named);
    return end != word.end() && *end == '=' ? static_cast<std::size_t>(end - word.begin()) + 1 : 0;
}

// Reads a word to the end of the line.
class WordReader {
public:
    // `begin`: where its text begins. `list`: it is a list of paths with colons between them.
    WordReader(std::string_view line, std::size_t begin, bool list) : line_(line), at_(begin), list_(list), start_(begin) {
        while (at_ < line_.size()) step();
        if (start_quote_ != QuoteStyle::none || quote_ == QuoteStyle::none || quote_begin_ != start_) return;
        start_ += quote_ == QuoteStyle::dollar_quotes ? 2 : 1;
        start_quote_ = quote_;
    }

    const std::string& text() const { return text_; }

    std::size_t start() const { return start_; }

    QuoteStyle quote() const { return start_quote_; }

    QuoteStyle quote_at_end() const { return quote_; }

private:
    char here() const { return line_[at_]; }

    char peek() const { return at_ + 1 < line_.size() ? line_[at_ + 1] : '\0'; }

    void step() {
        switch (quote_) {
        case QuoteStyle::none: return in_none();
        case QuoteStyle::single_quotes: return in_single_quotes();
        case QuoteStyle::double_quotes: return in_double_quotes();
        case QuoteStyle::dollar_quotes: return in_dollar_quotes();
        }
    }

    void in_none();
    void in_single_quotes();
    void in_double_quotes();
    void in_dollar_quotes();

    void open(QuoteStyle quote, std::size_t width);
    void close();
    void take(char c, std::size_t width);
    void expansion();
    void escaped();
    char number(std::size_t begin, std::size_t most, int base);

    std::string_view line_;
    std::size_t at_;
    bool list_;
    std::string text_;
    std::size_t start_;
    QuoteStyle start_quote_ = QuoteStyle::none;
    QuoteStyle quote_ = QuoteStyle::none;
    std::size_t quote_begin_ = 0;
};

void WordReader::in_none() {
    switch (here()) {
    case '\\':
        if (peek() != '\n' && at_ + 1 < line_.size()) take(peek(), 2);
        else at_ = std::min(at_ + 2, line_.size());
        return;
    case '\'': return open(QuoteStyle::single_quotes, 1);
    case '"': return open(QuoteStyle::double_quotes, 1);
    case '$':
        if (peek() == '\'') return open(QuoteStyle::dollar_quotes, 2);
        return expansion();
    case '`': return expansion();
    case ':':
        if (!list_) return take(':', 1);
        start_ = ++at_;
        start_quote_ = QuoteStyle::none;
        text_.clear();
        return;
    case '~': // a home directory, if at the beginning
        text_ += '~';
        ++at_;
        return;
    default: take(here(), 1);
    }
}

void WordReader::in_single_quotes() {
    if (here() == '\'') close();
    else take(here(), 1);
}

void WordReader::in_double_quotes() {
    switch (here()) {
    case '"': return close();
    case '$':
    case '`': return expansion();
    case '\\':
        if (peek() == '\n') at_ += 2;
        else if (std::string_view("$`\"\\").find(peek()) != std::string_view::npos) take(peek(), 2);
        else take('\\', 1);
        return;
    default: take(here(), 1);
    }
}

void WordReader::in_dollar_quotes() {
    if (here() == '\'') close();
    else if (here() == '\\' && at_ + 1 < line_.size()) escaped();
    else take(here(), 1);
}

void WordReader::open(QuoteStyle quote, std::size_t width) {
    quote_ = quote;
    quote_begin_ = at_;
    at_ += width;
}

void WordReader::close() {
    quote_ = QuoteStyle::none;
    ++at_;
}

// A character that stands for itself, written in `width` bytes.
void WordReader::take(char c, std::size_t width) {
    if (c == '~' && text_.empty()) text_ = "./";
    text_ += c;
    at_ += width;
    if (c != '/') return;
    start_ = at_;
    start_quote_ = quote_;
}

void WordReader::expansion() {
    const std::size_t end = expansion_end(line_, at_, quote_ == QuoteStyle::double_quotes);
    text_ += line_.substr(at_, end - at_);
    at_ = end;
}

// A backslash in $'…' and what it stands for.
void WordReader::escaped() {
    const char c = peek();
    if (c >= '0' && c <= '7') return take(number(at_ + 1, 3, 8), 0);
    if (c == 'x') return take(number(at_ + 2, 2, 16), 0);
    const auto* const escape = std::ranges::find(escapes, c, &std::pair<char, char>::first);
    take(escape == escapes.end() ? c : escape->second, 2);
}

// The byte written with up to `most` digits from `begin` on; goes behind them.
char WordReader::number(std::size_t begin, std::size_t most, int base) {
    const std::string_view digits = line_.substr(begin, most);
    unsigned value = 0;
    const char* const end = std::from_chars(digits.data(), digits.data() + digits.size(), value, base).ptr;
    at_ = begin + static_cast<std::size_t>(end - digits.data());
    return static_cast<char>(value & 0xff);
}

// The variable whose name ends the line, if the last `$` of it begins one.
std::optional<CompletionWord> variable(std::string_view line, std::size_t dollar) {
    if (dollar == line.size()) return std::nullopt;
    const bool braces = line.substr(dollar + 1, 1) == "{";
    const std::size_t start = dollar + (braces ? 2 : 1);
    const std::string_view name = line.substr(start);
    const bool named = std::ranges::all_of(name, [](char c) { return is_letter(c) || is_digit(c); });
    if (!named || (!name.empty() && is_digit(name.front()))) return std::nullopt;
    return CompletionWord{CompletionKind::variable, std::string(name), start, QuoteStyle::none, braces};
}

// Behind a = or a : a path would begin anew, and some shells have patterns with ~ and #.
constexpr std::string_view special = " \t*?[](){}<>|&;!$`'\"\\^~#=:";

void append_quoted(std::string& text, char c, QuoteStyle quote) {
    const auto backslash = [&](std::string_view characters) {
        if (characters.find(c) != std::string_view::npos) text += '\\';
        text += c;
    };
    switch (quote) {
    case QuoteStyle::none: return backslash(special);
    case QuoteStyle::double_quotes: return backslash("$`\"\\");
    case QuoteStyle::dollar_quotes: return backslash("'\\");
    case QuoteStyle::single_quotes:
        if (c == '\'') text += "'\\'";
        text += c;
    }
}

void append_escape(std::string& text, char c) {
    text += '\\';
    const auto* const escape = std::ranges::find(escapes, c, &std::pair<char, char>::second);
    if (escape != escapes.end()) {
        text += escape->first;
        return;
    }
    const auto value = static_cast<unsigned char>(c);
    for (const int shift : {6, 3, 0}) text += static_cast<char>('0' + (value >> shift & 7));
}

std::string_view closing(QuoteStyle quote) {
    if (quote == QuoteStyle::none) return "";
    return quote == QuoteStyle::double_quotes ? "\"" : "'";
}

// Control characters, for which any other quote must be closed.
void append_controls(std::string& text, std::string_view controls, QuoteStyle quote) {
    const bool inside = quote == QuoteStyle::dollar_quotes;
    if (!inside) text.append(closing(quote)).append("$'");
    for (const char c : controls) append_escape(text, c);
    if (!inside) text.append("'").append(closing(quote));
}

std::string quoted(std::string_view name, QuoteStyle quote) {
    std::string text;
    while (!name.empty()) {
        const auto* const begin = std::ranges::find_if(name, is_control);
        const auto* const end = std::find_if_not(begin, name.end(), is_control);
        for (const char c : name.substr(0, static_cast<std::size_t>(begin - name.begin()))) append_quoted(text, c, quote);
        if (begin != end) append_controls(text, {begin, end}, quote);
        name.remove_prefix(static_cast<std::size_t>(end - name.begin()));
    }
    return text;
}

std::string quote_variable(std::string_view name, const CompletionWord& word, bool complete) {
    std::string text(name);
    if (!complete) return text;
    if (word.braces) text += '}';
    else if (word.quote == QuoteStyle::none) text += ' ';
    return text;
}

bool continues_character(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

// `cut`, or where the UTF-8 character begins in whose middle it is.
std::size_t whole_characters(std::string_view name, std::size_t cut) {
    if (cut == name.size() || !continues_character(name[cut])) return cut;
    for (std::size_t back = 1; back <= std::min<std::size_t>(cut, 3); ++back) {
        const auto first = static_cast<unsigned char>(name[cut - back]);
        if (continues_character(name[cut - back])) continue;
        const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc2 ? 2 : 1;
        return length > back ? cut - back : cut;
    }
    return cut;
}

} // namespace

CompletionWord completion_word(std::string_view line) {
    const ShellPlace place = shell_place(line);
    const std::string_view word = line.substr(place.word);
    const std::size_t assignment = shell::assignment_length(word);
    const std::size_t begin = assignment > 0 ? assignment : option_length(word);
    const WordReader reader(line, place.word + begin, assignment > 0);
    if (auto found = variable(line, place.dollar)) {
        found->quote = reader.quote_at_end();
        return *found;
    }
    const std::string& text = reader.text();
    const bool path = text.find('/') != std::string::npos || text.starts_with('~') || text.starts_with('.');
    const bool command = place.command && begin == 0 && !path;
    return {command ? CompletionKind::command : CompletionKind::path, text, reader.start(), reader.quote(), false};
}

std::string quote_completion(std::string_view name, const CompletionWord& word, bool complete) {
    if (word.kind == CompletionKind::variable) return quote_variable(name, word, complete);
    std::string text = quoted(name, word.quote);
    if (!complete) return text;
    text += closing(word.quote);
    if (!name.ends_with('/')) text += ' ';
    return text;
}

std::string common_prefix(const std::vector<std::string>& names) {
    std::string_view prefix = names.front();
    for (const std::string_view name : names) {
        const auto length = std::ranges::mismatch(prefix, name).in1 - prefix.begin();
        prefix = prefix.substr(0, static_cast<std::size_t>(length));
    }
    std::size_t cut = prefix.size();
    for (const std::string_view name : names) cut = std::min(cut, whole_characters(name, prefix.size()));
    return std::string(prefix.substr(0, cut));
}

} // namespace rc
