#include "server/housekeeper.hpp"

namespace rc {

namespace {

constexpr std::chrono::seconds pause_between{10};

}

Housekeeper::Housekeeper(DurableJobs& durable, std::chrono::seconds retain)
    : durable_(durable), retain_(retain), thread_([this] { run(); }) {}

Housekeeper::~Housekeeper() {
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
    }
    ending_changed_.notify_all();
    thread_.join();
}

void Housekeeper::run() {
    std::unique_lock lock(mutex_);
    while (!ending_) {
        lock.unlock();
        durable_.clean(retain_);
        lock.lock();
        ending_changed_.wait_for(lock, pause_between, [this] { return ending_; });
    }
}

} // namespace rc
