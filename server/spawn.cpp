#include "server/spawn.hpp"

#include "common/async.hpp"
#include "common/bytes.hpp"
#include "common/error.hpp"
#include "server/command_state.hpp"
#include "server/launch_budget.hpp"
#include "server/launch_watch.hpp"
#include "server/program_search.hpp"
#include "server/terminal.hpp"

// Boost.Process v2 of 1.81 uses these three without including them.
#include <boost/optional.hpp>
#include <boost/type_traits/decay.hpp>
#include <boost/type_traits/is_convertible.hpp>

#include <boost/process/v2/posix/default_launcher.hpp>
#include <boost/process/v2/stdio.hpp>

#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

// glibc's vfork() by its other name: ThreadSanitizer makes a fork() of the one that it knows, and what the child leaves in the
// memory that both share would not get here.
// NOLINTNEXTLINE(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp)
extern "C" pid_t __vfork() noexcept __attribute__((returns_twice));

namespace rc {

namespace asio = boost::asio;
namespace process = boost::process::v2;
using boost::system::error_code;

namespace {

enum class Stage { setup, account, directory, execute };

// Why a child gave up.
struct Failure {
    Stage stage;
    int error;
};

struct Pipe {
    Descriptor read;
    Descriptor write;
};

[[noreturn]] void throw_errno(const char* what) {
    throw Error(ErrorCode::internal, std::string(what) + ": " + std::strerror(errno));
}

Pipe make_pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw_errno("no pipe for the command");
    return {Descriptor(ends[0]), Descriptor(ends[1])};
}

// Above the numbers that a leader's descriptors get.
Descriptor lifted(Descriptor low) {
    const int high = ::fcntl(low.get(), F_DUPFD_CLOEXEC, 16);
    if (high < 0) throw_errno("no descriptor for the command");
    return Descriptor(high);
}

Pipe make_control() {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) throw_errno("no socket for the command");
    Pipe control{Descriptor(ends[0]), Descriptor()};
    control.write = lifted(Descriptor(ends[1]));
    return control;
}

// What a leader gets beside the terminal. -1: it is no leader.
struct LeaderDescriptors {
    int control = -1;
    int state = -1;
};

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

// The initialiser that makes the child clean. Runs in the child between vfork and exec, in the parent's memory: it makes
// system calls and touches nothing else but itself. The calls that change the user are raw, because those of the C library
// would make every thread of the daemon follow.
class ChildSetup {
public:
    ChildSetup(
        const LaunchPlan& plan, const Account& account, rlimit open_files, LeaderDescriptors leader, LaunchWatch::Launch& launch)
        : plan_(plan), account_(account), open_files_(open_files), leader_(leader), launch_(launch), parent_(::getpid()),
          change_user_(::geteuid() == 0) {}

    // To be asked when the child has left our memory. Nothing: it is the program now, or was killed when it was about to be.
    [[nodiscard]] std::optional<Failure> failure() const {
        if (error_ != 0) return Failure{stage_, error_};
        if (launch_.killed() && stage_ != Stage::execute) return Failure{stage_, ETIME};
        return std::nullopt;
    }

    template <class Launcher>
    error_code on_exec_setup(Launcher&, const process::filesystem::path&, const char* const*) {
        launch_.set_pid(::getpid());
        // The user comes last: from then on, others who are that user may send it signals, and stop it while it still is in the daemon's memory.
        const bool ready =
            setup() && change_groups() && change_directory() && take_descriptors() && change_user() && tie_to_parent();
        if (ready) stage_ = Stage::execute;
        return ready ? error_code{} : error_code(errno, boost::system::system_category());
    }

    // A template with any parameters, or Boost up to 1.87 does not find it.
    template <class... Any>
    void on_exec_error(Any&&...) {
        error_ = errno;
    }

private:
    bool setup() {
        if (::setsid() < 0) return false;
        for (const int number : ignored_) ::signal(number, SIG_DFL);
        if (plan_.umask) ::umask(static_cast<mode_t>(*plan_.umask));
        return ::setrlimit(RLIMIT_NOFILE, &open_files_) == 0;
    }

    // From here on files are looked for as the user.
    bool change_groups() {
        if (!change_user_) return true;
        stage_ = Stage::account;
        if (::syscall(SYS_setgroups, account_.groups.size(), account_.groups.data()) != 0) return false;
        if (::syscall(SYS_setresgid, account_.gid, account_.gid, account_.gid) != 0) return false;
        ::syscall(SYS_setfsuid, account_.uid); // says what it was
        const bool changed = static_cast<uid_t>(::syscall(SYS_setfsuid, -1)) == account_.uid;
        if (!changed) errno = EPERM;
        return changed;
    }

