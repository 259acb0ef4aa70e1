// Small conversions between bytes and text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rc {

inline std::span<const std::byte> as_bytes(std::string_view text) {
    return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

inline std::string_view as_text(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Base64 with padding (RFC 4648 section 4).
std::string to_base64(std::span<const std::byte> bytes);
// Nothing for text that is not the canonical encoding of some bytes.
std::optional<std::vector<std::byte>> from_base64(std::string_view text);

// Lower-case hexadecimal.
std::string to_hex(std::span<const std::byte> bytes);

// With the ASCII letters in lower case.
std::string to_lower(std::string_view text);

// Whether `text` is UTF-8 (RFC 3629).
bool is_utf8(std::string_view text);

// What a peer sent is quoted in errors up to this many bytes, so that the error always fits into a message.
inline constexpr std::size_t longest_quote = 64;

// `text` fit for one line of a log or a terminal: control characters (C0, DEL, C1, the Unicode line separators and those that change
// the direction of writing), bytes that are not UTF-8 and backslashes become \n, \x1b, \\ and so on. At most `most` bytes of `text`
// are taken; what was cut is shown as …
std::string escape(std::string_view text, std::size_t most = 4096);

// `text` as a word that a shell reads back.
std::string shell_word(std::string_view text);

// The same as escape() for serialized JSON without line breaks: those characters, which only its strings can have, become \u009b and so on,
// bytes that are not UTF-8 the replacement character.
std::string escape_json(std::string_view json);

} // namespace rc
