// What ~ at the beginning of a line does while a command has the terminal. No terminal here.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace rc {

// ~. leave  ~^Z suspend  ~? help  ~~ a ~; before anything else the ~ is an ordinary character.
enum class Escape { leave, suspend, help };

// Reads what is typed, byte by byte. A line begins at the start and after Enter.
class EscapeReader {
public:
    // Appends to `out` what the command shall get for this byte.
    std::optional<Escape> take(char byte, std::string& out);
    // The same for bytes that go to the command whatever they are.
    void pass(std::string_view bytes);

private:
    enum class At { line_start, tilde, within };
    At at_ = At::line_start;
};

// What ~? shows: lines ended by \r\n, as a raw terminal wants them.
std::string escape_help();

} // namespace rc
