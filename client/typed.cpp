#include "client/typed.hpp"

#include "common/bytes.hpp"

#include <array>

namespace rc {

asio::awaitable<void> Typed::wait() {
    if (ended_) co_await wait_forever();
    co_await input_.ready();
    std::array<std::byte, 16384> buffer; // NOLINT: written before it is read
    const std::size_t count = input_.read(buffer);
    ended_ = count == 0;
    pending_ += as_text(std::span(buffer).first(count));
}

} // namespace rc
