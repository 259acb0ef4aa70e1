// The word that Tab completes, and how what completes it is written.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace rc {

enum class CompletionKind { command, path, variable };

// The quote that is open at a place: none, '…', "…" or $'…'.
enum class QuoteStyle { none, single_quotes, double_quotes, dollar_quotes };

// Of a path (and of a command) only the last component is replaced; all before it stays as it was typed. `start` is
// - just behind the last slash of the word, quoted or not, or
// - without a slash, where the word begins; in NAME=… and --opt=… behind the `=`, in NAME=… also behind the last unquoted `:`;
// - one byte (of $' two) further if an opening quote stands there that is still open at the cursor;
// - for a variable behind the `$` or `${`.
// `quote` is the quote that is open at `start` (for a variable, at the cursor), in which the replacement is written. Mostly that
// is the one at the cursor, too. It is not if a quote was opened or closed within the last component: in "/usr/lo"c it is that
// before the slash, which the replacement must close, as the closing one is replaced with the rest; in /usr/lo"c it is none.
struct CompletionWord {
    CompletionKind kind;
    std::string text;  // as the shell would see it: up to the cursor, without quotes and backslashes; see below
    std::size_t start; // where in the line begins what is replaced, which ends at the end of the line
    QuoteStyle quote;
    bool braces; // the variable is written ${NAME
};

// The word that ends where `line` ends, which is what stands left of the cursor and may have several lines.
// The text of a path is all of it, with its directories; it is empty where no word has begun. A ~ at its beginning is a home
// directory: if it is quoted, ./ stands before it. Expansions stand in it as they were typed, so that a file named $HOME cannot
// be told from the variable. A path within an expansion that holds no command (${x:-/us, $((/us) has a text that matches nothing.
// The text of a variable is its name, without the `$` or `${`. Other than by its place, a command is told by having no slash
// nor ~ or . at its beginning: with these it is a path.
CompletionWord completion_word(std::string_view line);

// `name` (bytes of a file or command name, or of a variable) written so that it can stand from `word.start` on in that line.
// `complete`: there is only this one, so an open quote is closed and, unless the name ends in a slash, a blank follows. Behind a
// variable there is the closing brace instead, or without braces the blank, but not within quotes, where it would be text.
// Control characters are written as $'\n', which sh and dash may not know; there is no other way to have them in one line.
std::string quote_completion(std::string_view name, const CompletionWord& word, bool complete);

// The longest beginning that all names share, cut so that no UTF-8 character is broken. There must be a name.
std::string common_prefix(const std::vector<std::string>& names);

} // namespace rc
