#include "server/complete.hpp"

#include "common/bytes.hpp"
#include "common/descriptor.hpp"

#include <dirent.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <functional>
#include <memory>
#include <set>
#include <utility>

namespace rc {

namespace {

using Names = std::set<std::string>;

// What POSIX has every shell know.
constexpr std::array<std::string_view, 45> built_in{"alias", "bg", "break", "case", "cd", "command", "continue", "do", "done",
    "echo", "elif", "else", "esac", "eval", "exec", "exit", "export", "false", "fg", "fi", "for", "getopts", "hash", "if", "jobs",
    "kill", "printf", "pwd", "read", "readonly", "return", "set", "shift", "test", "then", "times", "trap", "true", "type",
    "ulimit", "umask", "unalias", "unset", "until", "while"};

void for_each_entry(const std::string& directory, const std::function<void(const dirent&)>& look) {
    const std::unique_ptr<DIR, int (*)(DIR*)> open(::opendir(directory.empty() ? "." : directory.c_str()), &::closedir);
    while (const dirent* entry = open ? ::readdir(open.get()) : nullptr) look(*entry);
}

bool is_directory(const std::string& path) {
    struct stat status {};
    return ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

bool is_program(const std::string& path) {
    struct stat status {};
    return ::access(path.c_str(), X_OK) == 0 && ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode);
}

Names commands(std::string_view beginning) {
    Names names;
    for (const std::string_view name : built_in) {
        if (name.starts_with(beginning)) names.emplace(name);
    }
    const char* path = std::getenv("PATH");
    for (std::string_view rest = path != nullptr ? path : ""; !rest.empty();) {
        const std::string directory(rest.substr(0, rest.find(':')));
        rest.remove_prefix(std::min(directory.size() + 1, rest.size()));
        for_each_entry(directory, [&](const dirent& entry) {
            const std::string_view name = entry.d_name;
            const bool wanted = name.starts_with(beginning) && names.size() < most_completions;
            if (wanted && is_program(directory + '/' + entry.d_name)) names.emplace(name);
        });
    }
    return names;
}

// ~ and ~NAME at the beginning, as the shell has them.
std::string expand_home(const std::string& directory) {
    if (!directory.starts_with('~')) return directory;
    const std::size_t end = std::min(directory.find('/'), directory.size());
    const std::string name = directory.substr(1, end - 1);
    const char* home = name.empty() ? std::getenv("HOME") : nullptr;
    if (!name.empty()) {
        const passwd* entry = ::getpwnam(name.c_str());
        home = entry != nullptr ? entry->pw_dir : nullptr;
    }
    return home != nullptr ? std::string(home).append(directory, end) : directory;
}

Names paths(const std::string& beginning) {
    const std::size_t slash = beginning.rfind('/') + 1; // 0: there is none
    const std::string directory = expand_home(beginning.substr(0, slash));
    const std::string start = beginning.substr(slash);
    Names names;
    for_each_entry(directory, [&](const dirent& entry) {
        std::string name = entry.d_name;
        const bool hidden = name.starts_with('.') && !start.starts_with('.');
        if (hidden || name == "." || name == ".." || !name.starts_with(start) || names.size() >= most_completions) return;
        const bool maybe = entry.d_type == DT_DIR || entry.d_type == DT_LNK || entry.d_type == DT_UNKNOWN;
        if (maybe && is_directory(std::string(directory).append(name))) name.append(1, '/');
        names.insert(std::move(name));
    });
    return names;
}

Names variables(std::string_view beginning) {
    Names names;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        const std::string_view text = *entry;
        const std::string_view name = text.substr(0, text.find('='));
        if (name.starts_with(beginning)) names.emplace(name);
    }
    return names;
}

} // namespace

std::vector<std::string> completions(std::string_view kind, const std::string& beginning) {
    Names names;
    if (kind == "command") names = commands(beginning);
    else if (kind == "path") names = paths(beginning);
    else if (kind == "variable") names = variables(beginning);
    return {names.begin(), names.end()};
}

int print_completions(int argc, char** argv) {
    if (argc != 4) return 1;
    std::string text;
    for (const std::string& name : completions(argv[2], argv[3])) text.append(name).append(1, '\0');
    return write_all(STDOUT_FILENO, as_bytes(text)) == 0 ? 0 : 1;
}

} // namespace rc