    bool change_user() {
        if (!change_user_) return true;
        stage_ = Stage::account;
        if (::syscall(SYS_setresuid, account_.uid, account_.uid, account_.uid) != 0) return false;
        const bool way_back = account_.uid != 0 && ::syscall(SYS_setresuid, 0, 0, 0) == 0;
        if (way_back) errno = EPERM;
        return !way_back;
    }

    bool change_directory() {
        stage_ = Stage::directory;
        return ::chdir(plan_.directory.c_str()) == 0 || (plan_.any_directory && ::chdir("/") == 0);
    }

    bool take_descriptors() {
        stage_ = Stage::setup;
        return ::syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC) == 0 && equip_leader();
    }

    bool tie_to_parent() {
        stage_ = Stage::setup;
        if (::prctl(PR_SET_PDEATHSIG, SIGHUP) != 0) return false; // to change the user takes it away
        if (::getppid() != parent_) ::_exit(1);                   // it ended before the line above
        sigset_t none;
        sigemptyset(&none);
        return ::sigprocmask(SIG_SETMASK, &none, nullptr) == 0;
    }

    bool equip_leader() {
        if (leader_.control >= 0 && ::dup2(leader_.control, control_descriptor) < 0) return false;
        return leader_.state < 0 || ::dup2(leader_.state, state_descriptor) >= 0;
    }

    const LaunchPlan& plan_;
    const Account& account_;
    rlimit open_files_;
    LeaderDescriptors leader_;
    LaunchWatch::Launch& launch_;
    pid_t parent_;
    bool change_user_;
    const std::vector<int>& ignored_ = ignored_signals();
    // The parent reads what the child has written: nothing that the compiler can know of.
    volatile Stage stage_ = Stage::setup;
    volatile int error_ = 0;
};

// All signals are held back while the child runs in our memory: a handler of the daemon's must not run there. SIGCHLD has none, and held back
// here it would wake another thread for each child that ends.
class SignalsBlocked {
public:
    SignalsBlocked() {
        sigset_t all;
        sigfillset(&all);
        sigdelset(&all, SIGCHLD);
        ::pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    ~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    SignalsBlocked(const SignalsBlocked&) = delete;
    SignalsBlocked& operator=(const SignalsBlocked&) = delete;

private:
    sigset_t before_{};
};

// Boost's own vfork launcher tells the reactor about the fork in the memory that both share, which corrupts the parent's;
// the default one forks, which takes as long as the daemon is large.
class VforkLauncher : public process::posix::default_launcher {
public:
    // The pid, or -1 with errno set. The child has left our memory then: it is the program, or it has failed and ended.
    template <class... Inits>
    pid_t start(const std::vector<std::string>& places, const process::filesystem::path& program,
        const std::vector<std::string>& arguments, Inits&... inits) {
        namespace hooks = process::posix::detail;
        const char* const* argv = build_argv_(program, arguments);
        error_code error = hooks::on_setup(*this, program, argv, inits...);
        if (error) return errno = error.value(), -1;
        const SignalsBlocked blocked;
        pid = ::__vfork();
        if (pid != 0) return pid;
        error = hooks::on_exec_setup(*this, program, argv, inits...);
        if (!error) errno = execute_first(places, const_cast<char* const*>(argv), const_cast<char* const*>(env));
        hooks::on_exec_error(*this, program, argv, error, inits...);
        ::_exit(127); // not exit(): nothing of the daemon's may run twice
    }
};

// What is executed for that plan: the program itself, or the terminal's leader, which will execute it.
struct Program {
    std::string name;
    std::vector<std::string> places;
    std::vector<std::string> arguments;
};

Program direct(const LaunchPlan& plan) { return {plan.program, plan.places, plan.arguments}; }

Program led(const LaunchPlan& plan, bool held) {
    std::string options;
    if (held) options += leader_holds;
    if (plan.state) options += leader_keeps_state;
    if (options.empty()) options += '-';
    Program program{own_program, {own_program}, {std::string(terminal_verb), options, plan.program}};
    program.arguments.insert(program.arguments.end(), plan.arguments.begin(), plan.arguments.end());
    return program;
}

ErrorCode code_of(const Failure& failure) {
    if (failure.stage == Stage::directory) return ErrorCode::no_directory;
    if (failure.stage != Stage::execute) return ErrorCode::internal;
    switch (failure.error) {
    case ENOENT:
    case ENOTDIR:
    case ELOOP:
    case ENAMETOOLONG: return ErrorCode::not_found;
    case E2BIG: return ErrorCode::too_large;
    case EACCES:
    case ENOEXEC:
    case EISDIR:
    case EPERM: return ErrorCode::not_executable;
    default: return ErrorCode::internal;
    }
}

[[noreturn]] void throw_failure(const Failure& failure, const LaunchPlan& plan, bool leader) {
    const std::string reason = std::strerror(failure.error);
    switch (failure.stage) {
    case Stage::directory: throw Error(code_of(failure), escape(plan.directory, 256) + ": " + reason);
    case Stage::execute:
        if (leader) throw Error(ErrorCode::internal, "the user must be able to execute rcmd-server for a terminal: " + reason);
        throw Error(code_of(failure), escape(plan.program, 256) + ": " + why_not_executed(plan.program, failure.error));
    case Stage::account: throw Error(code_of(failure), "the user could not be changed: " + reason);
    case Stage::setup: break;
    }
    throw Error(code_of(failure), "the process could not be set up: " + reason);
}

// What the child has for its standard descriptors, and the daemon's side of them.
struct Connections {
    Descriptor child_input; // not open: nothing()
    Descriptor child_output;
    Descriptor child_error; // not open: as output
    Descriptor input;       // not open: the child has no input from us
    Descriptor output;
    Descriptor error;
};

// What all commands without input read.
int nothing() {
    static const Descriptor opened = [] {
        Descriptor fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
        if (!fd.is_open()) throw_errno("no /dev/null for the command");
        return fd;
    }();
    return opened.get();
}

Connections make_pipes(const SpawnOptions& options) {
    Connections made;
    Pipe output = make_pipe();
    made.output = std::move(output.read);
    made.child_output = std::move(output.write);
    if (options.input) {
        Pipe input = make_pipe();
        made.child_input = std::move(input.read);
        made.input = std::move(input.write);
    }
    if (!options.combine) {
        Pipe error = make_pipe();
        made.error = std::move(error.read);
        made.child_error = std::move(error.write);
    }
    return made;
}

Connections make_terminal(const SpawnOptions& options, const Account& account) {
    Connections made;
    Terminal terminal = open_terminal(*options.terminal, account);
    if (options.input) {
        made.input = Descriptor(::fcntl(terminal.master.get(), F_DUPFD_CLOEXEC, 0));
        made.child_input = Descriptor(::fcntl(terminal.slave.get(), F_DUPFD_CLOEXEC, 0));
    }
    made.output = std::move(terminal.master);
    made.child_output = std::move(terminal.slave);
    return made;
}

// The daemon's own are held up by nobody else.
void check_budget(const Account& account) {
    const auto wait = account.uid == ::geteuid() ? std::nullopt : launch_budget().wait_of(account.uid, Clock::now());
    if (!wait) return;
    throw Error(ErrorCode::busy, "processes of this user have taken too long to start; the next may be started in " +
                                     std::to_string(wait->count()) + " s");
}

} // namespace

