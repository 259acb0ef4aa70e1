// The jobs and sessions that live on one worker thread; used on that thread only.
#pragma once

#include <boost/asio/any_io_executor.hpp>

#include <set>

namespace rc {

class Job;
class Session;

struct Residents {
    std::set<Session*> sessions;
    std::set<Job*> jobs; // also those that have ended, as long as their results are kept
};

// Where a job may live: the thread's executor, and who is there already.
struct Home {
    boost::asio::any_io_executor executor;
    Residents& residents;
};

} // namespace rc
