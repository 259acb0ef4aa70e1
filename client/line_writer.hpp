// Lines for a descriptor whose reader may be slow, or may not read at all: whoever has a line to write goes on meanwhile.
#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

namespace rc {

class LineWriter {
public:
    // Does not own `fd`.
    explicit LineWriter(int fd) : fd_(fd) {}
    // As finish().
    ~LineWriter() { finish(); }
    LineWriter(const LineWriter&) = delete;
    LineWriter& operator=(const LineWriter&) = delete;

    // What the descriptor does not take at once is kept, without a limit (see keeps_many()), and written by a thread. Once a line could not be
    // written, none is any more.
    void write(std::string line);
    // More than 64 KiB are kept: whoever causes more should wait until there are less.
    [[nodiscard]] bool keeps_many() const;
    // The errno of the line that could not be written, or 0.
    [[nodiscard]] int error() const;
    // Waits until none is kept any more, as long as that takes. Returns error().
    int finish();

private:
    void write_kept();

    const int fd_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::string kept_; // until it has been written
    bool ending_ = false;
    int error_ = 0;
    std::thread thread_; // from the first line that is kept
};

} // namespace rc
