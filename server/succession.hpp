// One job after the other: when a request that names a job to follow has its turn.
#pragma once

#include "common/message.hpp"

namespace rc {

// What a connection knows of the job that is to be followed.
struct Predecessor {
    enum class State {
        unknown,  // it never began, or was released long ago
        running,  // as far as this connection has heard
        ended,    // and the client has not said yet that it has taken all of its output
        taken,    // ended, and there is nothing that the client could still lose
        given_up, // released, or lost to another client, before its end was heard of
    };
    State state{};
    bool success{}; // ended or taken: it exited with 0
};

enum class Turn { now, later, never };

// later: whenever more is heard of the job before it, ask again.
Turn turn_after(const After& wish, const Predecessor& before);

} // namespace rc
