// How far a copy is, on a terminal: one line that is drawn anew.
#pragma once

#include "common/async.hpp"
#include "common/copy/progress.hpp"

#include <chrono>
#include <cstddef>
#include <mutex>
#include <string>

namespace rc {

// `NAME 45% | 3/20 files, 120.0 MiB of 1.2 GiB, 85.2 MiB/s, 0:13 left`, at most `columns` wide. `rate`: bytes a second.
std::string progress_line(const copy::Progress::State& state, double rate, std::size_t columns);

class ProgressBar {
public:
    // `shown`: whether there is one at all.
    ProgressBar(const copy::Progress& progress, bool shown) : progress_(progress), shown_(shown) {}

    // Draws until it is cancelled.
    asio::awaitable<void> draw();
    // The last state of it stays.
    void finish();
    // A line of its own on stderr. Any thread may call it.
    void say(const std::string& text);

private:
    void draw_line();

    const copy::Progress& progress_;
    bool shown_;
    std::mutex mutex_;
    bool drawn_ = false;
    Clock::time_point started_ = Clock::now();
};

} // namespace rc
