// What was typed at the prompt, across runs: a file with an entry a line, in which \n stands for a newline and \\ for a backslash.
// Several clients may add to it at a time. No terminal here.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rc {

// More are not kept; the oldest go first.
inline constexpr std::size_t most_history_entries = 10'000;

class History {
public:
    // Reads the file, if there is one. Lines of it that are no entries are passed over. What is no regular file (a link to
    // /dev/null) is left alone: the user wants no history.
    explicit History(std::filesystem::path file);

    // The oldest first.
    [[nodiscard]] const std::vector<std::string>& entries() const { return entries_; }
    // Adds an entry and writes it to the file at once, which only its owner can read. Nothing happens, and false is returned, if it
    // is empty, begins with a blank, repeats the last one or is not UTF-8.
    bool remember(const std::string& entry);
    // What is wrong with the file, if anything: what was typed is then remembered in this run only.
    [[nodiscard]] const std::optional<std::string>& problem() const { return problem_; }

private:
    void load();
    void append(const std::string& entry);

    std::filesystem::path file_;
    std::vector<std::string> entries_;
    std::optional<std::string> problem_;
};

// ~/.local/state/rcmd/history. Throws what home_directory() throws.
std::filesystem::path history_file();

} // namespace rc
