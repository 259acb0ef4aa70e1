// Preloaded into a server, makes it hold as many bytes as BENCH_BALLAST says: what starts its commands must not get slower by that.
#include <sys/mman.h>

#include <cstdlib>
#include <cstring>

namespace {

[[gnu::constructor]] void hold() {
    const char* const wanted = std::getenv("BENCH_BALLAST");
    if (wanted == nullptr) return;
    const std::size_t size = std::strtoull(wanted, nullptr, 10);
    void* const held = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (held == MAP_FAILED) std::abort();
    ::madvise(held, size, MADV_NOHUGEPAGE); // a heap is in small pages, too
    std::memset(held, 1, size);
}

} // namespace
