#include "client/shell_state.hpp"

#include "common/limits.hpp"

#include <charconv>

namespace rc {

namespace {

std::optional<std::string> take_string(std::string_view& rest) {
    const std::size_t end = rest.find('\0');
    if (end == std::string_view::npos) return std::nullopt;
    std::string text(rest.substr(0, end));
    rest.remove_prefix(end + 1);
    return text;
}

std::optional<std::uint64_t> parse_umask(const std::string& text) {
    std::uint64_t mask = 0;
    const char* const end = text.data() + text.size();
    const auto [rest, problem] = std::from_chars(text.data(), end, mask, 8);
    if (problem != std::errc{} || rest != end || mask > limits::umask) return std::nullopt;
    return mask;
}

bool is_assignment(std::string_view text) {
    const std::size_t equals = text.find('=');
    return equals != text.npos && equals > 0;
}

} // namespace

std::optional<std::string_view> ShellState::variable(std::string_view name) const {
    for (const std::string_view assignment : environment) {
        if (assignment.starts_with(name) && assignment.substr(name.size()).starts_with('=')) {
            return assignment.substr(name.size() + 1);
        }
    }
    return std::nullopt;
}

std::string ShellState::shown_directory() const {
    if (directory.empty()) return "~";
    std::string shown(variable("PWD").value_or(directory));
    const std::string_view home = variable("HOME").value_or("");
    const bool in_home = home.size() > 1 && shown.starts_with(home) && (shown.size() == home.size() || shown[home.size()] == '/');
    if (in_home) shown.replace(0, home.size(), "~");
    return shown;
}

void ShellState::apply_to(JobRequest& request) const {
    request.directory = directory;
    request.environment = environment;
    request.umask = umask;
}

std::optional<ShellState> read_shell_state(std::string_view body) {
    ShellState state;
    const auto directory = take_string(body);
    const auto mask = directory ? take_string(body) : std::nullopt;
    const auto number = mask ? parse_umask(*mask) : std::nullopt;
    if (!number || !directory->starts_with('/')) return std::nullopt;
    state.directory = *directory;
    state.umask = *number;
    while (!body.empty()) {
        const auto assignment = take_string(body);
        if (!assignment || !is_assignment(*assignment)) return std::nullopt;
        state.environment.push_back(*assignment);
    }
    return state;
}

} // namespace rc
