#include "client/line_writer.hpp"

#include "common/bytes.hpp"
#include "common/descriptor.hpp"

namespace rc {

namespace {

constexpr std::size_t many = 64 * 1024; // bytes

} // namespace

void LineWriter::write(std::string line) {
    const std::lock_guard lock(mutex_);
    if (error_ != 0) return;
    if (kept_.empty()) line.erase(0, write_at_once(fd_, as_bytes(line)));
    if (line.empty()) return;
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

bool LineWriter::keeps_many() const {
    const std::lock_guard lock(mutex_);
    return kept_.size() > many;
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