void prepare_to_spawn() { static_cast<void>(nothing()); }

Child spawn(const asio::any_io_executor& executor, const LaunchPlan& plan, const Account& account, const SpawnOptions& options) {
    check_budget(account);
    const bool terminal = options.terminal.has_value();
    Connections made = terminal ? make_terminal(options, account) : make_pipes(options);
    Pipe control;
    Descriptor state;
    if (terminal) control = make_control();
    if (plan.state) state = lifted(make_state_file());

    std::vector<const char*> environment;
    for (const std::string& assignment : plan.environment) environment.push_back(assignment.c_str());
    environment.push_back(nullptr);

    VforkLauncher launcher;
    launcher.env = environment.data();
    const Descriptor& child_error = made.child_error.is_open() ? made.child_error : made.child_output;
    const int child_input = made.child_input.is_open() ? made.child_input.get() : nothing();
    process::process_stdio stdio{child_input, made.child_output.get(), child_error.get()};
    LaunchWatch::Launch launch(launch_watch());
    ChildSetup setup(plan, account, options.open_files, {control.write.get(), state.get()}, launch);
    const Program program = terminal ? led(plan, options.terminal->typed > 0) : direct(plan);
    const Clock::time_point begun = Clock::now();
    const pid_t pid = launcher.start(program.places, program.name, program.arguments, stdio, setup);
    launch.done();
    launch_budget().spend(account.uid, Clock::now() - begun, Clock::now());
    if (pid < 0) throw_errno("no process for the command");
    if (const auto failure = setup.failure()) {
        wait_for_process(pid);
        throw_failure(*failure, plan, terminal);
    }
    if (launch.killed()) {
        wait_for_process(pid);
        throw Error(ErrorCode::outcome_unknown, escape(plan.program, 256) + ": took too long to start, and was killed");
    }

    Child child(pid, executor); // from here on it is ended if anything fails
    child.connect(
        {std::move(made.input), std::move(made.output), std::move(made.error), std::move(control.read), std::move(state)});
    return child;
}

} // namespace rc
