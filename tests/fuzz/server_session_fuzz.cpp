// The server's sessions with hostile clients: real sessions, at the other end of real TLS connections, on two threads' worth of
// io_contexts that one thread runs. The input says how far each login goes and what is sent then, in any order. The server says
// nothing but messages that are legal there and then, welcomes nobody without a proof, sends no byte that was not granted, ends with
// its clients, and leaves no process and no descriptor behind.
#include "common/auth.hpp"
#include "common/bytes.hpp"
#include "common/codec.hpp"
#include "common/copy/message.hpp"
#include "common/error.hpp"
#include "common/limits.hpp"
#include "common/tls.hpp"
#include "server/command_state.hpp"
#include "server/complete.hpp"
#include "server/job.hpp"
#include "server/log.hpp"
#include "server/options.hpp"
#include "server/residents.hpp"
#include "server/service.hpp"
#include "server/session.hpp"
#include "server/supervisor_process.hpp"
#include "server/terminal_leader.hpp"
#include "tests/fuzz/fuzzer_option.hpp"
#include "tests/fuzz/lines.hpp"
#include "tests/fuzz/require.hpp"
#include "tests/fuzz/scratch.hpp"
#include "tests/fuzz/wire_end.hpp"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace rc {
namespace {

constexpr std::size_t most_connections = 4;
constexpr int most_waits = 3;
constexpr std::chrono::milliseconds longest_wait{200}; // less than any farewell

// The key of PROTOCOL.md section 8.
constexpr std::string_view key_line =
    "alice@laptop hmac-sha256 oKGio6SlpqeoqaqrrK2urw== Jiae19qRNO8XLhbe7/AUAtFjlFoj4962IC+XcvrDYUA= "
    "rq2WQSMX1dF+MwHu2HUnWs98xHVI6/xKyrjOLiLrN6I=";
constexpr std::string_view usual_hello =
    R"({"type":"hello","versions":[1],"features":["after"],"key_id":"alice@laptop","user":"","nonce":"ERERERERERERERERERERERERERERERERERERERERERE="})";

ClientKeys keys_of_client() {
    Secret secret;
    for (std::size_t i = 0; i < secret.size(); ++i) secret.at(i) = static_cast<std::byte>(i);
    Salt salt;
    for (std::size_t i = 0; i < salt.size(); ++i) salt.at(i) = static_cast<std::byte>(0xa0 + i);
    return derive_keys(secret, salt);
}

// The commands that are really run are these, whatever the input holds.
bool is_harmless(const Exec& exec, std::string_view body) {
    using namespace std::string_view_literals;
    static const std::set<std::string_view> bodies{"exit 3\0\0"sv, "cat\0\0"sv, "cat\0/\0"sv, "echo out; echo err >&2\0\0"sv,
        "head -c 50000 /dev/zero\0\0"sv, "exec sleep 60\0\0"sv, "exit\0/nonexistent\0"sv};
    return exec.mode == ExecMode::shell && !exec.pty && !exec.durable && bodies.contains(body);
}

// How far the server may go with each job's output: at most what any client granted.
class Granted {
public:
    void note(const Message& message) {
        if (const auto* exec = std::get_if<Exec>(&message)) {
            grant(exec->job, StreamName::stdout_, exec->limits.stdout_);
            grant(exec->job, StreamName::stderr_, exec->limits.stderr_);
        } else if (const auto* attach = std::get_if<Attach>(&message)) {
            if (attach->limits) {
                grant(attach->job, StreamName::stdout_, attach->limits->stdout_);
                grant(attach->job, StreamName::stderr_, attach->limits->stderr_);
            } else {
                for (const StreamName stream : {StreamName::stdout_, StreamName::stderr_})
                    grant(attach->job, stream, ends_[{attach->job, stream}] + limits::window);
            }
        } else if (const auto* ack = std::get_if<Ack>(&message)) {
            grant(ack->job, ack->stream, ack->limit);
        }
    }

    void check(const Data& data, std::size_t size) {
        std::uint64_t& end = ends_[{data.job, data.stream}];
        end = std::max(end, data.offset + size);
        require(end <= limits_[{data.job, data.stream}]);
    }

private:
    using Name = std::pair<std::string, StreamName>;

    void grant(const std::string& job, StreamName stream, std::uint64_t limit) {
        std::uint64_t& known = limits_[{job, stream}];
        known = std::max(known, limit);
    }

