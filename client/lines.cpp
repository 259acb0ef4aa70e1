#include "client/lines.hpp"

#include "common/bytes.hpp"

#include <array>
#include <utility>

namespace rc {

asio::awaitable<std::optional<std::string>> Lines::next() {
    std::size_t searched = 0;
    for (;;) {
        const std::size_t end = pending_.find('\n', searched);
        const bool whole = end != std::string::npos;
        if (whole || pending_.size() >= most_) {
            std::string line = pending_.substr(0, whole ? end : most_);
            pending_.erase(0, whole ? end + 1 : std::string::npos);
            searched = 0;
            if (!std::exchange(cut_, !whole)) co_return line;
            continue;
        }
        if (ended_) break;
        searched = pending_.size();
        std::array<std::byte, 4096> buffer;
        co_await input_.ready();
        const std::size_t count = input_.read(buffer);
        ended_ = count == 0;
        pending_ += as_text(std::span(buffer).first(count));
    }
    if (pending_.empty() || cut_) co_return std::nullopt;
    co_return std::exchange(pending_, {});
}

} // namespace rc
