// Children between vfork and exec. There they run in the daemon's memory and hold up the thread that starts them, but may be held up themselves: by a
// directory that does not answer, or by whoever may send signals to the user that they have become. One that takes too long is killed.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <list>
#include <mutex>
#include <stop_token>

#include <sys/types.h>

namespace rc {

class LaunchWatch {
    struct Entry {
        std::atomic<pid_t> pid{0}; // 0: there is none yet
        std::atomic<bool> killed{false};
        int looks = 0; // that have found it
    };

public:
    // Whoever is still there at the look after `most_looks` others, with `pause` between two, is killed. Looks are counted, and not the time: where
    // everything is slow, so are they. One that somebody has stopped will not get any further: it is killed at the second look.
    explicit LaunchWatch(std::chrono::milliseconds pause = std::chrono::milliseconds(500), int most_looks = 20)
        : pause_(pause), most_looks_(most_looks) {}

    // One of them, from before the vfork until the parent goes on.
    class Launch {
    public:
        explicit Launch(LaunchWatch& watch);
        ~Launch();
        Launch(const Launch&) = delete;
        Launch& operator=(const Launch&) = delete;

        // For the child, in the parent's memory: touches nothing but an atomic number.
        void set_pid(pid_t pid) { entry_->pid = pid; }
        // It has left that memory, or never came there: nothing happens to it any more.
        void done();
        [[nodiscard]] bool killed() const { return entry_->killed; }

    private:
        LaunchWatch& watch_;
        std::list<Entry>::iterator entry_;
    };

    // Kills those that take too long until it is asked to stop; for a thread of its own.
    void run(const std::stop_token& stop);

private:
    void kill_stuck(); // with the mutex held

    std::chrono::milliseconds pause_;
    int most_looks_;
    std::mutex mutex_;
    std::condition_variable_any stopping_;
    std::list<Entry> entries_;
};

// Of this process.
LaunchWatch& launch_watch();

} // namespace rc
