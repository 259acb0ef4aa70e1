#include "server/session.hpp"

#include "common/codec.hpp"
#include "common/described_json.hpp"
#include "server/authenticate.hpp"
#include "server/error_message.hpp"
#include "server/job_admission.hpp"
#include "server/log.hpp"

#include <exception>
#include <utility>
#include <variant>

namespace rc {

namespace asio = boost::asio;

namespace {

constexpr std::chrono::seconds busy_pause{1}; // for a client that comes too early

// The server proves itself first: a client whose key is not the one here sees that, and has nothing more to say.
Error gone_without_proof() {
    return {ErrorCode::auth_failed, "it left without a proof: the key is not known here, or is another one there"};
}

} // namespace

Session::Session(Service& service, Residents& residents, asio::ip::tcp::socket socket, Visitor visitor)
    : service_(service), visitor_(std::move(visitor)),
      holder_(service.keys, visitor_.peer), home_{socket.get_executor(), residents},
      channel_(std::move(socket), service.tls, Peer::server), sender_(channel_, outbox_, home_.executor),
      requests_(service, home_, holder_, outbox_, sender_, *this) {
    home_.residents.sessions.insert(this);
}

Session::~Session() { home_.residents.sessions.erase(this); }

asio::awaitable<void> Session::run() {
    std::string problem;
    try {
        co_await log_in();
        co_await serve();
    } catch (const std::exception& error) {
        problem = error.what();
    }
    log_debug("disconnected", {{"from", holder_.address()}, {"key", holder_.key_id()}, {"reason", problem}});
}

asio::awaitable<void> Session::log_in() {
    std::optional<Error> refused;
    try {
        const bool in_time = co_await with_deadline(establish_unless_evicted(), service_.options.login_grace);
        if (!in_time) throw Error(ErrorCode::login_timeout, "the client did not authenticate in time");
    } catch (const Error& error) {
        refused = error;
    }
    if (refused) {
        log_refused(*refused);
        co_await refuse(*refused);
        throw Error(*refused);
    }
    log_event("login", {{"from", holder_.address()}, {"key", holder_.key_id()}});
}

// One that must make room is not spoken to: that could take as long as it likes.
asio::awaitable<void> Session::establish_unless_evicted() {
    const std::size_t first = co_await race(establish(), visitor_.evicted->wait());
    if (first == 0) co_return;
    channel_.close();
    throw Error(ErrorCode::busy, "too many connections have not logged in, most of them from there");
}

asio::awaitable<void> Session::establish() {
    co_await channel_.handshake();
    Stay& stay = *visitor_.stay;
    if (const auto wait = stay.admission().wait_of(stay.ticket(), Clock::now()))
        throw Error(ErrorCode::penalty, "too many logins from this address have failed", wait);
    if (service_.sessions > service_.options.max_sessions)
        throw Error(ErrorCode::busy, "the server has as many connections as it may have", busy_pause);
    try {
        co_await authenticate(channel_, service_, holder_.login());
    } catch (const Error& error) {
        if (error.code() == ErrorCode::auth_failed) stay.admission().failed(stay.ticket(), Clock::now());
        throw;
    } catch (const boost::system::system_error& error) {
        if (error.code() != asio::error::operation_aborted && !holder_.key_id().empty()) log_refused(gone_without_proof());
        throw;
    }
    holder_.check();
    stay.admission().logged_in(stay.ticket(), Clock::now());
}

void Session::log_refused(const Error& why) const {
    log_warning("refused", {{"from", holder_.address()}, {"key", holder_.key_id()}, {"code", std::string(to_string(why.code()))},
                               {"problem", why.what()}});
}

// Before the sender runs, errors go straight to the channel; a client that does not take one is left alone.
asio::awaitable<void> Session::refuse(const Error& error) {
    if (!channel_.secured() || !channel_.is_open()) co_return;
    const ErrorMessage message = to_message(error);
    const std::string frame = encode_message(message);
    const bool sent = co_await with_deadline(channel_.send(frame), farewell);
    if (sent) co_await with_deadline(channel_.close_gently(), farewell);
}

asio::awaitable<void> Session::serve() {
    Welcome welcome;
    welcome_ = true;
    welcome.limits = {most_jobs(service_, holder_), limits::window, limits::windows_of_connection};
    outbox_.push(welcome);
    heard_ = Clock::now();
    co_await race(read(), sender_.run(), requests_.give_credit(), watch());
    co_await with_deadline(channel_.close_gently(), farewell);
}

// Ends with the connection, or some time after the last error was queued, if the sender has not been done before.
asio::awaitable<void> Session::read() {
    try {
        co_await read_messages();
    } catch (const Error& error) {
        log_warning("violation", {{"from", holder_.address()}, {"key", holder_.key_id()},
                                     {"code", std::string(to_string(error.code()))}, {"problem", error.what()}});
        say_last(error);
    }
    co_await sleep_for(farewell);
}

asio::awaitable<void> Session::read_messages() {
    for (;;) {
        const Incoming incoming = co_await channel_.receive();
        heard_ = Clock::now();
        if (std::holds_alternative<Jobs>(incoming.message)) {
            co_await requests_.list_jobs();
            heard_ = Clock::now(); // nobody listened meanwhile
        } else if (const auto* kill = std::get_if<Kill>(&incoming.message)) {
            co_await requests_.kill_job(*kill);
        } else {
            requests_.handle(incoming.message, incoming.body);
        }
        co_await sender_.room();
    }
}

// Notices a client, or a network, that says nothing any more.
asio::awaitable<void> Session::watch() {
    while (Clock::now() < heard_ + limits::longest_silence) co_await sleep_for(heard_ + limits::longest_silence - Clock::now());
    channel_.close();
    throw Error(ErrorCode::internal, "the client says nothing any more");
}

void Session::review(const AuthorizedKeys& keys) {
    if (!welcome_) return;
    try {
        holder_.renew(keys);
    } catch (const Error& error) {
        log_warning("revoked", {{"from", holder_.address()}, {"key", holder_.key_id()}, {"problem", error.what()}});
        requests_.let_linger(); // what they still say would keep the last word from being the last
        say_last(error);
    }
}

void Session::say_last(const Error& error) {
    requests_.forget_waiting();
    outbox_.push(to_message(error));
    sender_.finish();
}

// Those who watch durable jobs only get no word: they go on with the next server.
void Session::leave() {
    leaving_ = true;
    if (requests_.none_held()) say_last(Error(ErrorCode::shutdown, "the server is ending"));
    else if (requests_.only_durable()) close();
}

void Session::close() { channel_.close(); }

void Session::released() {
    if (leaving_) leave();
}

} // namespace rc
