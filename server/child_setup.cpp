#include "server/child_setup.hpp"

#include "server/terminal_leader.hpp"

#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

namespace rc {

namespace {

// The signals that are ignored here, and would be in the child: exec sets only those that are handled to their defaults. Looked up once: a system
// call for each of the 64 takes longer than all else that a child does before exec.
const std::vector<int>& ignored_signals() {
    static const std::vector<int> found = [] {
        std::vector<int> ignored;
        for (int number = 1; number < NSIG; ++number) {
            struct sigaction current {};
            if (::sigaction(number, nullptr, &current) == 0 && current.sa_handler == SIG_IGN) ignored.push_back(number);
        }
        return ignored;
    }();
    return found;
}

} // namespace

ChildSetup::ChildSetup(
    const LaunchPlan& plan, const Account& account, rlimit open_files, LeaderDescriptors leader, LaunchWatch::Launch& launch)
    : plan_(plan), account_(account), open_files_(open_files), leader_(leader), launch_(launch), parent_(::getpid()),
      change_user_(::geteuid() == 0), ignored_(ignored_signals()) {}

std::optional<LaunchFailure> ChildSetup::failure() const {
    if (error_ != 0) return LaunchFailure{stage_, error_};
    if (launch_.killed() && stage_ != Stage::execute) return LaunchFailure{stage_, ETIME};
    return std::nullopt;
}

bool ChildSetup::run() {
    launch_.set_pid(::getpid());
    // The user comes last: from then on, others who are that user may send it signals, and stop it while it still is in the daemon's memory.
    const bool ready =
        set_up_process() && change_groups() && change_directory() && take_descriptors() && change_user() && tie_to_parent();
    if (ready) stage_ = Stage::execute;
    return ready;
}

bool ChildSetup::set_up_process() {
    if (::setsid() < 0) return false;
    for (const int number : ignored_) ::signal(number, SIG_DFL);
    if (plan_.umask) ::umask(static_cast<mode_t>(*plan_.umask));
    return ::setrlimit(RLIMIT_NOFILE, &open_files_) == 0;
}

// From here on files are looked for as the user. The calls are raw, because those of the C library would make every thread of the daemon follow.
bool ChildSetup::change_groups() {
    if (!change_user_) return true;
    stage_ = Stage::account;
    if (::syscall(SYS_setgroups, account_.groups.size(), account_.groups.data()) != 0) return false;
    if (::syscall(SYS_setresgid, account_.gid, account_.gid, account_.gid) != 0) return false;
    ::syscall(SYS_setfsuid, account_.uid); // says what it was
    const bool changed = static_cast<uid_t>(::syscall(SYS_setfsuid, -1)) == account_.uid;
    if (!changed) errno = EPERM;
    return changed;
}

bool ChildSetup::change_directory() {
    stage_ = Stage::directory;
    return ::chdir(plan_.directory.c_str()) == 0 || (plan_.any_directory && ::chdir("/") == 0);
}

bool ChildSetup::take_descriptors() {
    stage_ = Stage::setup;
    return ::syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC) == 0 && equip_leader();
}

bool ChildSetup::equip_leader() {
    if (leader_.control >= 0 && ::dup2(leader_.control, control_descriptor) < 0) return false;
    return leader_.state < 0 || ::dup2(leader_.state, state_descriptor) >= 0;
}

bool ChildSetup::change_user() {
    if (!change_user_) return true;
    stage_ = Stage::account;
    if (::syscall(SYS_setresuid, account_.uid, account_.uid, account_.uid) != 0) return false;
    const bool way_back = account_.uid != 0 && ::syscall(SYS_setresuid, 0, 0, 0) == 0;
    if (way_back) errno = EPERM;
    return !way_back;
}

bool ChildSetup::tie_to_parent() {
    stage_ = Stage::setup;
    if (::prctl(PR_SET_PDEATHSIG, SIGHUP) != 0) return false; // to change the user takes it away
    if (::getppid() != parent_) ::_exit(1);                   // it ended before the line above
    sigset_t none;
    sigemptyset(&none);
    return ::sigprocmask(SIG_SETMASK, &none, nullptr) == 0;
}

} // namespace rc
