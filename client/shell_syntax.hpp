// What a remote shell makes of the text typed at the prompt, as far as the prompt must know it before it sends the text.
//
// The shell may be any of sh, dash, bash and zsh, so this is their grammar taken together: words that only some of them reserve
// ([[, select, function) count as reserved, and what only one of them knows (the short loops of zsh, say) is not known here.
// Text is bytes in any encoding. All of it takes time linear in the text and a bounded part of the C stack.
#pragma once

#include <cstddef>
#include <string_view>

namespace rc {

// Whether a shell would ask for a further line before it runs `text`, which is one or more lines, the last without its newline:
// while a quote, an expansion, a compound command, an array or a here-document is open, and after a last backslash, && || | |&.
// Text that cannot become right by more lines (a stray `fi` or `)`) needs none, so that the shell gets to say what is wrong with
// it; nor does text on which the shells disagree, as a prompt that asks for ever is worse than an error.
bool needs_more(std::string_view text);

// Where in the grammar a text ends.
struct ShellPlace {
    std::size_t word;   // where the word begins that ends where the text ends; the text's size if none has begun
    std::size_t dollar; // where the last expansion with `$` begins; the text's size if there is none
    bool command;       // the word is the name of a command, or a reserved word
};

// The place where `text` ends, in the innermost command that is still open there. Text that is wrong is read on as well as may be.
// The last line of a here-document that is open counts as arguments.
ShellPlace shell_place(std::string_view text);

// Where the expansion ends that begins at `at` with `$` or a backquote, the text's size if it is open. For a `$` that has neither
// bracket nor quote behind it this is the next byte: its name is not looked at. `quoted`: it stands in double quotes.
std::size_t expansion_end(std::string_view text, std::size_t at, bool quoted);

} // namespace rc
