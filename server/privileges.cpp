#include "server/privileges.hpp"

#include "common/error.hpp"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>

namespace rc {

namespace {

constexpr std::uint64_t needed = 1ULL << CAP_SETUID | 1ULL << CAP_SETGID | 1ULL << CAP_KILL | 1ULL << CAP_CHOWN |
                                 1ULL << CAP_FOWNER | 1ULL << CAP_DAC_READ_SEARCH;

void require(bool success, const char* what) {
    if (!success) throw Error(ErrorCode::internal, std::string(what) + ": " + std::strerror(errno));
}

// LeakSanitizer looks at its own process as a debugger does.
constexpr bool may_be_looked_at =
#ifdef __SANITIZE_ADDRESS__
    true;
#else
    false;
#endif

// Of the calling thread, which is the only one. What is permitted stays: else a command of root's would gain rights by its execve(), and
// who gains rights loses the signal that ends it with its parent.
void use_only(std::uint64_t wanted) {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    std::array<__user_cap_data_struct, 2> sets{};
    require(::syscall(SYS_capget, &header, sets.data()) == 0, "the capabilities cannot be read");
    for (std::size_t half = 0; half < sets.size(); ++half) {
        const auto mask = static_cast<std::uint32_t>(wanted >> (32 * half));
        sets.at(half).effective &= mask;
    }
    require(::syscall(SYS_capset, &header, sets.data()) == 0, "the capabilities cannot be given up");
}

} // namespace

void lower_privileges() {
    if (may_be_looked_at) return;
    require(::prctl(PR_SET_DUMPABLE, 0) == 0, "core dumps cannot be turned off");
    if (::geteuid() == 0) use_only(needed);
}

void forbid_new_privileges() { require(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "new privileges cannot be forbidden"); }

} // namespace rc
