#include "server/launch_watch.hpp"

#include <csignal>

namespace rc {

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
        if (pid <= 0 || ++entry.looks <= most_looks_) continue;
        entry.killed = true;
        ::kill(pid, SIGKILL);
    }
}

LaunchWatch& launch_watch() {
    static LaunchWatch watch;
    return watch;
}

} // namespace rc
