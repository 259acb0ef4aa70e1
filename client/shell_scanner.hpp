// Reads command lines once, from left to right, and knows at each byte what is open there. See shell_syntax.hpp for what it is good for.
#pragma once

#include "client/here_document.hpp"
#include "client/shell_grammar.hpp"
#include "client/shell_syntax.hpp"

#include <cstddef>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace rc::shell {

inline constexpr std::size_t nowhere = std::string_view::npos;

// One of the things that are open.
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

class Scanner {
public:
    // From the byte `from` on, with `first` open. `misread`: where "((" is known to begin two subshells, see misread().
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

    [[nodiscard]] std::size_t at() const { return at_; }

    // "((" begins arithmetic only if it is closed by "))", which shows late. Where it was not, so that the text must be read again.
    [[nodiscard]] std::optional<std::size_t> misread() const { return misread_; }

    // Where the text of an open backquote or the last line of an open here-document begins, which were passed over.
    [[nodiscard]] std::optional<std::pair<std::size_t, Next>> inner() const { return inner_; }

    // At the end; see shell_syntax.hpp.
    bool needs_more();
    [[nodiscard]] ShellPlace place() const;

private:
    // Patience for text that is made to be misread; the time stays linear by it.
    static constexpr std::size_t most_misread = 16;

    Frame& top() { return stack_.back(); }

    [[nodiscard]] char here() const { return text_[at_]; }

    [[nodiscard]] char peek(std::size_t ahead) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }

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
    [[nodiscard]] bool arithmetic_at(std::size_t at) const;
    [[nodiscard]] std::size_t empty_parentheses() const;
    void close_parenthesis();

    void end_line();
    void break_line();
    std::vector<HereDocument>::iterator first_document();
    void read_documents();

    std::string_view text_;
    std::size_t at_;
    std::vector<Frame> stack_;
    std::vector<HereDocument> documents_; // whose text begins at the next line
    std::vector<std::size_t> known_;
    std::optional<std::size_t> misread_;
    std::optional<std::pair<std::size_t, Next>> inner_;
    std::size_t dollar_ = nowhere;
    bool wrong_ = false;
    bool cut_ = false; // the text ended in the middle of a quote, a here-document or behind a backslash
};

} // namespace rc::shell
