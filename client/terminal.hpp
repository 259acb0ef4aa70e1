// The terminal that the client runs on: its modes, which it gets back whatever happens, and its size.
#pragma once

#include "common/async.hpp"
#include "common/message.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/signal_set.hpp>

#include <csignal>
#include <functional>
#include <string_view>

#include <termios.h>

namespace rc {

// At most one at a time; make it before any thread is started. While it lives, every signal that would end or stop the client,
// but for those of Signals, waits for guard(), which makes the terminal right first. SIGKILL, and a fault of the program itself,
// end the client as it stands.
class Terminal {
public:
    // `fd` is a terminal, and is not owned. What modes it has now it will have again.
    Terminal(const asio::any_io_executor& executor, int fd);
    ~Terminal();
    Terminal(const Terminal&) = delete;
    Terminal& operator=(const Terminal&) = delete;

    // From now on what is typed while nobody reads it stays as it is: no line is edited or cut, and nothing echoed, by the kernel.
    void hold_input();
    // Every key goes to the command as it is, until rest().
    void make_raw();
    void rest();
    // As it was found.
    void restore();
    [[nodiscard]] bool is_raw() const { return raw_; }
    [[nodiscard]] WindowSize size() const;
    // Ends when the size may have changed.
    asio::awaitable<void> resized();

    // Runs until it is cancelled.
    asio::awaitable<void> guard();
    // Stops this program, as Ctrl-Z does any. Returns when it is continued: then the modes are again as they were.
    asio::awaitable<void> suspend();
    // Called to do that; it calls `stop`.
    std::function<asio::awaitable<void>(std::function<void()> stop)> around_stop;
    // Called after that.
    std::function<void()> on_continued = [] {};

private:
    void stop();

    int fd_;
    bool raw_ = false;
    termios found_{};
    termios resting_{};
    sigset_t guarded_{};
    asio::posix::stream_descriptor signals_;
    asio::signal_set window_;
};

// What ends a row of text on stderr: \r\n while the terminal is raw.
std::string_view row_end();

// By TERM: the terminal can only write rows.
bool is_plain_terminal();

// Gives the terminal its modes back, if there is one. For whoever ends the program in a hurry.
void restore_terminal();

} // namespace rc
