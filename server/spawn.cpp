#include "server/spawn.hpp"

#include "common/bytes.hpp"
#include "common/error.hpp"
#include "server/child_setup.hpp"
#include "server/child_wiring.hpp"
#include "server/launch_budget.hpp"
#include "server/launch_watch.hpp"
#include "server/program_search.hpp"

// Boost.Process v2 of 1.81 uses these three without including them.
#include <boost/optional.hpp>
#include <boost/type_traits/decay.hpp>
#include <boost/type_traits/is_convertible.hpp>

#include <boost/process/v2/posix/default_launcher.hpp>
#include <boost/process/v2/stdio.hpp>

#include <unistd.h>

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

// What the launcher asks to run in the child.
struct Initializer {
    ChildSetup& setup;

    template <class Launcher>
    error_code on_exec_setup(Launcher&, const process::filesystem::path&, const char* const*) {
        return setup.run() ? error_code{} : error_code(errno, boost::system::system_category());
    }

    // A template with any parameters, or Boost up to 1.87 does not find it.
    template <class... Any>
    void on_exec_error(Any&&...) {
        setup.give_up(errno);
    }
};

// All signals are held back while the child runs in our memory, where none is to end or stop it. SIGCHLD does neither, and held back here it would
// wake another thread for each child that ends.
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

ErrorCode code_of(const LaunchFailure& failure) {
    using Stage = LaunchFailure::Stage;
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

[[noreturn]] void throw_failure(const LaunchFailure& failure, const LaunchPlan& plan, bool leader) {
    using Stage = LaunchFailure::Stage;
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

// The daemon's own are held up by nobody else.
void check_budget(const Account& account) {
    const auto wait = account.uid == ::geteuid() ? std::nullopt : launch_budget().wait_of(account.uid, Clock::now());
    if (!wait) return;
    throw Error(ErrorCode::busy, "processes of this user have taken too long to start; the next may be started in " +
                                     std::to_string(wait->count()) + " s");
}

} // namespace

void prepare_to_spawn() { static_cast<void>(no_input()); }

Child spawn(const asio::any_io_executor& executor, const LaunchPlan& plan, const Account& account, const SpawnOptions& options) {
    check_budget(account);
    const bool terminal = options.terminal.has_value();
    ChildWiring wiring = terminal ? wire_terminal(*options.terminal, account, options.input, plan.state)
                                  : wire_pipes(options.input, options.combine);

    std::vector<const char*> environment;
    for (const std::string& assignment : plan.environment) environment.push_back(assignment.c_str());
    environment.push_back(nullptr);

    VforkLauncher launcher;
    launcher.env = environment.data();
    process::process_stdio stdio{wiring.input_fd(), wiring.output_fd(), wiring.error_fd()};
    LaunchWatch::Launch launch(launch_watch());
    ChildSetup setup(plan, account, options.open_files, {wiring.control.get(), wiring.daemon.state.get()}, launch);
    Initializer initializer{setup};
    const Program program = terminal ? led(plan, options.terminal->typed > 0) : direct(plan);
    const Clock::time_point begun = Clock::now();
    const pid_t pid = launcher.start(program.places, program.name, program.arguments, stdio, initializer);
    launch.done();
    launch_budget().spend(account.uid, Clock::now() - begun, Clock::now());
    if (pid < 0) throw Error(ErrorCode::internal, std::string("no process for the command: ") + std::strerror(errno));
    if (const auto failure = setup.failure()) {
        wait_for_process(pid);
        throw_failure(*failure, plan, terminal);
    }
    if (launch.killed()) {
        wait_for_process(pid);
        throw Error(ErrorCode::outcome_unknown, escape(plan.program, 256) + ": took too long to start, and was killed");
    }

    Child child(pid, executor); // from here on it is ended if anything fails
    child.connect(std::move(wiring.daemon));
    return child;
}

} // namespace rc
