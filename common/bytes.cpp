#include "common/bytes.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>

namespace rc {

namespace {

// The length of the UTF-8 sequence (RFC 3629) that `text` begins with, or 0.
std::size_t utf8_length(std::string_view text) {
    const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
    const auto follows = [&](std::size_t i) { return (byte(i) & 0xC0U) == 0x80U; };
    const unsigned first = byte(0);
    if (first < 0x80) return 1;
    if (first >= 0xC2 && first <= 0xDF) return follows(1) ? 2 : 0;
    if (first >= 0xE0 && first <= 0xEF) {
        const bool overlong = first == 0xE0 && byte(1) < 0xA0;
        const bool surrogate = first == 0xED && byte(1) > 0x9F;
        return follows(1) && follows(2) && !overlong && !surrogate ? 3 : 0;
    }
    if (first >= 0xF0 && first <= 0xF4) {
        const bool overlong = first == 0xF0 && byte(1) < 0x90;
        const bool beyond = first == 0xF4 && byte(1) > 0x8F;
        return follows(1) && follows(2) && follows(3) && !overlong && !beyond ? 4 : 0;
    }
    return 0;
}

void append_escaped_byte(std::string& out, unsigned char byte) {
    switch (byte) {
    case '\n': out += "\\n"; return;
    case '\r': out += "\\r"; return;
    case '\t': out += "\\t"; return;
    case '\\': out += "\\\\"; return;
    default: break;
    }
    std::array<char, 5> text{};
    std::snprintf(text.data(), text.size(), "\\x%02x", byte);
    out += text.data();
}

bool is_plain(char c) { return c >= 0x20 && c < 0x7F && c != '\\'; }

bool is_harmless(std::string_view sequence) {
    if (sequence.size() == 1) return is_plain(sequence[0]);
    const bool c1_control = sequence.size() == 2 && sequence[0] == '\xC2' && static_cast<unsigned char>(sequence[1]) < 0xA0;
    // U+2028 to U+202E; U+2066 to U+2069.
    const bool separator_or_override = sequence >= "\xE2\x80\xA8" && sequence <= "\xE2\x80\xAE";
    const bool isolate = sequence >= "\xE2\x81\xA6" && sequence <= "\xE2\x81\xA9";
    return !c1_control && !separator_or_override && !isolate;
}

// Of a whole UTF-8 sequence of at most three bytes.
unsigned code_point(std::string_view sequence) {
    constexpr std::array<unsigned, 4> payload{0, 0x7F, 0x1F, 0x0F};
    unsigned code = static_cast<unsigned char>(sequence[0]) & payload.at(sequence.size());
    for (const char c : sequence.substr(1)) code = code << 6 | (static_cast<unsigned char>(c) & 0x3FU);
    return code;
}

void append_json_escape(std::string& out, unsigned code) {
    std::array<char, 8> text{};
    std::snprintf(text.data(), text.size(), "\\u%04x", code);
    out += text.data();
}

} // namespace

std::string to_base64(std::span<const std::byte> bytes) {
    std::string text(4 * ((bytes.size() + 2) / 3) + 1, '\0');
    const int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
        reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
    text.resize(static_cast<std::size_t>(length));
    return text;
}

std::optional<std::vector<std::byte>> from_base64(std::string_view text) {
    if (text.size() % 4 != 0) return std::nullopt;
    std::vector<std::byte> bytes(text.size() / 4 * 3);
    const int length = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
        reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
    if (length < 0) return std::nullopt;
    for (std::size_t i = text.size(); i > 0 && text[i - 1] == '=' && !bytes.empty(); --i) bytes.pop_back();
    // OpenSSL lets blanks, misplaced padding and stray bits pass; only the canonical form encodes to itself.
    if (to_base64(bytes) != text) return std::nullopt;
    return bytes;
}

std::string to_hex(std::span<const std::byte> bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (const std::byte byte : bytes) {
        text.push_back(digits[std::to_integer<std::size_t>(byte >> 4)]);
        text.push_back(digits[std::to_integer<std::size_t>(byte & std::byte{15})]);
    }
    return text;
}

std::string to_lower(std::string_view text) {
    std::string lower(text);
    std::ranges::transform(
        lower, lower.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    return lower;
}

bool is_utf8(std::string_view text) {
    while (!text.empty()) {
        const std::size_t length = utf8_length(text);
        if (length == 0) return false;
        text.remove_prefix(length);
    }
    return true;
}

std::string escape(std::string_view text, std::size_t most) {
    const bool cut = text.size() > most;
    if (!cut && std::ranges::all_of(text, is_plain)) return std::string(text);
    std::string out;
    for (std::string_view rest = text.substr(0, most); !rest.empty();) {
        const std::size_t length = utf8_length(rest);
        const std::string_view sequence = rest.substr(0, length == 0 ? 1 : length);
        if (length > 0 && is_harmless(sequence)) out += sequence;
        else
            for (const char c : sequence) append_escaped_byte(out, static_cast<unsigned char>(c));
        rest.remove_prefix(sequence.size());
    }
    return cut ? out + "…" : out;
}

std::string shell_word(std::string_view text) {
    constexpr std::string_view harmless = "/._-+,@%:";
    const auto plain = [&](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) != 0 || harmless.find(c) != harmless.npos;
    };
    if (!text.empty() && std::ranges::all_of(text, plain)) return std::string(text);
    std::string word = "'";
    for (const char c : text) word.append(c == '\'' ? "'\\''" : std::string(1, c));
    return word.append(1, '\'');
}

std::string escape_json(std::string_view json) {
    constexpr unsigned replacement_character = 0xFFFD;
    std::string out;
    while (!json.empty()) {
        const std::size_t length = utf8_length(json);
        const std::string_view sequence = json.substr(0, length == 0 ? 1 : length);
        if (length > 0 && (is_harmless(sequence) || sequence == "\\")) out += sequence;
        else append_json_escape(out, length > 0 ? code_point(sequence) : replacement_character);
        json.remove_prefix(sequence.size());
    }
    return out;
}

} // namespace rc
