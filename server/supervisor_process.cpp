#include "server/supervisor_process.hpp"

#include "common/descriptor.hpp"
#include "common/error.hpp"
#include "server/launch_plan.hpp"
#include "server/privileges.hpp"
#include "server/supervisor.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <string>
#include <vector>

namespace rc {

namespace {

constexpr int lock_descriptor = 3;
constexpr int listener_descriptor = 4;

template <class Number>
Number to_number(std::string_view text) {
    Number number{};
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
}

} // namespace

pid_t start_supervisor(const JobDirectory& directory, const JobClaimed& claimed, const SupervisorOptions& options) {
    std::vector<std::string> words{"rcmd-server", std::string(supervise_verb), directory.path().string(),
        std::to_string(options.max_spool), std::to_string(options.max_state), std::to_string(options.max_keep.count()),
        std::to_string(options.open_files), options.log.level, options.log.format, options.log.file.string()};
    std::vector<char*> arguments;
    arguments.reserve(words.size() + 1);
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);

    // Out of the way of the numbers that they get.
    const Descriptor lock(::fcntl(claimed.lock.get(), F_DUPFD_CLOEXEC, 16));
    const Descriptor listener(::fcntl(claimed.listener.get(), F_DUPFD_CLOEXEC, 16));
    if (!lock.is_open() || !listener.is_open())
        throw Error(ErrorCode::internal, std::string("no descriptor for the job: ") + std::strerror(errno));
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, lock.get(), lock_descriptor);
    posix_spawn_file_actions_adddup2(&actions, listener.get(), listener_descriptor);
    posix_spawn_file_actions_addclosefrom_np(&actions, listener_descriptor + 1);
    posix_spawn_file_actions_addchdir_np(&actions, "/");
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t all;
    sigset_t none;
    sigfillset(&all);
    sigemptyset(&none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    pid_t pid = -1;
    const int problem = ::posix_spawn(&pid, own_program, &actions, &attributes, arguments.data(), environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    if (problem != 0) throw Error(ErrorCode::internal, std::string("no process for the job: ") + std::strerror(problem));
    return pid;
}

int supervise(int argc, char** argv) {
    if (argc != 10) return 1;
    SupervisorOptions options;
    const JobDirectory directory(argv[2]);
    options.max_spool = to_number<std::uint64_t>(argv[3]);
    options.max_state = to_number<std::uint64_t>(argv[4]);
    options.max_keep = std::chrono::seconds(to_number<std::int64_t>(argv[5]));
    options.open_files = to_number<rlim_t>(argv[6]);
    options.log = {argv[9], argv[7], argv[8]};
    ::fcntl(lock_descriptor, F_SETFD, FD_CLOEXEC);
    // But not SIGXFSZ: output that may not be kept is lost, and that is what the job's end says then.
    std::signal(SIGPIPE, SIG_IGN);
    open_log(options.log);
    lower_privileges();
    supervise_job(options, directory, listener_descriptor);
    return 0;
}

} // namespace rc
