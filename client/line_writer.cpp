#include "client/line_writer.hpp"

#include "common/bytes.hpp"
#include "common/descriptor.hpp"

#include <poll.h>

#include <climits>

namespace rc {

namespace {

// A pipe that is writable takes so much at once.
bool takes_at_once(int fd, const std::string& line) {
    pollfd now{fd, POLLOUT, 0};
    return line.size() <= PIPE_BUF && ::poll(&now, 1, 0) == 1;
}

} // namespace

void LineWriter::write(const std::string& line) {
    const std::lock_guard lock(mutex_);
    if (error_ != 0) return;
    if (kept_.empty() && takes_at_once(fd_, line)) {
        error_ = write_all(fd_, as_bytes(line));
        return;
    }
    kept_ += line;
    if (!thread_.joinable()) thread_ = std::thread([this] { write_kept(); });
    changed_.notify_all();
}

void LineWriter::write_kept() {
    std::unique_lock lock(mutex_);
    for (;;) {
        changed_.wait(lock, [this] { return !kept_.empty() || ending_; });
        if (kept_.empty()) return;
        const std::string lines = kept_;
        lock.unlock();
        const int error = write_all(fd_, as_bytes(lines));
        lock.lock();
        kept_.erase(0, error == 0 ? lines.size() : kept_.size());
        error_ = error;
    }
}

bool LineWriter::waits() const {
    const std::lock_guard lock(mutex_);
    return !kept_.empty();
}

int LineWriter::error() const {
    const std::lock_guard lock(mutex_);
    return error_;
}

int LineWriter::finish() {
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
        changed_.notify_all();
    }
    if (thread_.joinable()) thread_.join();
    return error();
}

} // namespace rc
