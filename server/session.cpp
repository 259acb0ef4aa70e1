#include "server/session.hpp"

#include "common/bytes.hpp"
#include "common/described_json.hpp"
#include "server/exec_request.hpp"
#include "server/launch_plan.hpp"
#include "server/log.hpp"
#include "server/spawn.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include <algorithm>
#include <exception>
#include <variant>

namespace rc {

namespace asio = boost::asio;

namespace {

constexpr std::uint64_t longest_timeout = 10ULL * 365 * 24 * 60 * 60; // seconds

// Keeps a job alive and on the books of its thread until it is finished.
asio::awaitable<void> run_job(std::shared_ptr<Job> job, Service& service, Residents& residents) {
    const Counted counted(service, service.jobs);
    residents.jobs.insert(job.get());
    try {
        co_await job->run();
    } catch (const std::exception& error) {
        log_warning("job_failed", {{"job", job->facts().id}, {"problem", error.what()}});
    }
    residents.jobs.erase(job.get());
}

ErrorMessage to_message(const Error& error) {
    ErrorMessage message;
    message.code = error.code();
    message.message = error.what();
    return message;
}

std::string shown_command(const ExecRequest& request) {
    std::string text;
    for (const std::string& word : request.words) text += (text.empty() ? "" : " ") + word;
    return text;
}

} // namespace

Session::Session(Service& service, Residents& residents, asio::ip::tcp::socket socket, std::string address)
    : service_(service), residents_(residents), executor_(socket.get_executor()), address_(std::move(address)),
      channel_(std::move(socket), service.tls, Peer::server), sender_(channel_, outbox_, executor_) {
    residents_.sessions.insert(this);
}

Session::~Session() {
    residents_.sessions.erase(this);
    for (const auto& [id, job] : jobs_) {
        outbox_.remove(job->streams());
        job->end(ExitReason::abandoned);
    }
}

asio::awaitable<void> Session::run() {
    std::string problem;
    try {
        co_await log_in();
        co_await serve();
    } catch (const std::exception& error) {
        problem = error.what();
    }
    log_debug("disconnected", {{"from", address_}, {"key", login_.key_id}, {"reason", problem}});
}

asio::awaitable<void> Session::log_in() {
    std::optional<Error> refused;
    try {
        const bool in_time = co_await with_deadline(establish(), service_.options.login_grace);
        if (!in_time) throw Error(ErrorCode::login_timeout, "the client did not authenticate in time");
    } catch (const Error& error) {
        refused = error;
    }
    if (refused) {
        log_warning("refused", {{"from", address_}, {"key", login_.key_id}, {"code", std::string(to_string(refused->code()))},
                                   {"problem", refused->what()}});
        co_await refuse(*refused);
        throw Error(*refused);
    }
    log_event("login", {{"from", address_}, {"key", login_.key_id}});
}

asio::awaitable<void> Session::establish() {
    co_await channel_.handshake();
    if (service_.sessions > service_.options.max_sessions) {
        throw Error(ErrorCode::busy, "the server has as many connections as it may have");
    }
    co_await authenticate(channel_, service_, login_);
}

// Before the sender runs, errors go straight to the channel; a client that does not take one is left alone.
asio::awaitable<void> Session::refuse(const Error& error) {
    if (!channel_.secured()) co_return;
    const ErrorMessage message = to_message(error);
    const std::string frame = encode_message(message);
    const bool sent = co_await with_deadline(channel_.send(frame, {}), farewell);
    if (sent) co_await with_deadline(channel_.close_gently(), farewell);
}

asio::awaitable<void> Session::serve() {
    Welcome welcome;
    welcome.limits = {service_.options.max_jobs, limits::window, limits::windows_of_connection};
    outbox_.push(welcome);
    co_await race(read(), sender_.run());
    co_await with_deadline(channel_.close_gently(), farewell);
}

// Ends with the connection, or some time after the last error was queued, if the sender has not been done before.
asio::awaitable<void> Session::read() {
    try {
        co_await read_messages();
    } catch (const Error& error) {
        log_warning("violation", {{"from", address_}, {"key", login_.key_id}, {"code", std::string(to_string(error.code()))},
                                     {"problem", error.what()}});
        say_last(error);
    }
    co_await sleep_for(farewell);
}

asio::awaitable<void> Session::read_messages() {
    for (;;) {
        const Incoming incoming = co_await channel_.receive();
        handle(incoming.message, incoming.body);
        co_await sender_.room();
    }
}

void Session::say_last(const Error& error) {
    const ErrorMessage message = to_message(error);
    outbox_.push(message);
    sender_.finish();
}

void Session::leave() {
    leaving_ = true;
    if (jobs_.empty()) say_last(Error(ErrorCode::shutdown, "the server is ending"));
}

void Session::handle(const Message& message, std::span<const std::byte> body) {
    if (const auto* exec = std::get_if<Exec>(&message)) handle_exec(*exec, body);
    else if (const auto* data = std::get_if<Data>(&message)) hand_to_job(*data, body);
    else if (const auto* eof = std::get_if<Eof>(&message)) hand_to_job(*eof);
    else if (const auto* ack = std::get_if<Ack>(&message)) hand_to_job(*ack);
    else if (const auto* stop = std::get_if<Stop>(&message)) hand_to_job(*stop);
    else if (const auto* signal = std::get_if<Signal>(&message)) hand_to_job(*signal);
    else if (const auto* resize = std::get_if<Resize>(&message)) hand_to_job(*resize);
    else if (const auto* over = std::get_if<Release>(&message)) release(*over);
    else if (std::holds_alternative<Ping>(message)) outbox_.push(Pong{service_.boot, service_.uptime()});
    else if (const auto* attach = std::get_if<Attach>(&message)) {
        say_job_error(attach->job, Error(ErrorCode::unsupported, "this server does not let a client attach to a job"));
    }
    // keep concerns jobs of kinds that this server does not start.
}

template <class Request, class... Body>
void Session::hand_to_job(const Request& message, Body... body) {
    constexpr bool needs_answer =
        !std::is_same_v<Request, Ack> && !std::is_same_v<Request, Stop> && !std::is_same_v<Request, Resize>;
    const auto job = jobs_.find(message.job);
    if (job != jobs_.end()) job->second->take(message, body...);
    else if (needs_answer) say_job_error(message.job, Error(ErrorCode::no_such_job, "there is no such job"));
}

void Session::handle_exec(const Exec& exec, std::span<const std::byte> body) {
    try {
        start(exec, body);
    } catch (const Error& error) {
        if (error.code() == ErrorCode::bad_message) throw;
        say_job_error(exec.job, error);
    }
}

void Session::start(const Exec& exec, std::span<const std::byte> body) {
    const ExecRequest request = read_exec_request(exec, body);
    const std::string command = shown_command(request);
    check_admissible(exec);
    const Account account = choose_account(login_.key, login_.user);
    const LaunchPlan plan = make_launch_plan(exec, request, account, {exec.job, login_.key_id, address_});
    admit_id(exec);

    SpawnOptions options;
    options.input = exec.stdin_;
    options.combine = exec.combine;
    options.terminal = exec.pty;
    options.open_files = service_.open_files;
    JobOptions job_options{std::nullopt, exec.wait_eof, exec.pty ? exec.pty->typed : 0, windows_of(exec)};
    if (exec.timeout) job_options.timeout = std::chrono::seconds(std::min<std::uint64_t>(*exec.timeout, longest_timeout));
    JobFacts facts{exec.job, login_.key_id, address_, account.name, command, service_.boot};
    const auto job =
        std::make_shared<Job>(executor_, std::move(facts), job_options, spawn(executor_, plan, account, options), exec.limits);

    Started started;
    started.job = exec.job;
    started.pid = static_cast<std::uint64_t>(job->pid());
    started.limits.stdin_ = job->input_limit();
    outbox_.push(started);
    outbox_.add(job->streams());
    jobs_.emplace(exec.job, job);
    asio::co_spawn(executor_, run_job(job, service_, residents_), asio::detached);
}

void Session::check_admissible(const Exec& exec) const {
    if (service_.stopping) throw Error(ErrorCode::shutdown, "the server is ending and starts nothing any more");
    if (exec.boot != service_.boot) throw Error(ErrorCode::restarted, "the server has been restarted since the request was made");
    if (exec.durable || exec.detach) throw Error(ErrorCode::unsupported, "this server does not keep jobs");
    std::size_t open = windows_of(exec).total();
    for (const auto& [id, job] : jobs_) open += job->windows().total();
    if (open > limits::windows_of_connection)
        throw Error(ErrorCode::busy, "the open jobs of this connection use all of its windows");
    if (service_.jobs >= service_.options.max_jobs) throw Error(ErrorCode::busy, "the server has as many jobs as it may have");
}

void Session::admit_id(const Exec& exec) {
    switch (service_.job_ids.admit(login_.key_id, exec.job, exec.uptime, service_.uptime())) {
    case JobIds::Answer::fresh: return;
    case JobIds::Answer::known: throw Error(ErrorCode::conflict, "the job id has been used");
    case JobIds::Answer::expired: throw Error(ErrorCode::expired, "the job id is older than this server remembers");
    }
}

void Session::release(const Release& message) {
    const auto job = jobs_.find(message.job);
    if (job == jobs_.end()) return;
    outbox_.remove(job->second->streams());
    if (!job->second->finished()) job->second->end(ExitReason::abandoned);
    jobs_.erase(job);
    if (leaving_) leave();
}

void Session::say_job_error(const std::string& job, const Error& error) {
    log_warning("job_refused", {{"job", job}, {"key", login_.key_id}, {"from", address_},
                                   {"code", std::string(to_string(error.code()))}, {"problem", error.what()}});
    ErrorMessage message = to_message(error);
    message.job = job;
    outbox_.push(message);
}

} // namespace rc
