// What must hold. libFuzzer takes an abort for a finding.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace rc {

inline void require(bool holds, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    if (holds) return;
    std::fprintf(stderr, "%s:%d: this does not hold\n", file, line);
    std::abort();
}

} // namespace rc
