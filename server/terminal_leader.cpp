#include "server/terminal_leader.hpp"

#include "common/bytes.hpp"
#include "common/descriptor.hpp"
#include "server/command_state.hpp"
#include "server/program_search.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace rc {

namespace {

// Its stdin may be /dev/null.
constexpr int terminal = STDOUT_FILENO;

constexpr int not_executable = 126;
constexpr int not_found = 127;

std::uint64_t microseconds(const timeval& time) {
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000 + static_cast<std::uint64_t>(time.tv_usec);
}

template <class T>
void tell(const T& value) {
    write_all(control_descriptor, std::as_bytes(std::span(&value, 1)));
}

template <class Change>
void change_modes(Change change) {
    termios modes{};
    if (::tcgetattr(terminal, &modes) != 0) return;
    change(modes);
    ::tcsetattr(terminal, TCSANOW, &modes);
}

class TerminalLeader {
public:
    TerminalLeader(std::string_view options, std::vector<std::string> command)
        : hold_(options.find(leader_holds) != options.npos), command_(std::move(command)) {
        if (options.find(leader_keeps_state) != options.npos) command_.back().insert(0, state_trap(::getpid()));
    }

    int run() {
        ::ioctl(terminal, TIOCSCTTY, 0);
        watch_signals();
        if (!start()) return 1;
        if (!hold_) let_go();
        serve();
        ::waitpid(group_, nullptr, WNOHANG);
        return 0;
    }

private:
    void watch_signals() {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGCHLD);
        signals_ = Descriptor(::signalfd(-1, &set, SFD_CLOEXEC));
        sigaddset(&set, SIGTTOU); // or changing a terminal in whose background we are would stop us
        ::sigprocmask(SIG_BLOCK, &set, nullptr);
    }

    // The command waits at the gate, which opens when a byte comes through it.
    bool start() {
        std::array<int, 2> gate{};
        if (::pipe2(gate.data(), O_CLOEXEC) != 0) return false;
        Descriptor read_end(gate[0]);
        gate_ = Descriptor(gate[1]);
        group_ = ::fork();
        if (group_ == 0) run_command(read_end.get());
        if (group_ < 0) return false;
        ::setpgid(group_, group_); // so does the command itself; whoever is first
        tell(LeaderReport{false, group_, 0, 0, 0, 0, 0});
        return true;
    }

    [[noreturn]] void run_command(int gate) {
        gate_.close();
        ::prctl(PR_SET_PDEATHSIG, SIGHUP);
        ::setpgid(0, 0);
        ::tcsetpgrp(terminal, ::getpid());
        sigset_t none;
        sigemptyset(&none);
        ::sigprocmask(SIG_SETMASK, &none, nullptr);
        std::byte opened{};
        if (::read(gate, &opened, 1) != 1) ::_exit(1);
        ::syscall(SYS_close_range, 3U, ~0U, 0U);
        std::vector<char*> arguments;
        for (std::string& word : command_) arguments.push_back(word.data());
        arguments.push_back(nullptr);
        const char* const path = std::getenv("PATH");
        const int problem = execute_first(places_of(command_.front(), path == nullptr ? "" : path), arguments.data(), environ);
        const std::string text = escape(command_.front(), 256) + ": " + why_not_executed(command_.front(), problem) + '\n';
        write_all(STDERR_FILENO, as_bytes(text));
        ::_exit(problem == ENOENT || problem == ENOTDIR ? not_found : not_executable);
    }

    // What was typed before the command is in the terminal by now, unechoed.
    void let_go() {
        pollfd arrived{terminal, POLLIN, 0};
        ::poll(&arrived, 1, 0); // waits for what is on its way through the kernel
        if (hold_) change_modes([](termios& modes) { modes.c_lflag |= ECHO; });
        const std::byte open{1};
        write_all(gate_.get(), std::span(&open, 1));
        gate_.close();
    }

    void serve() {
        for (;;) {
            std::array<pollfd, 2> events{{{control_descriptor, POLLIN, 0}, {signals_.get(), POLLIN, 0}}};
            if (::poll(events.data(), events.size(), -1) < 0) continue;
            if (events[1].revents != 0) look_at_command();
            if (events[0].revents == 0) continue;
            char order{};
            if (::read(control_descriptor, &order, 1) != 1) return;
            if (order == static_cast<char>(LeaderOrder::go)) let_go();
            else drain();
        }
    }

    void look_at_command() {
        signalfd_siginfo taken{};
        [[maybe_unused]] const ssize_t count = ::read(signals_.get(), &taken, sizeof(taken));
        siginfo_t info{};
        rusage usage{};
        // Nobody here could make a stopped command go on again: Ctrl-Z passes.
        if (::waitid(P_PID, static_cast<id_t>(group_), &info, WSTOPPED | WNOHANG) == 0 && info.si_pid == group_) {
            ::kill(-group_, SIGCONT);
        }
        info.si_pid = 0;
        // It stays a zombie until we end: so its group's id is nobody else's.
        ::syscall(SYS_waitid, P_PID, group_, &info, WEXITED | WNOHANG | WNOWAIT, &usage);
        if (info.si_pid != group_ || ended_) return;
        ended_ = true;
        tell(LeaderReport{true, group_, info.si_code, info.si_status, microseconds(usage.ru_utime), microseconds(usage.ru_stime),
            static_cast<std::uint64_t>(usage.ru_maxrss)});
    }

    // What the command left behind in the background goes on there, but reads the terminal no more.
    void drain() {
        ::tcsetpgrp(terminal, ::getpgrp());
        change_modes([](termios& modes) {
            modes.c_iflag = 0;
            modes.c_lflag = 0;
            modes.c_cc[VMIN] = 0;
            modes.c_cc[VTIME] = 0;
        });
        std::string left(most_left, '\0');
        std::size_t size = 0;
        ssize_t count = 0;
        while ((count = ::read(terminal, left.data() + size, left.size() - size)) > 0) size += static_cast<std::size_t>(count);
        tell(static_cast<std::uint64_t>(size));
        write_all(control_descriptor, as_bytes(std::string_view(left).substr(0, size)));
        const Descriptor nothing(::open("/dev/null", O_RDWR | O_CLOEXEC));
        for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::dup2(nothing.get(), fd);
    }

    bool hold_;
    bool ended_ = false;
    std::vector<std::string> command_; // the program, with its arguments
    pid_t group_ = -1;
    Descriptor gate_;
    Descriptor signals_;
};

// So that ps shows the command once, where it runs.
void rename_process(int argc, char** argv) {
    constexpr std::string_view name = "rcmd-terminal";
    char* const end = argv[argc - 1] + std::strlen(argv[argc - 1]);
    const auto room = static_cast<std::size_t>(end - argv[0]);
    std::memset(argv[0], 0, room);
    if (room > name.size()) name.copy(argv[0], name.size());
    ::prctl(PR_SET_NAME, name.data());
}

} // namespace

int lead_terminal(int argc, char** argv) {
    if (argc < 4) return 1;
    const std::string options = argv[2];
    std::vector<std::string> command(argv + 3, argv + argc);
    rename_process(argc, argv);
    return TerminalLeader(options, std::move(command)).run();
}

} // namespace rc
