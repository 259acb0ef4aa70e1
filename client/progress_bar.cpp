#include "client/progress_bar.hpp"

#include "client/reporter.hpp"
#include "common/bytes.hpp"
#include "common/descriptor.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>

namespace rc {

namespace {

constexpr std::chrono::milliseconds pause{200};
constexpr auto clear_line = "\r\x1b[K";
constexpr std::size_t usual_columns = 80;
constexpr std::size_t shortest_name = 8;

std::string print(const char* format, auto... values) {
    std::array<char, 128> text{};
    std::snprintf(text.data(), text.size(), format, values...);
    return text.data();
}

std::string size_text(double bytes) {
    constexpr std::array units{"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    constexpr double step = 1024;
    std::size_t unit = 0;
    for (; bytes >= step && unit + 1 < units.size(); ++unit) bytes /= step;
    return unit == 0 ? print("%.0f B", bytes) : print("%.1f %s", bytes, units.at(unit));
}

std::string time_text(double seconds) {
    constexpr double longest = 100 * 3600;
    if (!(seconds < longest)) return "-:--";
    const long whole = std::chrono::ceil<std::chrono::seconds>(std::chrono::duration<double>(seconds)).count();
    if (whole >= 3600) return print("%ld:%02ld:%02ld", whole / 3600, whole / 60 % 60, whole % 60);
    return print("%ld:%02ld", whole / 60, whole % 60);
}

long percent(std::uint64_t done, std::uint64_t all) {
    if (all == 0) return 100;
    return std::min(100L, static_cast<long>(static_cast<double>(done) / static_cast<double>(all) * 100));
}

std::size_t columns_of_terminal() {
    winsize window{};
    return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 0 ? window.ws_col : usual_columns;
}

// What runs in the background leaves the terminal to others.
bool has_terminal() {
    const pid_t front = ::tcgetpgrp(STDERR_FILENO);
    return front < 0 || front == ::getpgrp();
}

void put(const std::string& text) { write_all(STDERR_FILENO, as_bytes(text)); }

} // namespace

std::string progress_line(const copy::Progress::State& state, double rate, std::size_t columns) {
    const double left = static_cast<double>(state.bytes > state.bytes_done ? state.bytes - state.bytes_done : 0);
    std::string rest = print(" %ld%% | %llu/%llu files, ", percent(state.done, state.length),
        static_cast<unsigned long long>(state.files_done), static_cast<unsigned long long>(state.files));
    rest += size_text(static_cast<double>(state.bytes_done)) + " of " + size_text(static_cast<double>(state.bytes)) + ", ";
    rest += size_text(rate) + "/s, " + (rate > 0 ? time_text(left / rate) : "-:--") + " left";
    const std::size_t room = columns > rest.size() + shortest_name ? columns - rest.size() - 1 : shortest_name;
    const std::string name = escape(state.name, 4096);
    std::string line = name.size() <= room ? name : std::string("...").append(name, name.size() - (room - 3));
    while (!is_utf8(line)) line.erase(3, 1); // it was cut in a character
    line += rest;
    if (line.size() > columns) line.resize(columns);
    return line;
}

asio::awaitable<void> ProgressBar::draw() {
    if (!shown_) co_await wait_forever();
    Event never(co_await asio::this_coro::executor);
    for (;;) {
        co_await never.wait_until(Clock::now() + pause);
        draw_line();
    }
}

void ProgressBar::draw_line() {
    if (!has_terminal()) return;
    const std::scoped_lock lock(mutex_);
    const copy::Progress::State state = progress_.state();
    const double seconds = std::chrono::duration<double>(Clock::now() - started_).count();
    const double rate = seconds > 0 ? static_cast<double>(state.bytes_moved) / seconds : 0;
    put(clear_line + progress_line(state, rate, columns_of_terminal() - 1));
    drawn_ = true;
}

void ProgressBar::finish() {
    if (!shown_ || !has_terminal()) return;
    draw_line();
    put("\n");
    drawn_ = false;
}

void ProgressBar::say(const std::string& text) {
    const std::scoped_lock lock(mutex_);
    if (drawn_) put(clear_line);
    print_error(text);
}

} // namespace rc
