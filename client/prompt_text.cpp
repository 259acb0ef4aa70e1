#include "client/prompt_text.hpp"

#include "common/bytes.hpp"
#include "common/signal_name.hpp"

#include <csignal>

namespace rc {

namespace {

constexpr std::chrono::milliseconds unremarkable{5000};
constexpr std::size_t longest_directory = 60; // bytes; of a longer one the end is shown

std::string in_colour(const PromptText& prompt, const std::string& colour, const std::string& text) {
    if (!prompt.coloured || text.empty()) return text; // libedit wants something between two sequences
    std::string shown = "\x01\x1b[";
    return shown.append(colour).append("m\x01").append(text).append("\x01\x1b[0m\x01");
}

// Cut at the beginning of a component.
std::string shortened(const std::string& directory) {
    if (directory.size() <= longest_directory) return directory;
    const std::size_t slash = directory.find('/', directory.size() - longest_directory);
    std::string shown = "…";
    return shown.append(directory, slash != std::string::npos ? slash : directory.size() - longest_directory);
}

std::string join(long long first, const char* first_unit, long long second, const char* second_unit) {
    return std::to_string(first) + first_unit + std::to_string(second) + second_unit;
}

} // namespace

std::string show(const PromptText& prompt) {
    std::string text = in_colour(prompt, "32", escape(prompt.host));
    text.append(1, ':').append(in_colour(prompt, "34", escape(shortened(prompt.directory))));
    if (prompt.status != 0) {
        const std::string status = show_status(prompt.status);
        text.append(" ").append(in_colour(prompt, "31", std::string(1, '[').append(status).append(1, ']')));
    }
    return text.append("> ");
}

std::string show_status(int status) {
    std::string text = std::to_string(status);
    const int number = status - 128;
    if (number <= 0 || number >= NSIG) return text;
    const std::string name = signal_name(number);
    const bool named = name.find_first_not_of("0123456789") != std::string::npos;
    return named ? text.append(1, ' ').append(name) : text;
}

std::optional<std::string> show_duration(std::chrono::milliseconds duration) {
    if (duration <= unremarkable) return std::nullopt;
    const auto seconds = duration.count() / 1000;
    if (seconds < 60) return join(seconds, ".", duration.count() / 100 % 10, " s");
    if (seconds < 3600) return join(seconds / 60, " min ", seconds % 60, " s");
    return join(seconds / 3600, " h ", seconds / 60 % 60, " min");
}

} // namespace rc
