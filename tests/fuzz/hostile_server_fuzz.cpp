// The client with a hostile server: a real link over real TLS connections, whose other end knows the key and says what the input
// wants, in any order. The client goes on or ends; it says nothing but messages that are legal there and then, shows its proof to
// nobody who has not shown his, takes no more output than it allowed, and believes no end that does not match what arrived.
#include "client/connection.hpp"
#include "client/exit_status.hpp"
#include "client/failure.hpp"
#include "client/link.hpp"
#include "client/remote_job.hpp"
#include "client/shell_state.hpp"
#include "common/auth.hpp"
#include "common/bytes.hpp"
#include "common/codec.hpp"
#include "common/error.hpp"
#include "common/tls.hpp"
#include "tests/fuzz/fuzzer_option.hpp"
#include "tests/fuzz/lines.hpp"
#include "tests/fuzz/require.hpp"
#include "tests/fuzz/wire_end.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace rc {
namespace {

constexpr std::size_t most_connections = 4;
constexpr std::uint64_t window = 16 * 1024;
constexpr std::string_view right_proof = "*"; // in the place of the body of `challenge`
constexpr std::string_view usual_challenge =
    R"({"type":"challenge","version":1,"features":[],"nonce":"IiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiI=","salt":"oKGio6SlpqeoqaqrrK2urw==","boot":"b","uptime":5,"size":32}>*)";

const Key& key() {
    static const Key known{"alice@laptop", Secret{}};
    return known;
}

// The salt of a challenge, if it is one.
std::optional<Salt> salt_of(const LineFrame& line) {
    MessageDecoder decoder(Peer::client);
    const std::string bytes = line.bytes();
    const auto space = decoder.prepare();
    if (bytes.size() > space.size()) return std::nullopt;
    std::ranges::copy(as_bytes(bytes), space.begin());
    decoder.commit(bytes.size());
    try {
        const auto incoming = decoder.next();
        const auto* challenge = incoming ? std::get_if<Challenge>(&incoming->message) : nullptr;
        const auto salt = from_base64(challenge != nullptr ? challenge->salt : "");
        Salt result;
        if (!salt || salt->size() != result.size()) return std::nullopt;
        std::ranges::copy(*salt, result.begin());
        return result;
    } catch (const Error&) {
        return std::nullopt;
    }
}

// The other end of one of the client's connections.
class HostileServer {
public:
    HostileServer(asio::ip::tcp::socket socket, asio::ssl::context& tls)
        : end_(std::make_shared<WireEnd>(std::move(socket), tls, Peer::server)) {
        end_->on_message = [this](const Incoming& incoming) { take(incoming); };
        end_->open();
    }
    HostileServer(const HostileServer&) = delete;
    HostileServer& operator=(const HostileServer&) = delete;
    ~HostileServer() {
        end_->close();
        end_->on_message = [](const Incoming&) {};
    }

    void send(LineFrame line) {
        if (line.body == right_proof && hello_ && end_->secured()) prove(line);
        end_->send(line.bytes());
    }
    void send(std::string_view bytes) { end_->send(bytes); }
    void close() { end_->close(); }

private:
    void prove(LineFrame& line) {
        line.body.assign(digest_size, 'x');
        const auto salt = salt_of(line);
        if (!salt) return;
        const ClientKeys keys = derive_keys(key().secret, *salt);
        const std::string transcript = make_transcript(*hello_, line.header, channel_binding(end_->native_handle()));
        line.body = as_text(server_proof(keys.server_key, transcript));
        proved_[transcript] = *salt;
    }

    void take(const Incoming& incoming) {
        if (std::holds_alternative<Hello>(incoming.message)) {
            hello_ = incoming.header;
            end_->set_phase(Phase::proof);
        } else if (std::holds_alternative<Auth>(incoming.message)) {
            require(std::ranges::any_of(proved_, [&](const auto& known) {
                const ClientKeys keys = derive_keys(key().secret, known.second);
                return verify_client_proof({known.second, keys.stored_key, keys.server_key}, known.first, incoming.body);
            }));
            end_->set_phase(Phase::open);
        }
    }

    std::shared_ptr<WireEnd> end_;
    std::optional<std::string> hello_;
    std::map<std::string, Salt> proved_; // by transcript
};

JobRequest request(const std::string& id) {
    JobRequest wanted;
    wanted.id = id;
    wanted.window = window;
    return wanted;
}

// What the client keeps until its loop is gone.
struct Client {
    explicit Client(const asio::any_io_executor& executor) {
        JobRequest job = request("j");
        job.words = {"cat"};
        job.input = true;
        JobRequest on_terminal = request("p");
        on_terminal.words = {"vi"};
        on_terminal.input = true;
        on_terminal.combine = true;
        on_terminal.pty = Pty{24, 80, "xterm", 0};
        on_terminal.state = true;
        JobRequest shown = request("w");
        shown.watch = Watch{};
        for (const JobRequest& wanted : {job, on_terminal, shown}) jobs.push_back(std::make_shared<RemoteJob>(executor, wanted));
    }

