#include "server/launch_watch.hpp"

#include <csignal>
#include <fstream>
#include <string>

namespace rc {

namespace {

// As proc(5) says: behind the name, which may hold anything.
bool is_stopped(pid_t pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    std::string line;
    std::getline(file, line);
    const std::size_t state = line.rfind(") ");
    return state != std::string::npos && (line.compare(state, 3, ") T") == 0 || line.compare(state, 3, ") t") == 0);
}

} // namespace

LaunchWatch::Launch::Launch(LaunchWatch& watch) : watch_(watch) {
    const std::lock_guard lock(watch_.mutex_);
    entry_ = watch_.entries_.emplace(watch_.entries_.end());
}

void LaunchWatch::Launch::done() {
    const std::lock_guard lock(watch_.mutex_);
    entry_->pid = 0;
}

LaunchWatch::Launch::~Launch() {
    const std::lock_guard lock(watch_.mutex_);
    watch_.entries_.erase(entry_);
}

void LaunchWatch::run(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (!stop.stop_requested()) {
        kill_stuck();
        stopping_.wait_for(lock, stop, pause_, [] { return false; });
    }
}

// Nobody has reaped it as long as its entry is there, so that the pid is its own.
void LaunchWatch::kill_stuck() {
    for (Entry& entry : entries_) {
        const pid_t pid = entry.pid;
        if (pid <= 0) continue;
        ++entry.looks;
        const bool stuck = entry.looks > most_looks_ || (entry.looks > 1 && is_stopped(pid));
        if (!stuck) continue;
        entry.killed = true;
        ::kill(pid, SIGKILL);
    }
}

LaunchWatch& launch_watch() {
    static LaunchWatch watch;
    return watch;
}

} // namespace rc
