// The grammar of a shell's command lines (see shell_syntax.hpp for which shells) as tables: what can be open, what may come next, which words and
// operators change that.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>
#include <utility>

namespace rc::shell {

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

struct Opener {
    std::string_view word;
    Kind kind;
    Next next;
};

inline constexpr std::array openers = {
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

inline constexpr std::array closers = {
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

inline constexpr std::array<std::pair<std::string_view, Redirect>, 12> redirections = {{
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

bool is_name(char c); // of a NAME
bool is_digit(char c);

// Whether it is part of a word and holds no commands itself.
bool part_of_word(Kind kind);
// Whether ; or an operator may follow.
bool can_end(Next next);
bool can_redirect(Next next);
// Whether a word here goes on over a parenthesis, as a pattern.
bool takes_patterns(Next next);
// Whether the word behind `word` is a command as well.
bool precedes_command(std::string_view word);
// Whether a parenthesis behind `word` begins an array.
bool begins_array(std::string_view word);
// The length of the NAME= or NAME+= that `word` begins with; 0 if it begins with none.
std::size_t assignment_length(std::string_view word);

} // namespace rc::shell
