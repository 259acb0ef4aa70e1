// The end of a copy that reads files.
#pragma once

#include "common/copy/channel.hpp"
#include "common/copy/progress.hpp"
#include "common/copy/receiver.hpp"

#include <string>
#include <vector>

namespace rc::copy {

struct SendOptions {
    std::vector<std::string> sources; // paths
    bool recursive = false;           // folders too; links are copied as links
    bool expand = false;              // a source that is not there is a pattern (glob(7))
};

// Sends the sources and waits until all that can be is stored. What is not copied is told to `complain`, also what the receiver says of
// it. Throws Broken, and Error for what breaks the protocol.
void send(Channel& channel, const SendOptions& options, Progress& progress, const Complain& complain);

} // namespace rc::copy