    std::map<Name, std::uint64_t> limits_;
    std::map<Name, std::uint64_t> ends_; // of what was sent
};

// One client's end: hello, proof, and what it sends then.
class HostileClient {
public:
    HostileClient(asio::ip::tcp::socket socket, asio::ssl::context& tls, Granted& granted, bool jobs_run)
        : end_(std::make_shared<WireEnd>(std::move(socket), tls, Peer::client)), granted_(granted), jobs_run_(jobs_run) {
        end_->on_message = [this](const Incoming& incoming) { take(incoming); };
        sent_.set_phase(Phase::open);
    }
    HostileClient(const HostileClient&) = delete;
    HostileClient& operator=(const HostileClient&) = delete;
    ~HostileClient() {
        end_->close();
        end_->on_message = [](const Incoming&) {};
    }

    void open() {
        if (!end_->opened()) end_->open();
    }
    void close() { end_->close(); }

    void send(const LineFrame& line) {
        if (hello_.empty()) hello_ = line.header;
        send(line.bytes());
    }
    void send(std::string_view bytes) {
        if (proved_ && !may_pass(bytes)) return close();
        end_->send(bytes);
    }

    void prove() {
        if (!challenge_ || !end_->secured()) return;
        const std::string transcript = make_transcript(hello_, *challenge_, channel_binding(end_->native_handle()));
        const Digest proof = client_proof(keys_of_client(), transcript);
        end_->send(encode_message(Auth{}, proof.size()).append(as_text(proof)));
        proved_ = true;
    }

private:
    // The server decodes all that follows a proof just as it is done here.
    bool may_pass(std::string_view bytes) {
        if (broken_) return true;
        try {
            while (!bytes.empty()) {
                const auto space = sent_.prepare();
                const auto piece = as_bytes(bytes).first(std::min(space.size(), bytes.size()));
                std::ranges::copy(piece, space.begin());
                sent_.commit(piece.size());
                bytes.remove_prefix(piece.size());
                while (const auto outgoing = sent_.next()) {
                    granted_.note(outgoing->message);
                    const auto* exec = std::get_if<Exec>(&outgoing->message);
                    if (exec != nullptr && jobs_run_ && !is_harmless(*exec, as_text(outgoing->body))) return false;
                }
            }
        } catch (const Error&) {
            broken_ = true; // the server will find the same, and take no more
        }
        return true;
    }

    void take(const Incoming& incoming) {
        if (std::holds_alternative<Challenge>(incoming.message)) {
            require(!hello_.empty());
            challenge_ = incoming.header;
            end_->set_phase(Phase::proof);
        } else if (std::holds_alternative<Welcome>(incoming.message)) {
            require(proved_);
            end_->set_phase(Phase::open);
        } else if (const auto* data = std::get_if<Data>(&incoming.message)) {
            granted_.check(*data, incoming.body.size());
        }
    }

    std::shared_ptr<WireEnd> end_;
    Granted& granted_;
    bool jobs_run_;
    std::string hello_;                    // the first header that was sent
    std::optional<std::string> challenge_; // header
    bool proved_ = false;
    MessageDecoder sent_{Peer::server}; // what was sent since
    bool broken_ = false;
};

asio::awaitable<void> run_session(asio::ip::tcp::socket socket, Service& service, Residents& residents) {
    const Counted counted(service, service.sessions);
    const asio::ip::tcp::endpoint peer(asio::ip::make_address("192.0.2.1"), 4711);
    const auto evicted = std::make_shared<Event>(socket.get_executor());
    const auto ticket = service.admission.arrive(source_of(peer.address()), Clock::now(), [evicted] { evicted->notify(); });
    Visitor visitor{peer, std::make_unique<Stay>(service.admission, ticket), evicted};
    Session session(service, residents, std::move(socket), std::move(visitor));
    co_await session.run();
}

// A server without a listener, and its clients.
class World {
public:
    World(const ServerOptions& options, asio::ssl::context& client_tls, bool jobs_run)
        : jobs_run_(jobs_run), client_tls_(client_tls), service_(options, Secret{}, identity(), limit_of_files()) {}
    World(const World&) = delete;
    World& operator=(const World&) = delete;
    ~World() {
        clients_.clear();
        run();
        // What one end of a connection does may reach the other a moment later. A session that waited for time alone would wait longer.
        run_until([this] { return service_.sessions == 0; });
        require(service_.sessions == 0);
        service_.ended = true;
    }

    void connect(std::size_t thread) {
        if (clients_.size() == most_connections) return;
        auto [near, far] = connected_sockets(contexts_.at(thread), contexts_.at(0));
        asio::co_spawn(contexts_.at(thread), run_session(std::move(near), service_, residents_.at(thread)), asio::detached);
        clients_.push_back(std::make_unique<HostileClient>(std::move(far), client_tls_, granted_, jobs_run_));
        current_ = clients_.back().get();
    }

    void log_in(std::size_t thread) {
        if (clients_.size() == most_connections) return;
        connect(thread);
        current_->open();
        run();
        current_->send(LineFrame(usual_hello));
        run();
        current_->prove();
        run();
    }

