// What leads to one server: the key for it, what is known of it, and links that keep the user informed.
#pragma once

#include "client/host_check.hpp"
#include "client/link.hpp"
#include "client/options.hpp"
#include "client/reporter.hpp"

#include <memory>

namespace rc {

class Route {
public:
    // `options` must outlive it. Throws Failure{no_key}.
    explicit Route(const ClientOptions& options);
    Route(const Route&) = delete;
    Route& operator=(const Route&) = delete;

    // Makes connections, for as long as this lives.
    [[nodiscard]] const Dial& dial() const { return dial_; }
    // Connects; the link uses this route and `reporter` to the end of its life. Throws what connect() throws.
    asio::awaitable<std::unique_ptr<Link>> open(const Reporter& reporter) const;

private:
    const ClientOptions& options_;
    Key key_;
    HostCheck host_;
    Dial dial_;
};

} // namespace rc
