#include "server/succession.hpp"

namespace rc {

Turn turn_after(const After& wish, const Predecessor& before) {
    using State = Predecessor::State;
    switch (before.state) {
    case State::unknown: return wish.success ? Turn::never : Turn::now;
    case State::running: return Turn::later;
    case State::ended: return wish.success && !before.success ? Turn::never : Turn::later;
    case State::taken: return wish.success && !before.success ? Turn::never : Turn::now;
    case State::given_up: return Turn::never;
    }
    return Turn::never;
}

} // namespace rc