    std::optional<Link> link;
    std::vector<std::shared_ptr<RemoteJob>> jobs;
    std::optional<Failure> failure; // of the first connection
};

void check(RemoteJob& job) {
    std::uint64_t missing = 0;
    for (const StreamName name : {StreamName::stdout_, StreamName::stderr_}) {
        const RecvStream* stream = job.streams.receiver(name);
        if (stream == nullptr) continue;
        require(stream->received() - stream->consumed() <= window);
        require(stream->readable().size() <= window);
        const std::uint64_t total = job.exit ? (name == StreamName::stdout_ ? job.exit->stdout_ : job.exit->stderr_) : 0;
        if (job.exit && !stream->stopped()) missing += total - stream->received();
    }
    require(missing == 0);
    require(!(job.exit && job.failure));
    if (SendStream* input = job.streams.sender(StreamName::stdin_)) {
        require(input->acked() <= input->sent() && input->sent() <= input->end());
        require(input->stopped() || input->end() - input->acked() <= window);
    }
    if (job.exit) {
        const int status = exit_status(*job.exit);
        require(status >= 0 && status <= 255);
        read_shell_state(job.state);
    }
}

// A client, its user, and the servers that it meets.
class World {
public:
    World(asio::ssl::context& server_tls, asio::ssl::context& client_tls)
        : server_tls_(server_tls), client_tls_(client_tls), client_(std::make_shared<Client>(context_.get_executor())) {
        asio::co_spawn(context_, run_client(client_), asio::detached);
        run();
    }
    World(const World&) = delete;
    World& operator=(const World&) = delete;

    void take_step(std::string_view line) {
        if (line.empty()) return;
        switch (line.front()) {
        case '{': return server().send(LineFrame(line));
        case 'c': return server().send(LineFrame(usual_challenge));
        case '-': return server().close();
        default: break;
        }
        if (line.size() == 2 && client_->link && line[1] >= '0' && line[1] <= '2')
            act(line.front(), *client_->jobs.at(static_cast<std::size_t>(line[1] - '0')));
        else server().send(line);
    }

    void run() {
        context_.restart();
        while (context_.poll() > 0) context_.restart();
        for (const auto& job : client_->jobs) check(*job);
    }

private:
    static const ClientOptions& knowing_nobody() {
        static const ClientOptions options = [] {
            ClientOptions made;
            made.known_hosts = {"/dev/null"};
            made.quiet = true;
            return made;
        }();
        return options;
    }

    asio::awaitable<std::unique_ptr<Connection>> dial() {
        if (servers_.size() == most_connections) throw Failure("gone", "there is no server any more");
        auto [near, far] = connected_sockets(context_, context_);
        servers_.push_back(std::make_unique<HostileServer>(std::move(far), server_tls_));
        auto connection = std::make_unique<Connection>(std::move(near), client_tls_);
        const std::string user;
        try {
            HostCheck host(knowing_nobody());
            co_await connection->secure(key(), user, host);
        } catch (const Error& error) {
            throw Failure("not_rcmd_server", error.what());
        } catch (const boost::system::system_error& error) {
            throw Failure("not_rcmd_server", error.code().message());
        }
        co_return connection;
    }

    asio::awaitable<void> run_client(std::shared_ptr<Client> client) {
        try {
            std::unique_ptr<Connection> connection = co_await dial();
            const Dial again = [this] { return dial(); };
            client->link.emplace(context_.get_executor(), std::move(connection), again, std::chrono::seconds(60));
        } catch (const Failure& failure) {
            co_return;
        }
        client->link->jobs().start(client->jobs.at(0));
        client->link->jobs().start(client->jobs.at(1));
        client->link->jobs().watch(client->jobs.at(2));
        co_await client->link->run();
    }

    HostileServer& server() { return *servers_.back(); }

    // What the client's user, commands and terminal do meanwhile.
    void act(char what, RemoteJob& job) {
        switch (what) {
        case 'o': return consume(job, StreamName::stdout_);
        case 'e': return consume(job, StreamName::stderr_);
        case 'O': return job.streams.stop_receiving(StreamName::stdout_);
        case 'i': return produce(job);
        case 'I': return end_input(job);
        case 's': return client_->link->jobs().signal(job, "INT");
        case 'z': return client_->link->jobs().resize(job, {30, 100});
        case 'r': return client_->link->jobs().release(job);
        case 'q': return client_->link->close();
        case 'a': return client_->link->abandon();
        default: break;
        }
    }

    static void consume(RemoteJob& job, StreamName name) {
        RecvStream* stream = job.streams.receiver(name);
        if (stream == nullptr) return;
        stream->consume(stream->readable().size());
        job.streams.on_ready();
    }

    static void produce(RemoteJob& job) {
        SendStream* input = job.streams.sender(StreamName::stdin_);
        if (input == nullptr) return;
        const auto space = input->prepare();
        std::ranges::fill(space, std::byte{'i'});
        input->commit(space.size());
        job.streams.on_ready();
    }

    static void end_input(RemoteJob& job) {
        if (SendStream* input = job.streams.sender(StreamName::stdin_)) input->close();
        job.streams.on_ready();
    }

    asio::ssl::context& server_tls_;
    asio::ssl::context& client_tls_;
    asio::io_context context_;
    std::shared_ptr<Client> client_;
    std::vector<std::unique_ptr<HostileServer>> servers_;
};

} // namespace
} // namespace rc

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
    rc::add_fuzzer_option(argc, argv, "-print_funcs=0"); // that leaves pipes
    std::signal(SIGPIPE, SIG_IGN);
    return 0;
}

// A step a line: a frame of the server's; c: its challenge; - it closes the connection; a letter and the number of a job: see act();
// anything else is bytes of the server's.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const rc::Identity identity = rc::make_identity();
    static rc::asio::ssl::context server_tls = rc::make_server_tls(identity);
    static rc::asio::ssl::context client_tls = rc::make_client_tls();
    static const int first_descriptor = rc::next_descriptor();
    {
        rc::World world(server_tls, client_tls);
        std::string_view text = rc::as_input(data, size);
        while (!text.empty()) {
            world.take_step(rc::take_line(text));
            world.run();
        }
    }
    rc::require(rc::next_descriptor() == first_descriptor);
    return 0;
}
