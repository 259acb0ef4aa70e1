// What systemd, or another manager that speaks its protocols, has passed to the daemon: a socket for what it wants to be told
// (sd_notify(3)), and sockets that listen already (sd_listen_fds(3)).
#pragma once

#include "common/descriptor.hpp"

#include <string>
#include <vector>

namespace rc {

class ServiceManager {
public:
    // Takes it from the environment, where nothing of it is left. Call before any thread is started, and before a fork. Throws Error{internal}
    // if the descriptors are not there.
    ServiceManager();

    // The daemon listens; it is about to end; it does again what it does when it starts, until it is ready. Without a manager, nothing.
    void ready() const { notify("READY=1"); }
    void stopping() const { notify("STOPPING=1"); }
    void reloading() const;

    // Sockets that listen already; they are the caller's then.
    [[nodiscard]] std::vector<Descriptor> take_sockets();

private:
    void notify(const std::string& state) const;

    std::string address_; // where the manager listens, a path or @NAME; empty: nowhere
    std::vector<Descriptor> sockets_;
};

} // namespace rc
