#include "server/process_session.hpp"

#include <dirent.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <csignal>
#include <map>
#include <memory>
#include <string_view>

namespace rc {

namespace {

using Clock = std::chrono::steady_clock;

// Many jobs may end at once, and to look at all processes for each would take long. What is stale is noticed before a signal is sent.
constexpr std::chrono::milliseconds lasts{100};

struct Sessions {
    Clock::time_point seen{};
    std::multimap<pid_t, pid_t> processes; // by session
};

pid_t to_pid(std::string_view name) {
    pid_t pid = 0;
    const auto [end, problem] = std::from_chars(name.data(), name.data() + name.size(), pid);
    return problem == std::errc{} && end == name.data() + name.size() ? pid : 0;
}

void look(Sessions& sessions) {
    sessions.processes.clear();
    const std::unique_ptr<DIR, int (*)(DIR*)> proc(::opendir("/proc"), &::closedir);
    while (const dirent* entry = proc ? ::readdir(proc.get()) : nullptr) {
        const pid_t pid = to_pid(entry->d_name);
        const pid_t session = pid > 0 ? ::getsid(pid) : -1;
        if (session > 0) sessions.processes.emplace(session, pid);
    }
    sessions.seen = Clock::now();
}

} // namespace

void signal_session(pid_t leader, int number) {
    thread_local Sessions sessions;
    if (Clock::now() - sessions.seen > lasts) look(sessions);
    const auto [begin, end] = sessions.processes.equal_range(leader);
    for (auto process = begin; process != end; ++process) {
        if (process->second != leader && ::getsid(process->second) == leader) ::kill(process->second, number);
    }
}

} // namespace rc
