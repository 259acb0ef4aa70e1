// What a child does between vfork and exec to become clean, and the command's user. It runs in the memory of the parent, whose thread waits
// meanwhile: it makes system calls and touches nothing else but itself.
#pragma once

#include "server/account.hpp"
#include "server/launch_plan.hpp"
#include "server/launch_watch.hpp"

#include <optional>
#include <vector>

#include <sys/resource.h>
#include <sys/types.h>

namespace rc {

// Why a child gave up, and on the way to what. `error`: errno.
struct LaunchFailure {
    enum class Stage { setup, account, directory, execute };
    Stage stage;
    int error;
};

// What a terminal's leader gets beside the terminal. -1: it is no leader.
struct LeaderDescriptors {
    int control = -1;
    int state = -1;
};

class ChildSetup {
public:
    // To be made before the vfork. All must outlive it.
    ChildSetup(
        const LaunchPlan& plan, const Account& account, rlimit open_files, LeaderDescriptors leader, LaunchWatch::Launch& launch);

    // In the child. False: it cannot be done, errno says why.
    bool run();
    // In the child, before it ends: run() or exec has failed with that errno.
    void give_up(int error) { error_ = error; }

    // For the parent, when the child has left its memory. Nothing: it is the program now, or was killed when it was about to be.
    [[nodiscard]] std::optional<LaunchFailure> failure() const;

private:
    using Stage = LaunchFailure::Stage;

    bool set_up_process();
    bool change_groups();
    bool change_directory();
    bool take_descriptors();
    bool equip_leader();
    bool change_user();
    bool tie_to_parent();

    const LaunchPlan& plan_;
    const Account& account_;
    rlimit open_files_;
    LeaderDescriptors leader_;
    LaunchWatch::Launch& launch_;
    pid_t parent_;
    bool change_user_;
    const std::vector<int>& ignored_; // signals
    // The parent reads what the child has written: nothing that the compiler can know of.
    volatile Stage stage_ = Stage::setup;
    volatile int error_ = 0;
};

} // namespace rc
