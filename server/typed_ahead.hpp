// How much of what was typed at a terminal its command has read. No terminal is touched here.
#pragma once

#include <cstddef>
#include <string_view>

namespace rc {

// `written`: what was last written to the terminal. `left`: what nobody has read of it, as the terminal holds it, which is not
// byte for byte what was typed: a CR has become LF, erased characters are gone. Returns how many bytes at the end of `written` have
// become `left`. Where editing makes that doubtful, whole lines count as unread: they are rather given to the next reader
// from their beginning than lost.
std::size_t unread_typed(std::string_view written, std::string_view left);

} // namespace rc
