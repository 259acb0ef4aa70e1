#include "client/shell_syntax.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace rc {

namespace {

constexpr std::size_t nowhere = std::string_view::npos;

// What can be open. The first group holds commands or words, the second is part of a word.
enum class Kind {
    list, // the text itself
    substitution,
    subshell,
    braces,
    if_condition,
    if_body,
    else_body,
    loop_head,
    loop_condition,
    loop_body,
    case_,
    array,
    test,

    double_quote,
    parameter,
    arithmetic,
    brackets, // $[ … ]
    pattern
};

// What a word would be that came next.
enum class Next {
    command,      // a command or a reserved word, if anything
    operand,      // likewise, but something must come
    command_name, // a command, but no reserved word
    after_name,   // an argument; `()` here defines a function
    argument,
    compound_end, // nothing but a reserved word that closes something
    loop_name,    // the variable of a for
    loop_in,
    loop_words,
    loop_do,
    case_word,
    case_in,
    pattern,      // the first pattern of a clause, or esac
    next_pattern, // a pattern behind a ( or |
    pattern_end,  // | or )
    array_word,
    function_name,
    function_body
};

enum class Redirect { none, file, document, tabbed_document };

struct Frame {
    Kind kind;
    Next next = Next::argument;
    Redirect redirect = Redirect::none; // whose target is yet to come
    bool quoted = false;                // within double quotes: a single quote is a character like any other
    std::size_t word = nowhere;         // where the current word begins
    std::size_t opened = 0;
    std::size_t depth = 0;     // brackets open in arithmetic
    std::size_t documents = 0; // here-documents that wait outside of the innermost substitution: their text is not in it
};

struct Document {
    std::string end;
    bool literal = false;
    bool tabbed = false;
};

struct Opener {
    std::string_view word;
    Kind kind;
    Next next;
};

constexpr std::array openers = {
    Opener{"if", Kind::if_condition, Next::operand},
    Opener{"while", Kind::loop_condition, Next::operand},
    Opener{"until", Kind::loop_condition, Next::operand},
    Opener{"for", Kind::loop_head, Next::loop_name},
    Opener{"select", Kind::loop_head, Next::loop_name},
    Opener{"case", Kind::case_, Next::case_word},
    Opener{"{", Kind::braces, Next::operand},
    Opener{"[[", Kind::test, Next::argument},
};

struct Closer {
    std::string_view word;
    Kind from;
    std::optional<Kind> to; // nothing: it ends what is open
};

constexpr std::array closers = {
    Closer{"then", Kind::if_condition, Kind::if_body},
    Closer{"elif", Kind::if_body, Kind::if_condition},
    Closer{"else", Kind::if_body, Kind::else_body},
    Closer{"fi", Kind::if_body, std::nullopt},
    Closer{"fi", Kind::else_body, std::nullopt},
    Closer{"do", Kind::loop_condition, Kind::loop_body},
    Closer{"done", Kind::loop_body, std::nullopt},
    Closer{"esac", Kind::case_, std::nullopt},
    Closer{"}", Kind::braces, std::nullopt},
};

constexpr std::array<std::pair<std::string_view, Redirect>, 12> redirections = {{
    {"<<<", Redirect::file},
    {"<<-", Redirect::tabbed_document},
    {"<<", Redirect::document},
    {"&>>", Redirect::file},
    {"&>", Redirect::file},
    {"<>", Redirect::file},
    {"<&", Redirect::file},
    {"<", Redirect::file},
    {">>", Redirect::file},
    {">&", Redirect::file},
    {">|", Redirect::file},
    {">", Redirect::file},
}};

template <class... Values>
bool one_of(const auto& value, const Values&... values) {
    return ((value == values) || ...);
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_name(char c) { return c == '_' || is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

bool part_of_word(Kind kind) { return kind >= Kind::double_quote; }

// Whether ; or an operator may follow.
bool can_end(Next next) { return one_of(next, Next::command_name, Next::after_name, Next::argument, Next::compound_end); }

bool can_redirect(Next next) { return can_end(next) || next == Next::command || next == Next::operand; }

// Whether a word here goes on over a parenthesis, as a pattern.
bool takes_patterns(Next next) {
    return one_of(next, Next::argument, Next::command_name, Next::loop_words, Next::case_word, Next::pattern, Next::next_pattern,
        Next::pattern_end, Next::array_word);
}

// Whether the word behind `word` is a command as well.
bool precedes_command(std::string_view word) {
    return one_of(word, "sudo", "exec", "command", "nohup", "env") || assignment_length(word) > 0;
}

bool begins_array(std::string_view word) {
    return word.size() > 1 && word.back() == '=' && is_name(word.front()) && !is_digit(word.front());
}

// A reserved word or a name may be continued on a further line; it is short, so that nothing else need be looked at.
std::string joined(std::string_view word) {
    std::string whole(word.substr(0, 256));
    for (std::size_t at = 0; (at = whole.find("\\\n", at)) != std::string::npos;) whole.erase(at, 2);
    return whole;
}

Document document_of(std::string_view word, bool tabbed) {
    Document document{.end = {}, .literal = false, .tabbed = tabbed};
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

bool continues(std::string_view line) {
    const std::size_t last = line.find_last_not_of('\\');
    return (line.size() - (last == nowhere ? 0 : last + 1)) % 2 == 1;
}

class Scanner {
public:
    // `misread`: where "((" is known to begin two subshells, see misread().
    Scanner(std::string_view text, std::size_t from, Frame first, const std::vector<std::size_t>& misread)
        : text_(text), at_(from), known_(misread) {
        stack_.push_back(first);
    }

    // To the end, or in strict mode to the first thing that is wrong.
    void run(bool strict) {
        while (at_ < text_.size() && !misread_ && !(strict && wrong_)) step();
    }

    // To the end of the quote or expansion that begins here.
    void run_expansion() {
        do step();
        while (stack_.size() > 1 && at_ < text_.size() && !misread_);
    }

    std::size_t at() const { return at_; }

    // "((" begins arithmetic only if it is closed by "))", which shows late. Where it was not, so that the text must be read again.
    std::optional<std::size_t> misread() const { return misread_; }

    // Where the text of an open backquote or the last line of an open here-document begins, which were passed over.
    std::optional<std::pair<std::size_t, Next>> inner() const { return inner_; }

    bool needs_more();

    ShellPlace place() const;

private:
    // Patience for text that is made to be misread; the time stays linear by it.
    static constexpr std::size_t most_misread = 16;

    Frame& top() { return stack_.back(); }

    char here() const { return text_[at_]; }

    char peek(std::size_t ahead) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }

    void push(Kind kind, Next next, std::size_t width);

    void close(std::size_t width = 1) {
        stack_.pop_back();
        at_ += width;
    }

    void fail(Next next = Next::argument) {
        wrong_ = true;
        top().next = next;
        top().redirect = Redirect::none;
    }

    void step();
    void in_double_quote();
    void in_parameter();
    void in_arithmetic();
    void in_brackets();
    void in_pattern();
    void in_list();

    bool quoting(bool quoted);
    void dollar(bool quoted);
    void open_parameter(bool quoted);
    void backquote();
    bool pass_over(std::size_t from, char end);

    void begin_word();
    void end_word();
    void end_words();
    void take_target(std::string_view word);
    void take_word(std::string_view word);
    void take_command(std::string_view word);
    void take_do(std::string_view word);
    bool open_compound(std::string_view word);
    bool close_compound(std::string_view word);

    void take_operator();
    void semicolon();
    void end_clause(std::size_t width);
    void ampersand();
    void bar();
    void connect(std::size_t width);
    void redirection();
    void open_parenthesis();
    bool end_word_at_parenthesis();
    void open_group();
    bool arithmetic_at(std::size_t at) const;
    std::size_t empty_parentheses() const;
    void close_parenthesis();

    void end_line();
    void break_line();
    std::vector<Document>::iterator first_document();
    void read_documents();
    bool read_document(const Document& document);

    std::string_view text_;
    std::size_t at_;
    std::vector<Frame> stack_;
    std::vector<Document> documents_; // whose text begins at the next line
    std::vector<std::size_t> known_;
    std::optional<std::size_t> misread_;
    std::optional<std::pair<std::size_t, Next>> inner_;
    std::size_t dollar_ = nowhere;
    bool wrong_ = false;
    bool cut_ = false; // the text ended in the middle of a quote, a here-document or behind a backslash
};

void Scanner::push(Kind kind, Next next, std::size_t width) {
    const std::size_t documents = kind == Kind::substitution ? documents_.size() : top().documents;
    stack_.push_back({.kind = kind, .next = next, .opened = at_, .documents = documents});
    at_ += width;
}

void Scanner::step() {
    switch (top().kind) {
    case Kind::double_quote: return in_double_quote();
    case Kind::parameter: return in_parameter();
    case Kind::arithmetic: return in_arithmetic();
    case Kind::brackets: return in_brackets();
    case Kind::pattern: return in_pattern();
    default: return in_list();
    }
}

// Parts of words.

void Scanner::in_double_quote() {
    if (here() == '"') close();
    else if (!quoting(true)) ++at_;
}

void Scanner::in_parameter() {
    if (here() == '}') close();
    else if (!quoting(top().quoted)) ++at_;
}

void Scanner::in_arithmetic() {
    const char c = here();
    if (c == ')' && top().depth == 0) {
        if (peek(1) == ')') return close(2);
        if (at_ + 1 < text_.size()) misread_ = top().opened;
        ++at_;
    } else if (!quoting(false)) {
        if (c == '(') ++top().depth;
        else if (c == ')') --top().depth;
        ++at_;
    }
}

void Scanner::in_brackets() {
    const char c = here();
    if (c == ']' && top().depth == 0) return close();
    if (quoting(false)) return;
    if (c == '[') ++top().depth;
    else if (c == ']') --top().depth;
    ++at_;
}

void Scanner::in_pattern() {
    switch (here()) {
    case '(': return push(Kind::pattern, Next::argument, 1);
    case ')': return close();
    case '\n': wrong_ = true; break;
    default:
        if (quoting(false)) return;
    }
    ++at_;
}

// What quotes and expands in commands and in quotes alike; false if it is none of that.
bool Scanner::quoting(bool quoted) {
    switch (here()) {
    case '\\':
        cut_ = cut_ || at_ + 1 == text_.size();
        at_ = std::min(at_ + 2, text_.size());
        return true;
    case '"': push(Kind::double_quote, Next::argument, 1); return true;
    case '`': backquote(); return true;
    case '$': dollar(quoted); return true;
    case '\'':
        if (quoted) return false;
        at_ = text_.find('\'', at_ + 1);
        cut_ = at_ == nowhere;
        at_ = cut_ ? text_.size() : at_ + 1;
        return true;
    default: return false;
    }
}

void Scanner::dollar(bool quoted) {
    dollar_ = at_;
    switch (peek(1)) {
    case '{': return open_parameter(quoted);
    case '[': return push(Kind::brackets, Next::argument, 2);
    case '(':
        ++at_;
        if (arithmetic_at(at_)) push(Kind::arithmetic, Next::argument, 2);
        else push(Kind::substitution, Next::command, 1);
        return;
    case '\'':
        if (quoted) ++at_;
        else pass_over(at_ + 2, '\'');
        return;
    case '$': at_ += 2; return;
    default: ++at_;
    }
}

// Single quotes within double quotes quote in patterns only.
void Scanner::open_parameter(bool quoted) {
    push(Kind::parameter, Next::argument, 2);
    std::size_t operation = at_ + 1;
    while (operation < text_.size() && (is_name(text_[operation]) || one_of(text_[operation], '[', ']', '@', '*'))) ++operation;
    top().quoted = quoted && (operation >= text_.size() || !one_of(text_[operation], '#', '%', '/', '^', ','));
}

void Scanner::backquote() {
    const std::size_t text = at_ + 1;
    if (!pass_over(text, '`')) inner_ = {text, Next::command};
}

// Up to behind `end`, unless that has a backslash before it.
bool Scanner::pass_over(std::size_t from, char end) {
    at_ = from;
    while (at_ < text_.size() && here() != end) at_ += here() == '\\' ? 2 : 1;
    cut_ = at_ >= text_.size();
    at_ = std::min(at_ + 1, text_.size());
    return !cut_;
}

// Words.

void Scanner::in_list() {
    switch (here()) {
    case ' ':
    case '\t':
        end_word();
        ++at_;
        return;
    case '\n': return end_line();
    case ';':
    case '&':
    case '|':
    case '(':
    case ')':
    case '<':
    case '>': return take_operator();
    case '#':
        if (top().word != nowhere) break;
        at_ = std::min(text_.find('\n', at_), text_.size());
        return;
    default: break;
    }
    if (here() != '\\' || peek(1) != '\n') begin_word();
    if (!quoting(false)) ++at_;
}

void Scanner::begin_word() {
    if (top().word == nowhere) top().word = at_;
}

void Scanner::end_word() {
    if (top().word == nowhere) return;
    const std::string_view word = text_.substr(top().word, at_ - top().word);
    top().word = nowhere;
    if (top().redirect != Redirect::none) take_target(word);
    else take_word(joined(word));
}

// Before an operator or a newline, where no target may be missing.
void Scanner::end_words() {
    end_word();
    if (top().redirect != Redirect::none) fail();
}

void Scanner::take_target(std::string_view word) {
    if (top().redirect != Redirect::file) documents_.push_back(document_of(word, top().redirect == Redirect::tabbed_document));
    top().redirect = Redirect::none;
    if (one_of(top().next, Next::command, Next::operand)) top().next = Next::command_name;
}

void Scanner::take_word(std::string_view word) {
    Frame& frame = top();
    switch (frame.next) {
    case Next::command:
    case Next::operand:
    case Next::function_body: return take_command(word);
    case Next::command_name:
        if (!precedes_command(word) && !word.starts_with('-')) frame.next = Next::argument;
        return;
    case Next::after_name: frame.next = Next::argument; return;
    case Next::argument:
        if (frame.kind == Kind::test && word == "]]") close(0);
        return;
    case Next::compound_end:
        if (!close_compound(word)) fail();
        return;
    case Next::loop_name: frame.next = Next::loop_in; return;
    case Next::loop_in:
        if (word != "in") return take_do(word);
        frame.next = Next::loop_words;
        return;
    case Next::loop_do: return take_do(word);
    case Next::case_word: frame.next = Next::case_in; return;
    case Next::case_in:
        if (word == "in") frame.next = Next::pattern;
        else fail();
        return;
    case Next::pattern:
        if (word == "esac") close(0);
        else frame.next = Next::pattern_end;
        return;
    case Next::next_pattern: frame.next = Next::pattern_end; return;
    case Next::pattern_end: return fail();
    case Next::function_name: frame.next = Next::function_body; return;
    case Next::array_word:
    case Next::loop_words: return;
    }
}

void Scanner::take_command(std::string_view word) {
    if (open_compound(word) || close_compound(word)) return;
    if (word == "function") top().next = Next::function_name;
    else if (one_of(word, "!", "time", "coproc")) top().next = Next::command;
    else top().next = precedes_command(word) ? Next::command_name : Next::after_name;
}

// Braces may stand for do and done.
void Scanner::take_do(std::string_view word) {
    if (!one_of(word, "do", "{")) return fail();
    top().kind = word == "do" ? Kind::loop_body : Kind::braces;
    top().next = Next::operand;
}

bool Scanner::open_compound(std::string_view word) {
    const auto* const opener = std::ranges::find(openers, word, &Opener::word);
    if (opener == openers.end()) return false;
    top().next = Next::compound_end;
    push(opener->kind, opener->next, 0);
    return true;
}

// Whether it is such a word at all; if it is in the wrong place, that is an error.
bool Scanner::close_compound(std::string_view word) {
    const bool allowed = one_of(top().next, Next::command, Next::compound_end);
    bool known = false;
    for (const auto& [name, from, to] : closers) {
        if (name != word) continue;
        known = true;
        if (from != top().kind || !allowed) continue;
        if (to) top() = {.kind = *to, .next = Next::operand, .documents = top().documents};
        else close(0);
        return true;
    }
    if (known) fail();
    return known;
}

// Operators.

void Scanner::take_operator() {
    if (top().kind == Kind::test) { // where they belong to the expression, unless the word before them is ]]
        end_word();
        if (top().kind == Kind::test) {
            if (here() == ';') fail();
            ++at_;
            return;
        }
    }
    switch (here()) {
    case ';': return semicolon();
    case '&': return ampersand();
    case '|': return bar();
    case '(': return open_parenthesis();
    case ')': return close_parenthesis();
    default: return redirection();
    }
}

void Scanner::semicolon() {
    end_words();
    if (peek(1) == ';') return end_clause(peek(2) == '&' ? 3 : 2);
    if (one_of(peek(1), '&', '|')) return end_clause(2);
    Frame& frame = top();
    if (can_end(frame.next)) frame.next = Next::command;
    else if (one_of(frame.next, Next::loop_in, Next::loop_words)) frame.next = Next::loop_do;
    else fail(Next::command);
    ++at_;
}

void Scanner::end_clause(std::size_t width) {
    Frame& frame = top();
    if (frame.kind == Kind::case_ && (can_end(frame.next) || frame.next == Next::command)) frame.next = Next::pattern;
    else fail(Next::command);
    at_ += width;
}

void Scanner::ampersand() {
    if (peek(1) == '>') return redirection();
    end_words();
    if (peek(1) == '&') return connect(2);
    if (can_end(top().next)) top().next = Next::command;
    else fail(Next::command);
    ++at_;
}

void Scanner::bar() {
    end_words();
    if (peek(1) == '|') return connect(2);
    if (top().next != Next::pattern_end) return connect(peek(1) == '&' ? 2 : 1);
    top().next = Next::next_pattern;
    ++at_;
}

void Scanner::connect(std::size_t width) {
    if (!can_end(top().next)) fail();
    top().next = Next::operand;
    at_ += width;
}

void Scanner::redirection() {
    if (here() != '&' && peek(1) == '(') {
        begin_word();
        return push(Kind::substitution, Next::command, 2);
    }
    const std::size_t word = std::min(top().word, at_);
    if (here() != '&' && std::ranges::all_of(text_.substr(word, at_ - word), is_digit)) top().word = nowhere;
    end_words();
    if (!can_redirect(top().next)) fail();
    const std::string_view rest = text_.substr(at_);
    const auto* const found =
        std::ranges::find_if(redirections, [&](const auto& redirection) { return rest.starts_with(redirection.first); });
    top().redirect = found->second;
    at_ += found->first.size();
}

void Scanner::open_parenthesis() {
    if (top().word != nowhere && !end_word_at_parenthesis()) return;
    switch (top().next) {
    case Next::command:
    case Next::operand: return open_group();
    case Next::after_name:
    case Next::function_body:
        if (const std::size_t end = empty_parentheses(); end != nowhere) {
            at_ = end;
            top().next = Next::operand;
            return;
        }
        if (top().next == Next::function_body) return open_group();
        break;
    case Next::loop_name:
        if (!arithmetic_at(at_)) {
            fail();
            break;
        }
        top().next = Next::loop_in;
        return push(Kind::arithmetic, Next::argument, 2);
    case Next::pattern:
        top().next = Next::next_pattern;
        ++at_;
        return;
    default:
        if (!takes_patterns(top().next)) fail();
    }
    begin_word();
    push(Kind::pattern, Next::argument, 1);
}

// False if the parenthesis belongs to the word, which then goes on, or was taken.
bool Scanner::end_word_at_parenthesis() {
    const std::string_view word = text_.substr(top().word, at_ - top().word);
    if (begins_array(word)) push(Kind::array, Next::array_word, 1);
    else if (top().redirect != Redirect::none || takes_patterns(top().next)) push(Kind::pattern, Next::argument, 1);
    else {
        end_word();
        if (top().kind != Kind::test) return true;
        ++at_;
    }
    return false;
}

void Scanner::open_group() {
    top().next = Next::compound_end;
    if (arithmetic_at(at_)) push(Kind::arithmetic, Next::argument, 2);
    else push(Kind::subshell, Next::operand, 1);
}

bool Scanner::arithmetic_at(std::size_t at) const {
    return text_.substr(at, 2) == "((" && known_.size() < most_misread && std::ranges::find(known_, at) == known_.end();
}

// Where `( )` ends that begins here.
std::size_t Scanner::empty_parentheses() const {
    const std::size_t end = text_.find_first_not_of(" \t", at_ + 1);
    return end != nowhere && text_[end] == ')' ? end + 1 : nowhere;
}

void Scanner::close_parenthesis() {
    end_words();
    Frame& frame = top();
    const bool ended = can_end(frame.next) || frame.next == Next::command;
    if (frame.kind == Kind::case_ && frame.next == Next::pattern_end) {
        frame.next = Next::command;
        ++at_;
    } else if (frame.kind == Kind::array || (ended && frame.kind == Kind::subshell)) {
        close();
    } else if (ended && frame.kind == Kind::substitution) {
        documents_.erase(first_document(), documents_.end());
        close();
    } else {
        fail();
        ++at_;
    }
}

// Lines.

void Scanner::end_line() {
    break_line();
    ++at_;
    read_documents();
}

void Scanner::break_line() {
    end_words();
    Frame& frame = top();
    if (frame.kind == Kind::test) return;
    if (can_end(frame.next)) frame.next = Next::command;
    else if (frame.next == Next::loop_words) frame.next = Next::loop_do;
    else if (one_of(frame.next, Next::loop_name, Next::case_word, Next::next_pattern, Next::pattern_end, Next::function_name))
        fail(Next::command);
}

std::vector<Document>::iterator Scanner::first_document() {
    return documents_.begin() + static_cast<std::ptrdiff_t>(top().documents);
}

void Scanner::read_documents() {
    const auto first = first_document();
    const bool whole = std::all_of(first, documents_.end(), [this](const Document& document) { return read_document(document); });
    if (whole) {
        documents_.erase(first, documents_.end());
        return;
    }
    cut_ = true;
    inner_ = {text_.rfind('\n') + 1, Next::argument};
}

bool Scanner::read_document(const Document& document) {
    bool continued = false;
    while (at_ < text_.size()) {
        const std::size_t end = std::min(text_.find('\n', at_), text_.size());
        std::string_view line = text_.substr(at_, end - at_);
        at_ = std::min(end + 1, text_.size());
        if (document.tabbed) line.remove_prefix(std::min(line.find_first_not_of('\t'), line.size()));
        if (!continued && line == document.end) return true;
        continued = !document.literal && continues(line);
    }
    return false;
}

// The end.

bool Scanner::needs_more() {
    if (wrong_) return false;
    if (cut_) return true;
    if (part_of_word(top().kind)) return top().kind != Kind::pattern; // which ends in its line
    break_line();
    if (wrong_) return false;
    return !documents_.empty() || stack_.size() > 1 || one_of(top().next, Next::operand, Next::function_body);
}

ShellPlace Scanner::place() const {
    const auto inside = [](const Frame& frame) { return !part_of_word(frame.kind); };
    const Frame& frame = *std::ranges::find_if(stack_.rbegin(), stack_.rend(), inside);
    const bool command = one_of(frame.next, Next::command, Next::operand, Next::command_name, Next::function_body,
        Next::compound_end, Next::loop_in, Next::loop_do);
    return {.word = std::min(frame.word, text_.size()),
        .dollar = std::min(dollar_, text_.size()),
        .command = command && frame.redirect == Redirect::none};
}

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

std::size_t assignment_length(std::string_view word) {
    const auto* const end = std::ranges::find_if_not(word, is_name);
    auto length = static_cast<std::size_t>(end - word.begin());
    if (length == 0 || is_digit(word.front())) return 0;
    if (word.substr(length, 1) == "+") ++length;
    return word.substr(length, 1) == "=" ? length + 1 : 0;
}

} // namespace rc
