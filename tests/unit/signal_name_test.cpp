// Signals by their names.
#include "common/signal_name.hpp"

#include "common/bytes.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace rc {
namespace {

TEST(SignalName, is_that_of_kill_without_sig) {
    struct Case {
        int number;
        std::string_view name;
    };
    const std::vector<Case> table = {{SIGHUP, "HUP"}, {SIGINT, "INT"}, {SIGQUIT, "QUIT"}, {SIGILL, "ILL"}, {SIGTRAP, "TRAP"},
        {SIGABRT, "ABRT"}, {SIGBUS, "BUS"}, {SIGFPE, "FPE"}, {SIGKILL, "KILL"}, {SIGUSR1, "USR1"}, {SIGSEGV, "SEGV"},
        {SIGUSR2, "USR2"}, {SIGPIPE, "PIPE"}, {SIGALRM, "ALRM"}, {SIGTERM, "TERM"}, {SIGCHLD, "CHLD"}, {SIGCONT, "CONT"},
        {SIGSTOP, "STOP"}, {SIGTSTP, "TSTP"}, {SIGTTIN, "TTIN"}, {SIGTTOU, "TTOU"}, {SIGURG, "URG"}, {SIGXCPU, "XCPU"},
        {SIGXFSZ, "XFSZ"}, {SIGVTALRM, "VTALRM"}, {SIGPROF, "PROF"}, {SIGWINCH, "WINCH"}, {SIGPWR, "PWR"}, {SIGSYS, "SYS"}};
    for (const auto& [number, name] : table) {
        EXPECT_EQ(signal_name(number), name);
        EXPECT_EQ(signal_number(name), number) << name;
    }
}

TEST(SignalName, of_a_real_time_signal_is_its_number) {
    for (int number = SIGRTMIN; number <= SIGRTMAX; ++number) EXPECT_EQ(signal_name(number), std::to_string(number));
}

TEST(SignalName, every_signal_goes_there_and_back) {
    std::set<std::string> names;
    for (int number = 1; number <= SIGRTMAX; ++number) {
        const std::string name = signal_name(number);
        EXPECT_TRUE(names.insert(name).second) << name;
        EXPECT_EQ(signal_number(name), number) << name;
    }
}

TEST(SignalNumber, of_any_other_name_is_none) {
    for (const std::string_view name :
        {"", "SIGTERM", "SIG", "term", "Term", " TERM", "TERM ", "TERM\n", "TER", "TERMX", "NOSUCH", "EXIT", "0", "65", "128",
            "-1", "-9", "+34", "034", "34 ", "0x22", "34.0", "4294967330", "99999999999999999999"}) {
        EXPECT_FALSE(signal_number(name)) << escape(name);
    }
    EXPECT_FALSE(signal_number(std::string_view("TERM\0", 5)));
}

} // namespace
} // namespace rc
