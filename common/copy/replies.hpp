// What the receiving end of a copy answers, taken by a thread of its own: neither end ever waits for the other one to listen.
#pragma once

#include "common/copy/channel.hpp"
#include "common/copy/receiver.hpp"

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace rc::copy {

class Replies {
public:
    // Both must outlive it. The thread ends with what `channel` receives: at the latest some time after it is closed.
    Replies(Channel& channel, const Complain& complain);
    Replies(const Replies&) = delete;
    Replies& operator=(const Replies&) = delete;
    // Closes the channel.
    ~Replies();

    // A file is about to be sent; `path` is for messages.
    void expect(const std::string& path);
    // It has been sent, with that digest.
    void sent(const Digest& digest);
    // Whether the rest of it is not wanted any more.
    [[nodiscard]] bool unwanted();
    // Whether the receiver wants nothing more at all, and has said so.
    [[nodiscard]] bool finished();
    // The answer to one that can be resumed: where, and the digest up to there; nothing: it is not wanted.
    struct Start {
        std::uint64_t offset;
        Digest digest;
    };
    std::optional<Start> await_start();
    // Until the receiver has finished. Throws what its thread met: Broken, Error.
    void await_finish();

private:
    struct Awaited {
        std::string path;
        std::optional<Digest> digest; // once it is sent
        std::uint64_t number;         // from 1
    };

    void run();
    bool take(const Received& received);
    void take_stored(std::span<const std::byte> body);
    void check_all_answered();
    Awaited pop();
    [[nodiscard]] bool answered() const { return finished_ || awaited_.empty() || awaited_.back().number != last_; }

    Channel& channel_;
    const Complain& complain_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Awaited> awaited_;
    std::uint64_t last_ = 0; // number of the file that was expected last
    std::optional<Start> start_;
    bool told_ = false; // of a problem
    bool finished_ = false;
    std::exception_ptr problem_;
    std::thread thread_;
};

} // namespace rc::copy
