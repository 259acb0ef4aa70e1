// What was typed at the terminal and not yet used: whoever reads next takes it from here, the line editor or a command.
#pragma once

#include "client/local_io.hpp"

#include <string>
#include <string_view>

namespace rc {

class Typed {
public:
    // Does not own `fd`.
    Typed(const asio::any_io_executor& executor, int fd) : input_(executor, fd) {}

    // Waits until something was typed, or the terminal is gone. May be cancelled: nothing is lost then. Throws Failure{input}.
    asio::awaitable<void> wait();

    [[nodiscard]] const std::string& pending() const { return pending_; }
    // Nothing will be typed any more, beyond what is pending.
    [[nodiscard]] bool ended() const { return ended_; }
    // The first `count` bytes have been used.
    void drop(std::size_t count) { pending_.erase(0, count); }
    // These were taken, but nobody used them: they come first again.
    void give_back(std::string_view bytes) { pending_.insert(0, bytes); }
    void clear() { pending_.clear(); }

private:
    Input input_;
    std::string pending_;
    bool ended_ = false;
};

} // namespace rc
