// The connections of which nobody knows yet whose they are: how many there may be, and which one goes when there are more. Any thread may
// call. No sockets, no clock of its own: `now` is the steady clock's.
#pragma once

#include "server/penalties.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>

namespace rc {

class Admission {
public:
    using Time = Penalties::Time;
    using Ticket = std::uint64_t;

    // `most`: strangers at a time.
    explicit Admission(std::size_t most) : most_(most) {}

    // A connection has come. If there are more than may be, the oldest one of the source that has most of them goes: its `evict` is called,
    // on this thread. Sources with a login lately lose theirs only when no other is left.
    Ticket arrive(const Network& source, Time now, std::function<void()> evict);
    // It has gone; nothing happens if that was said already.
    void leave(Ticket ticket);
    // It is no stranger any more.
    void logged_in(Ticket ticket, Time now);
    // Its proof was wrong.
    void failed(Ticket ticket, Time now);

    // How long the source of that connection must still wait; nothing: it need not.
    std::optional<std::chrono::seconds> wait_of(Ticket ticket, Time now);

    [[nodiscard]] std::size_t strangers() const;

private:
    struct Stranger {
        Network source;
        std::function<void()> evict;
    };
    std::function<void()> remove(std::map<Ticket, Stranger>::iterator stranger);
    std::map<Ticket, Stranger>::iterator superfluous(Time now);

    mutable std::mutex mutex_;
    std::size_t most_;
    Ticket last_ = 0;
    std::map<Ticket, Stranger> strangers_;  // the first one is the oldest
    std::map<Network, std::size_t> counts_; // of them
    Penalties penalties_;
};

// A connection's place among the strangers, for as long as it lives.
class Stay {
public:
    Stay(Admission& admission, Admission::Ticket ticket) : admission_(admission), ticket_(ticket) {}
    ~Stay() { admission_.leave(ticket_); }
    Stay(const Stay&) = delete;
    Stay& operator=(const Stay&) = delete;

    Admission& admission() { return admission_; }
    [[nodiscard]] Admission::Ticket ticket() const { return ticket_; }

private:
    Admission& admission_;
    Admission::Ticket ticket_;
};

} // namespace rc
