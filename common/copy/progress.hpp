// How far a copy is: told by the thread that copies, looked at by another one.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>

namespace rc::copy {

class Progress {
public:
    struct State {
        std::string name; // of the file under way
        std::uint64_t length = 0;
        std::uint64_t done = 0;
        std::uint64_t files = 0; // in all, and so far
        std::uint64_t files_done = 0;
        std::uint64_t bytes = 0;
        std::uint64_t bytes_done = 0; // what was there already counts
        std::uint64_t bytes_moved = 0;
    };

    void expect(std::uint64_t files, std::uint64_t bytes);
    void begin(const std::string& name, std::uint64_t length);
    // So much of the file under way is there already, or nothing.
    void resume(std::uint64_t offset);
    void advance(std::uint64_t bytes);
    void end();
    [[nodiscard]] State state() const;

private:
    mutable std::mutex mutex_;
    State state_;
};

} // namespace rc::copy
