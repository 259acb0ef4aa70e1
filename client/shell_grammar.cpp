#include "client/shell_grammar.hpp"

#include <algorithm>

namespace rc::shell {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_name(char c) { return c == '_' || is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

bool part_of_word(Kind kind) { return kind >= Kind::double_quote; }

bool can_end(Next next) { return one_of(next, Next::command_name, Next::after_name, Next::argument, Next::compound_end); }

bool can_redirect(Next next) { return can_end(next) || next == Next::command || next == Next::operand; }

bool takes_patterns(Next next) {
    return one_of(next, Next::argument, Next::command_name, Next::loop_words, Next::case_word, Next::pattern, Next::next_pattern,
        Next::pattern_end, Next::array_word);
}

bool precedes_command(std::string_view word) {
    return one_of(word, "sudo", "exec", "command", "nohup", "env") || assignment_length(word) > 0;
}

bool begins_array(std::string_view word) {
    return word.size() > 1 && word.back() == '=' && is_name(word.front()) && !is_digit(word.front());
}

std::size_t assignment_length(std::string_view word) {
    const auto* const end = std::ranges::find_if_not(word, is_name);
    auto length = static_cast<std::size_t>(end - word.begin());
    if (length == 0 || is_digit(word.front())) return 0;
    if (word.substr(length, 1) == "+") ++length;
    return word.substr(length, 1) == "=" ? length + 1 : 0;
}

} // namespace rc::shell
