// Going to the background: the parent returns only when the daemon is ready, or has failed.
#pragma once

#include "common/descriptor.hpp"

#include <string>

namespace rc {

// The daemon's link to the process that the user started. Without --daemon there is only one process, and the link is its
// own stdout.
class Launch {
public:
    // With `daemon`, forks; the parent stays in here: it shows what the daemon reports and exits with 0 when that is ready, with 1
    // when it ended before. Call before any thread is started. Makes sure that descriptors 0 to 2 are open.
    explicit Launch(bool daemon);
    Launch(const Launch&) = delete;
    Launch& operator=(const Launch&) = delete;

    // Shows `text` (the readiness lines) to the user. A daemon then lets go of the terminal: from now on 0 to 2 are /dev/null.
    void ready(const std::string& text);

private:
    Descriptor parent_; // where the daemon reports
};

} // namespace rc