    HostileClient& client() {
        if (current_ == nullptr) log_in(0);
        return *current_;
    }
    void choose(std::size_t index) {
        if (index < clients_.size()) current_ = clients_[index].get();
    }

    // As on SIGTERM.
    void stop() {
        service_.stopping = true;
        for (const Residents& residents : residents_) {
            for (Job* job : residents.jobs) job->end(ExitReason::shutdown);
            for (Session* session : residents.sessions) session->leave();
        }
    }

    // Until nothing happens any more without time, or a command.
    void run() {
        std::size_t done = 1;
        while (done > 0) {
            done = 0;
            for (asio::io_context& context : contexts_) {
                context.restart();
                done += context.poll();
            }
        }
    }

    // For commands.
    void wait() {
        if (waits_++ == most_waits) return;
        const std::size_t jobs = service_.jobs;
        run_until([this, jobs] { return service_.jobs == 0 || service_.jobs != jobs; });
    }

    [[nodiscard]] const std::string& boot() const { return service_.boot; }

private:
    // Or for the longest wait.
    template <class Done>
    void run_until(Done done) {
        const auto end = std::chrono::steady_clock::now() + longest_wait;
        while (!done() && std::chrono::steady_clock::now() < end) {
            contexts_.at(0).restart();
            contexts_.at(0).run_one_for(std::chrono::milliseconds(1));
            run();
        }
    }

    static const Identity& identity() {
        static const Identity made = make_identity();
        return made;
    }
    static rlimit limit_of_files() {
        rlimit limit{};
        ::getrlimit(RLIMIT_NOFILE, &limit);
        return limit;
    }

    bool jobs_run_;
    asio::ssl::context& client_tls_;
    Service service_;
    std::array<Residents, 2> residents_;
    std::array<asio::io_context, 2> contexts_;
    Granted granted_;
    std::vector<std::unique_ptr<HostileClient>> clients_;
    HostileClient* current_ = nullptr;
    int waits_ = 0;
};

ServerOptions server_options(bool jobs_run) {
    ServerOptions options;
    options.authorized_keys = scratch() / "authorized_keys";
    options.state_dir = scratch() / "state";
    options.max_jobs = jobs_run ? 4 : 0;
    return options;
}

void take_step(World& world, std::string_view line) {
    if (line.empty()) return;
    switch (line.front()) {
    case '+': return world.log_in(0);
    case '%': return world.log_in(1);
    case '^': return world.connect(0);
    case '@': return world.client().open();
    case '=': return world.client().prove();
    case '-': return world.client().close();
    case '!': return world.stop();
    case '.': return world.wait();
    case '{': return world.client().send(LineFrame(replaced(std::string(line), "$boot", world.boot())));
    default: break;
    }
    if (line.front() >= '1' && line.front() <= '9') world.choose(static_cast<std::size_t>(line.front() - '1'));
    else world.client().send(line);
}

// What the server starts of itself: here it would be this fuzzer.
bool is_verb(std::string_view word) {
    static const std::set<std::string_view> verbs{
        supervise_verb, terminal_verb, state_verb, complete_verb, copy::send_subsystem, copy::receive_subsystem};
    return verbs.contains(word);
}

} // namespace
} // namespace rc

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
    if (*argc > 1 && rc::is_verb((*argv)[1])) ::_exit(1);
    rc::add_fuzzer_option(argc, argv, "-print_funcs=0"); // that leaves a process and pipes
    std::signal(SIGPIPE, SIG_IGN);
    rc::LogOptions log;
    log.level = "off";
    rc::open_log(log);
    // Whatever gets through to a command is harmless.
    const std::string options = ::geteuid() == 0 ? " user=root command=\"cat\"\n" : " command=\"cat\"\n";
    rc::scratch().file("authorized_keys", std::string(rc::key_line) + options);
    return 0;
}

// The first byte: j, jobs may be run; else the server refuses them all. Then a step a line: see take_step(). $boot is the server's.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static rc::asio::ssl::context client_tls = rc::make_client_tls();
    static const rc::ServerOptions refusing = rc::server_options(false);
    static const rc::ServerOptions running = rc::server_options(true);
    static const int first_descriptor = rc::next_descriptor();
    std::string_view text = rc::as_input(data, size);
    const bool jobs_run = text.starts_with('j');
    {
        rc::World world(jobs_run ? running : refusing, client_tls, jobs_run);
        rc::take_line(text);
        while (!text.empty()) {
            rc::take_step(world, rc::take_line(text));
            world.run();
        }
    }
    rc::require(rc::next_descriptor() == first_descriptor);
    rc::require(::waitpid(-1, nullptr, WNOHANG) < 0 && errno == ECHILD);
    return 0;
}
