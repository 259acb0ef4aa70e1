#include "common/async.hpp"
#include "common/copy/message.hpp"
#include "common/error.hpp"
#include "server/admin.hpp"
#include "server/background.hpp"
#include "server/command_state.hpp"
#include "server/complete.hpp"
#include "server/control_socket.hpp"
#include "server/copy_mode.hpp"
#include "server/ending_signals.hpp"
#include "server/housekeeper.hpp"
#include "server/launch_watch.hpp"
#include "server/listener.hpp"
#include "server/log.hpp"
#include "server/options.hpp"
#include "server/pid_file.hpp"
#include "server/privileges.hpp"
#include "server/service.hpp"
#include "server/service_manager.hpp"
#include "server/spawn.hpp"
#include "server/state_dir.hpp"
#include "server/supervisor_process.hpp"
#include "server/terminal_leader.hpp"
#include "server/worker.hpp"

#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <malloc.h>
#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <deque>
#include <exception>
#include <optional>
#include <string_view>
#include <thread>

namespace rc {

namespace {

// How often sessions are checked against authorized_keys; a request is at once.
constexpr std::chrono::seconds look_at_keys{1};

// The limit that was in force, for the commands; the daemon itself takes all that it may.
rlimit raise_open_files() {
    rlimit original{};
    ::getrlimit(RLIMIT_NOFILE, &original);
    rlimit raised = original;
    raised.rlim_cur = raised.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &raised);
    return original;
}

// All addresses: IPv4, and IPv6 where the host has it.
void listen_everywhere(asio::io_context& context, std::deque<Listener>& listeners) {
    listeners.emplace_back(context, "0.0.0.0:7420");
    try {
        listeners.emplace_back(context, "[::]:7420");
    } catch (const Error& error) {
        log_warning("listen", {{"problem", error.what()}});
    }
}

std::deque<Listener> listen(
    asio::io_context& context, const std::vector<std::string>& addresses, std::vector<Descriptor> inherited) {
    std::deque<Listener> listeners;
    for (Descriptor& socket : inherited) listeners.emplace_back(context, std::move(socket));
    if (addresses.empty() && inherited.empty()) listen_everywhere(context, listeners);
    for (const std::string& address : addresses) listeners.emplace_back(context, address);
    return listeners;
}

// Ends when `done()` holds or the deadline has come; `changed` announces that it may hold.
template <class Condition>
asio::awaitable<void> wait_until(Condition done, Event& changed, Clock::time_point deadline) {
    while (!done()) {
        const bool announced = co_await changed.wait_until(deadline);
        if (!announced) co_return;
    }
}

class Daemon {
public:
    Daemon(Service& service, const ServiceManager& manager, asio::io_context& context, EndingSignals& signals)
        : service_(service), manager_(manager), context_(context), signals_(signals), changed_(context.get_executor()) {
        service_.on_end = [this] { asio::post(context_, [this] { changed_.notify(); }); };
        const std::size_t cores = std::max(1U, std::thread::hardware_concurrency());
        const std::size_t threads = service.options.threads > 0 ? service.options.threads : cores;
        for (std::size_t i = 0; i < threads; ++i) workers_.emplace_back(service);
    }

    ~Daemon() {
        for (Worker& worker : workers_) worker.stop();
        service_.ended = true;
    }
    Daemon(const Daemon&) = delete;
    Daemon& operator=(const Daemon&) = delete;

    // From readiness to the end of the last worker.
    asio::awaitable<void> run(std::deque<Listener>& listeners) {
        for (Listener& listener : listeners) asio::co_spawn(context_, listener.run(workers_), asio::detached);
        asio::co_spawn(context_, watch_keys(), asio::detached);
        co_await ending_signal();
        manager_.stopping();
        log_event("stopping", {{"signal", std::to_string(signal_)}, {"jobs", std::to_string(service_.jobs)}});
        service_.stopping = true;
        for (Listener& listener : listeners) listener.close();
        co_await race(end_gently(), ending_signal());
        context_.stop();
    }

private:
    asio::awaitable<void> end_gently() {
        const auto no_jobs = [this] { return service_.jobs == 0; };
        co_await wait_until(no_jobs, changed_, Clock::now() + service_.options.drain);
        for (Worker& worker : workers_) worker.end_jobs();
        co_await wait_until(no_jobs, changed_, Clock::now() + 3 * ending_step);
        for (Worker& worker : workers_) worker.end_sessions();
        co_await wait_until([this] { return service_.sessions == 0; }, changed_, Clock::now() + 2 * farewell);
    }

