#include "common/copy/progress.hpp"

namespace rc::copy {

void Progress::expect(std::uint64_t files, std::uint64_t bytes) {
    const std::scoped_lock lock(mutex_);
    state_.files = files;
    state_.bytes = bytes;
}

void Progress::begin(const std::string& name, std::uint64_t length) {
    const std::scoped_lock lock(mutex_);
    state_.name = name;
    state_.length = length;
    state_.done = 0;
}

void Progress::resume(std::uint64_t offset) {
    const std::scoped_lock lock(mutex_);
    state_.done += offset;
    state_.bytes_done += offset;
}

void Progress::advance(std::uint64_t bytes) {
    const std::scoped_lock lock(mutex_);
    state_.done += bytes;
    state_.bytes_done += bytes;
    state_.bytes_moved += bytes;
}

void Progress::end() {
    const std::scoped_lock lock(mutex_);
    ++state_.files_done;
}

Progress::State Progress::state() const {
    const std::scoped_lock lock(mutex_);
    return state_;
}

} // namespace rc::copy
