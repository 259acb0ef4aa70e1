// The jobs and sessions that live on one worker thread; used on that thread only.
#pragma once

#include <set>

namespace rc {

class Job;
class Session;

struct Residents {
    std::set<Session*> sessions;
    std::set<Job*> jobs;
};

} // namespace rc
