// Between two far ends of a copy.
#pragma once

#include "common/copy/channel.hpp"
#include "common/copy/receiver.hpp"

namespace rc::copy {

// Hands on what the ends behind `sender` and `receiver` say to each other, until both have finished. What is not copied is told to
// `complain`. Throws Broken and Error.
void relay(Channel& sender, Channel& receiver, Progress& progress, const Complain& complain);

} // namespace rc::copy
