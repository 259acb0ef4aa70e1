// What the prompt says. No terminal here.
#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace rc {

struct PromptText {
    std::string host;
    std::string directory; // as the user calls it
    int status = 0;        // of the last command
    bool coloured = false;
};

// HOST:DIRECTORY>, with the status in brackets if it is not 0, and a blank. What came from elsewhere is escaped. Each sequence that
// takes no place on the screen stands between two \x01, for LineEditor.
std::string show(const PromptText& prompt);

// 0 to 255; above 128 with the name of the signal that the shell means by it: 137 KILL.
std::string show_status(int status);

// How long a command took, if that is worth a line (over 5 s): 6.1 s, 2 min 5 s, 3 h 2 min.
std::optional<std::string> show_duration(std::chrono::milliseconds duration);

} // namespace rc
