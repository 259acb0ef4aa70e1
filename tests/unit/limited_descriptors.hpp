// A process that has few descriptors left, or none.
#pragma once

#include <sys/resource.h>

namespace rc {

// While it lives no descriptor can be had from that number on.
class LimitedDescriptors {
public:
    explicit LimitedDescriptors(rlim_t count) {
        ::getrlimit(RLIMIT_NOFILE, &before_);
        rlimit limit = before_;
        limit.rlim_cur = count;
        ::setrlimit(RLIMIT_NOFILE, &limit);
    }
    ~LimitedDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }
    LimitedDescriptors(const LimitedDescriptors&) = delete;
    LimitedDescriptors& operator=(const LimitedDescriptors&) = delete;

private:
    rlimit before_{};
};

} // namespace rc
