#include "server/command_state.hpp"

#include "common/bytes.hpp"
#include "common/error.hpp"
#include "common/limits.hpp"
#include "server/terminal_leader.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstring>

namespace rc {

namespace {

constexpr std::array<std::string_view, 8> shells_with_traps{"sh", "bash", "dash", "zsh", "ksh", "mksh", "ash", "busybox"};

bool is_assignment(std::string_view text) {
    const std::size_t equals = text.find('=');
    return equals != text.npos && equals > 0;
}

// Not what the shell sets for itself anew with each command, nor what the server sets.
bool lasting(std::string_view text) {
    return is_assignment(text) && !text.starts_with("_=") && !text.starts_with("SHLVL=") && !text.starts_with("RCMD_");
}

std::string current_state() {
    std::array<char, PATH_MAX> directory{};
    if (::getcwd(directory.data(), directory.size()) == nullptr || directory.front() != '/') return {};
    std::array<char, 8> mask{};
    std::snprintf(mask.data(), mask.size(), "%o", ::umask(0));
    std::string state = directory.data();
    state.append(1, '\0').append(mask.data()).append(1, '\0');
    for (char** entry = environ; *entry != nullptr; ++entry) {
        if (lasting(*entry)) state.append(*entry).append(1, '\0');
    }
    return state;
}

// stderr has been closed, so that the shell does not complain where this program cannot be run.
int say_too_large() {
    const Descriptor terminal(::open("/dev/tty", O_WRONLY | O_CLOEXEC | O_NOCTTY));
    constexpr std::string_view text = "rcmd: the environment takes more than 256 KiB: the next command will not find what this "
                                      "one changed of it, nor its directory\n";
    if (terminal.is_open()) write_all(terminal.get(), as_bytes(text));
    return 1;
}

// Anybody who runs as the user could have written it.
bool well_formed(std::string_view state) {
    if (!state.starts_with('/')) return false;
    for (int part = 0; !state.empty(); ++part) {
        const std::string_view text = state.substr(0, state.find('\0'));
        const bool number = text.size() <= 4 && text.find_first_not_of("01234567") == text.npos;
        if (part == 1 && (!number || text.empty())) return false;
        if (part > 1 && !lasting(text)) return false;
        state.remove_prefix(text.size() + 1);
    }
    return true;
}

} // namespace

bool shell_has_traps(std::string_view shell) {
    return std::ranges::count(shells_with_traps, shell.substr(shell.rfind('/') + 1)) > 0;
}

// On the line of the command itself, so that the shell's messages count lines as the user does. The braces keep `set -x` from
// showing it.
std::string state_trap(pid_t leader) {
    std::string text = "trap '{ /proc/";
    text.append(std::to_string(leader)).append("/exe ").append(state_verb).append(";} 2>&-' 0; ");
    return text;
}

int write_state(std::string_view self) {
    constexpr std::string_view program = "exe";
    if (!self.ends_with(program)) return 1;
    std::string path(self.substr(0, self.size() - program.size()));
    path.append("fd/").append(std::to_string(state_descriptor));
    std::string state = current_state();
    if (state.empty()) return 1;
    if (state.size() > limits::state_body) return say_too_large();
    state += '\0'; // an empty string: nothing is missing
    const Descriptor file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    return file.is_open() && write_all(file.get(), as_bytes(state)) == 0 ? 0 : 1;
}

// Sealed: whoever writes there takes no more memory than this.
Descriptor make_state_file() {
    Descriptor file(::memfd_create("rcmd-state", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    const bool made = file.is_open() && ::ftruncate(file.get(), limits::state_body + 1) == 0 &&
                      ::fcntl(file.get(), F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) == 0;
    if (!made) throw Error(ErrorCode::internal, std::string("no place for the command's state: ") + std::strerror(errno));
    return file;
}

std::string read_state(int file) {
    std::string state(limits::state_body + 1, '\0');
    const ssize_t count = ::pread(file, state.data(), state.size(), 0);
    state.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
    const std::size_t end = state.find(std::string_view("\0\0", 2));
    state.resize(end == std::string::npos ? 0 : end + 1);
    return well_formed(state) ? state : std::string();
}

} // namespace rc
