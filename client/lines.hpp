// Lines of stdin, as they come.
#pragma once

#include "client/local_io.hpp"

#include <cstddef>
#include <optional>
#include <string>

namespace rc {

class Lines {
public:
    // Of a line longer than `most` bytes only so many may be given, and the rest is nowhere: what it is for must refuse it.
    Lines(Input& input, std::size_t most) : input_(input), most_(most) {}

    // The next line without its end; nothing at the end of the input. A last line may lack its end.
    asio::awaitable<std::optional<std::string>> next();

private:
    Input& input_;
    std::size_t most_;
    std::string pending_;
    bool cut_ = false; // what comes is the rest of a line that was too long
    bool ended_ = false;
};

} // namespace rc