    // A file that has just changed may be half written: it counts when it stays as it is until the next look.
    asio::awaitable<void> watch_keys() {
        auto seen = service_.keys.current();
        bool reviewed = true;
        for (;;) {
            co_await sleep_for(look_at_keys);
            const auto keys = service_.keys.current();
            if (std::exchange(seen, keys) != keys) {
                reviewed = false;
            } else if (!reviewed || keys->some_expire) {
                reviewed = true;
                for (Worker& worker : workers_) worker.review(keys);
            }
        }
    }

    // Waits for a signal that ends the daemon. HUP does not: it is what the rotation of logs sends.
    asio::awaitable<void> ending_signal() {
        for (;;) {
            signal_ = co_await signals_.next();
            if (signal_ != SIGHUP) co_return;
            manager_.reloading();
            reopen_log();
            manager_.ready();
        }
    }

    Service& service_;
    const ServiceManager& manager_;
    asio::io_context& context_;
    EndingSignals& signals_;
    int signal_ = 0; // the last one
    Event changed_;
    std::jthread launch_watch_{
        [](const std::stop_token& stop) { launch_watch().run(stop); }}; // until no worker starts anything any more
    std::deque<Worker> workers_;
};

void serve(const ServerOptions& options) {
    ServiceManager manager;
    Launch launch(options.daemon);
    // A stream's ring goes back to the system when its job ends, instead of growing the heap: so that the limit stays where it is.
    ::mallopt(M_MMAP_THRESHOLD, 512 * 1024);
    // What is smaller comes and goes with every frame.
    ::mallopt(M_TRIM_THRESHOLD, 2 * 1024 * 1024);
    std::signal(SIGPIPE, SIG_IGN); // a command that closed its stdin, a client that went: errors of that write only
    std::signal(SIGXFSZ, SIG_IGN); // a log file as large as it may be: the same
    open_log({options.log_file, options.log_level, options.log_format});
    const rlimit open_files = raise_open_files();
    prepare_to_spawn();
    const StateDir state(options.state_dir);
    Service service(options, state.secret(), state.identity(), open_files);
    asio::io_context context(1);
    std::deque<Listener> listeners = listen(context, options.listen, manager.take_sockets());
    const PidFile pid_file(options.pid_file);
    if (options.no_new_privs) forbid_new_privileges();
    lower_privileges();

    service.durable_jobs.recover(context.get_executor());
    EndingSignals signals(context.get_executor());
    const Housekeeper housekeeper(service.durable_jobs, options.retain);
    ControlSocket control(context, options.state_dir, service.job_table, service.durable_jobs);
    asio::co_spawn(context, control.run(), asio::detached);
    Daemon daemon(service, manager, context, signals);
    asio::co_spawn(context, daemon.run(listeners), asio::detached);
    std::string readiness;
    for (const Listener& listener : listeners) readiness += "listening on " + listener.local_address() + '\n';
    launch.ready(readiness);
    manager.ready();
    const std::string fingerprint = to_text(fingerprint_of(state.identity().certificate.get()));
    log_event("started", {{"boot", service.boot}, {"listening", std::to_string(listeners.size())}, {"fingerprint", fingerprint}});
    context.run();
    log_event("stopped", {});
}

// The daemon starts this program in modes of its own: as a command's user, beside or on behalf of that command. An exit status if
// that is what was asked for.
std::optional<int> help_daemon(int argc, char** argv) {
    const std::string_view verb = argc > 1 ? argv[1] : "";
    if (verb == supervise_verb) return supervise(argc, argv);
    if (verb == terminal_verb) return lead_terminal(argc, argv);
    if (verb == state_verb) return write_state(argv[0]);
    if (verb == copy::send_subsystem) return copy_send(argc, argv);
    if (verb == copy::receive_subsystem) return copy_receive(argc, argv);
    if (verb == complete_verb) return print_completions(argc, argv);
    return std::nullopt;
}

} // namespace

} // namespace rc

int main(int argc, char** argv) {
    try {
        if (const auto status = rc::help_daemon(argc, argv)) return *status;
        if (const auto status = rc::administer(argc, argv)) return *status;
        rc::ServerOptions options;
        if (const auto status = rc::parse_options(argc, argv, options)) return *status;
        rc::serve(options);
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "rcmd-server: %s\n", error.what());
        return 1;
    }
}
