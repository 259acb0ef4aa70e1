#include "client/shell_scanner.hpp"

#include <algorithm>
#include <string>

namespace rc::shell {

namespace {

// A reserved word or a name may be continued on a further line; it is short, so that nothing else need be looked at.
std::string joined(std::string_view word) {
    std::string whole(word.substr(0, 256));
    for (std::size_t at = 0; (at = whole.find("\\\n", at)) != std::string::npos;) whole.erase(at, 2);
    return whole;
}

} // namespace

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
    if (top().redirect != Redirect::file) documents_.push_back(here_document(word, top().redirect == Redirect::tabbed_document));
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

std::vector<HereDocument>::iterator Scanner::first_document() {
    return documents_.begin() + static_cast<std::ptrdiff_t>(top().documents);
}

void Scanner::read_documents() {
    const auto first = first_document();
    const bool whole = std::all_of(
        first, documents_.end(), [this](const HereDocument& document) { return shell::pass_over(document, text_, at_); });
    if (whole) {
        documents_.erase(first, documents_.end());
        return;
    }
    cut_ = true;
    inner_ = {text_.rfind('\n') + 1, Next::argument};
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

} // namespace rc::shell
