#include "client/escapes.hpp"

namespace rc {

namespace {

constexpr char ctrl_z = '\x1a';

bool ends_line(char byte) { return byte == '\r' || byte == '\n'; }

std::optional<Escape> escape_named(char byte) {
    switch (byte) {
    case '.': return Escape::leave;
    case ctrl_z: return Escape::suspend;
    case '?': return Escape::help;
    default: return std::nullopt;
    }
}

} // namespace

std::optional<Escape> EscapeReader::take(char byte, std::string& out) {
    if (at_ == At::line_start && byte == '~') {
        at_ = At::tilde;
        return std::nullopt;
    }
    const bool after_tilde = at_ == At::tilde;
    at_ = ends_line(byte) ? At::line_start : At::within;
    if (!after_tilde) {
        out += byte;
        return std::nullopt;
    }
    const std::optional<Escape> escape = escape_named(byte);
    if (escape) at_ = At::line_start;
    else if (byte == '~') out += byte;
    else out.append(1, '~').append(1, byte);
    return escape;
}

void EscapeReader::pass(std::string_view bytes) {
    if (!bytes.empty()) at_ = ends_line(bytes.back()) ? At::line_start : At::within;
}

std::string escape_help() {
    return "\r\n~.  ends the connection, and with it the command\r\n"
           "~^Z suspends rcmd\r\n"
           "~~  types a ~\r\n"
           "~?  shows this; all of them only at the beginning of a line\r\n";
}

} // namespace rc
