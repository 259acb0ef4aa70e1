// Whether a server is the one that it was: its identity is compared with what is known of the host, and kept when it is new.
#pragma once

#include "client/known_hosts.hpp"
#include "client/options.hpp"
#include "common/async.hpp"

#include <filesystem>
#include <optional>
#include <string>

namespace rc {

// For all connections to one server, one after the other.
class HostCheck {
public:
    // `options` must outlive it.
    explicit HostCheck(const ClientOptions& options);
    HostCheck(const HostCheck&) = delete;
    HostCheck& operator=(const HostCheck&) = delete;

    // Before anything is said to a server that shows this. Throws Failure: host_changed, unknown_host, config.
    void check(const Fingerprint& shown);

    // That server has proved that it knows the key. A new host is kept now: never on the word of a server that does not. What cannot be
    // kept is warned of. Throws Failure{host_changed} if another process has just kept something else.
    asio::awaitable<void> keep();

private:
    [[nodiscard]] const std::filesystem::path& file() const { return options_.known_hosts.front(); }
    asio::awaitable<void> write();
    bool try_to_write();
    [[noreturn]] void refuse_unknown() const;
    void refuse_or_warn() const;
    void warn(const std::string& text) const;

    const ClientOptions& options_;
    const std::string name_;            // in the files
    Fingerprint shown_{};               // of the connection that is being made
    Lookup lookup_;                     // and what is known of it
    std::optional<Fingerprint> proven_; // of the last one that was made
};

} // namespace rc
