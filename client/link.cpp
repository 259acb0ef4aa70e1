#include "client/link.hpp"

#include "client/exit_status.hpp"
#include "common/bytes.hpp"
#include "common/codec.hpp"
#include "common/described_json.hpp"

#include <exception>
#include <string_view>
#include <utility>
#include <variant>

namespace rc {

namespace {

constexpr std::uint64_t version = 1;

Challenge take_challenge(Message& message) {
    if (const auto* error = std::get_if<ErrorMessage>(&message)) throw to_failure(*error, Ran::no);
    Challenge challenge = std::get<Challenge>(std::move(message));
    if (challenge.version != version)
        throw Error(ErrorCode::unsupported_version, "it chose a version of the protocol that was not offered");
    if (!challenge.features.empty()) throw Error(ErrorCode::bad_message, "it chose a feature that was not offered");
    return challenge;
}

Salt read_salt(const std::string& text) {
    const auto bytes = from_base64(text);
    Salt salt;
    if (!bytes || bytes->size() != salt.size()) throw Error(ErrorCode::bad_message, "field 'salt' is not 16 bytes in base64");
    std::ranges::copy(*bytes, salt.begin());
    return salt;
}

} // namespace

Link::Link(asio::ip::tcp::socket socket, asio::ssl::context& tls)
    : executor_(socket.get_executor()), channel_(std::move(socket), tls, Peer::client), sender_(channel_, outbox_, executor_),
      client_id_(to_hex(make_random<Salt>())) {}

asio::awaitable<void> Link::secure(const Key& key, const std::string& user) {
    co_await channel_.handshake();
    Hello hello;
    hello.versions = {version};
    hello.key_id = key.id;
    hello.user = user;
    hello.nonce = to_base64(make_random<Nonce>());
    const std::string frame = encode_message(hello);
    co_await channel_.send(frame, {});

    Incoming incoming = co_await channel_.receive();
    const std::string transcript = make_transcript(std::string_view(frame).substr(4), incoming.header, channel_.binding());
    const std::vector<std::byte> proof(incoming.body.begin(), incoming.body.end());
    const Challenge challenge = take_challenge(incoming.message);
    const ClientKeys keys = derive_keys(key.secret, read_salt(challenge.salt));
    if (!equal(server_proof(keys.server_key, transcript), proof)) {
        throw Failure("auth_failed",
            "authentication failed: the server does not know the key '" + key.id +
                "', knows another one by that name, or is not the host it claims to be; to let this key in, add the line "
                "that 'rcmd keygen --line' prints to authorized_keys there");
    }
    boot_ = challenge.boot;
    uptime_ = challenge.uptime;
    channel_.set_phase(Phase::proof);
    const Digest mine = client_proof(keys, transcript);
    outbox_.push(Auth{}, as_text(mine));
}

void Link::start(const std::shared_ptr<RemoteJob>& job) {
    ExecFrame frame = make_exec(*job);
    frame.header.boot = boot_;
    frame.header.uptime = uptime_;
    frame.header.client = client_id_;
    frame.header.generation = 1;
    job->ran = Ran::unknown;
    jobs_.emplace(job->id(), job);
    outbox_.push(frame.header, frame.body);
    outbox_.add(job->streams);
    if (failure_) lose(*failure_);
}

void Link::start_or_fail(const std::shared_ptr<RemoteJob>& job) {
    try {
        start(job);
    } catch (const Failure& failure) {
        job->fail(failure);
    }
}

void Link::signal(RemoteJob& job, const std::string& name) {
    Signal message;
    message.job = job.id();
    message.number = ++job.signals;
    message.name = name;
    outbox_.push(message);
}

void Link::resize(RemoteJob& job, const WindowSize& size) {
    Resize message;
    message.job = job.id();
    message.rows = size.rows;
    message.columns = size.columns;
    outbox_.push(message);
}

void Link::release(RemoteJob& job) {
    outbox_.remove(job.streams);
    Release message;
    message.job = job.id();
    outbox_.push(message);
    jobs_.erase(job.id());
}

asio::awaitable<void> Link::run() {
    std::optional<Failure> why;
    try {
        const std::size_t first = co_await race(read(), sender_.run());
        if (first == 1) co_return; // close()
    } catch (const Failure& failure) {
        why = failure;
    } catch (const Error& error) {
        why.emplace("protocol", std::string("the server broke the protocol: ") + escape(error.what(), 1024), Ran::unknown);
    } catch (const boost::system::system_error& error) {
        why.emplace("lost", "the connection was lost: " + error.code().message(), Ran::unknown);
    }
    lose(*why);
}

void Link::close() { sender_.finish(); }

void Link::drop() { channel_.close(); }

void Link::lose(const Failure& why) {
    failure_ = why;
    for (const auto& [id, job] : jobs_) {
        const Ran ran = job->ran == Ran::yes ? Ran::yes : why.ran();
        job->fail(Failure(why.code(), why.what(), ran, why.status()));
    }
}

asio::awaitable<void> Link::read() {
    for (;;) {
        const Incoming incoming = co_await channel_.receive();
        take(incoming);
        co_await sender_.room();
    }
}

RemoteJob* Link::find(const std::string& id) {
    const auto job = jobs_.find(id);
    return job != jobs_.end() ? job->second.get() : nullptr;
}

void Link::take(const Incoming& incoming) {
    if (std::holds_alternative<Welcome>(incoming.message)) {
        welcome_ = true;
        channel_.set_phase(Phase::open);
        on_welcome();
        return;
    }
    const auto* error = std::get_if<ErrorMessage>(&incoming.message);
    // Before the proof is accepted no request is acted upon.
    if (error != nullptr && !error->job) throw to_failure(*error, welcome_ ? Ran::unknown : Ran::no);
    take_job_message(incoming.message, incoming.body);
}

// What concerns a job that has been released is late, not wrong.
void Link::take_job_message(const Message& message, std::span<const std::byte> body) {
    const auto with_job = [&](const auto& content, auto action) {
        if (RemoteJob* job = find(content.job)) {
            action(*job);
            job->wake();
        }
    };
    if (const auto* data = std::get_if<Data>(&message)) with_job(*data, [&](RemoteJob& job) { job.streams.take(*data, body); });
    else if (const auto* eof = std::get_if<Eof>(&message)) with_job(*eof, [&](RemoteJob& job) { job.streams.take(*eof); });
    else if (const auto* ack = std::get_if<Ack>(&message)) with_job(*ack, [&](RemoteJob& job) { job.streams.take(*ack); });
    else if (const auto* stop = std::get_if<Stop>(&message)) with_job(*stop, [&](RemoteJob& job) { job.streams.take(*stop); });
    else if (const auto* started = std::get_if<Started>(&message))
        with_job(*started, [&](RemoteJob& job) { take(job, *started); });
    else if (const auto* exit = std::get_if<Exit>(&message)) with_job(*exit, [&](RemoteJob& job) { take(job, *exit, body); });
    else if (const auto* error = std::get_if<ErrorMessage>(&message)) {
        if (RemoteJob* job = find(*error->job)) job->fail(to_failure(*error, job->ran == Ran::yes ? Ran::yes : Ran::no));
    } else if (!std::holds_alternative<Pong>(message)) {
        throw Error(ErrorCode::unexpected_message, "a message that answers nothing");
    }
}

void Link::take(RemoteJob& job, const Started& message) {
    if (job.ran == Ran::yes) throw Error(ErrorCode::unexpected_message, "a job was started twice");
    job.ran = Ran::yes;
    job.pid = message.pid;
    if (job.request.input) {
        job.streams.open_sender(StreamName::stdin_, message.limits.stdin_, static_cast<std::size_t>(job.request.window));
    }
    on_started(job);
}

// The end counts only if every byte before it has come.
void Link::take(RemoteJob& job, const Exit& message, std::span<const std::byte> body) {
    if (job.over() || job.ran != Ran::yes) throw Error(ErrorCode::unexpected_message, "the end of a job that is not running");
    const auto complete = [&](StreamName name, std::uint64_t total) {
        const RecvStream* stream = job.streams.receiver(name);
        return stream == nullptr ? total == 0 : stream->stopped() || (stream->ended() && stream->received() == total);
    };
    if (complete(StreamName::stdout_, message.stdout_) && complete(StreamName::stderr_, message.stderr_)) {
        job.exit = message;
        job.state = as_text(body);
    } else {
        job.fail(Failure("protocol", "the server's end of the output does not match what arrived", Ran::yes));
    }
}

} // namespace rc
