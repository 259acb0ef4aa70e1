#include "server/session.hpp"

#include "common/bytes.hpp"
#include "common/codec.hpp"
#include "common/described_json.hpp"
#include "server/exec_request.hpp"
#include "server/job_viewer.hpp"
#include "server/listener.hpp"
#include "server/log.hpp"
#include "server/resident_job.hpp"

#include <algorithm>
#include <exception>
#include <variant>

namespace rc {

namespace asio = boost::asio;

namespace {

constexpr std::chrono::seconds patience_with_supervisors{5}; // with all of them together
constexpr const char* one_waits = "a request of this connection waits for its turn already";
constexpr std::chrono::seconds busy_pause{1}; // for a client that comes too early

// To the job that it starts, or has started.
JobClaim claim_of(const Exec& exec) {
    JobClaim claim;
    claim.start = true;
    claim.attach.job = exec.job;
    claim.attach.client = exec.client;
    claim.attach.generation = exec.generation;
    return claim;
}

// Throws Error{outcome_unknown} if that cannot be found out: the job is there.
bool same_request(const JobDirectory& job, const Digest& wanted) {
    try {
        const JobRecord known = job.record();
        return digest_of(known.exec, as_bytes(known.body)) == wanted;
    } catch (const Error& error) {
        throw Error(ErrorCode::outcome_unknown, error.what());
    }
}

Error other_request() { return {ErrorCode::conflict, "the job id has been used for another request"}; }

bool ends_connection(ErrorCode code) { return code == ErrorCode::bad_offset || code == ErrorCode::bad_message; }

ErrorMessage to_message(const Error& error) {
    ErrorMessage message;
    message.code = error.code();
    message.message = error.what();
    if (error.retry_after()) message.retry_after = static_cast<std::uint64_t>(error.retry_after()->count());
    return message;
}

} // namespace

Session::Session(Service& service, Residents& residents, asio::ip::tcp::socket socket, Visitor visitor)
    : service_(service), residents_(residents), executor_(socket.get_executor()), visitor_(std::move(visitor)),
      address_(to_text(visitor_.peer)), channel_(std::move(socket), service.tls, Peer::server),
      sender_(channel_, outbox_, executor_), credit_due_(executor_) {
    residents_.sessions.insert(this);
    listen_to_jobs();
}

Session::~Session() {
    residents_.sessions.erase(this);
    *listener_ = {};
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
        const bool in_time = co_await with_deadline(establish_unless_evicted(), service_.options.login_grace);
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
        co_await authenticate(channel_, service_, login_);
    } catch (const Error& error) {
        if (error.code() == ErrorCode::auth_failed) stay.admission().failed(stay.ticket(), Clock::now());
        throw;
    }
    check_usable(login_.key.options, visitor_.peer.address(), std::chrono::system_clock::now());
    stay.admission().logged_in(stay.ticket(), Clock::now());
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
    welcome.limits = {most_jobs(), limits::window, limits::windows_of_connection};
    outbox_.push(welcome);
    heard_ = Clock::now();
    co_await race(read(), sender_.run(), give_credit(), watch());
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
        heard_ = Clock::now();
        if (std::holds_alternative<Jobs>(incoming.message)) co_await list_jobs();
        else if (const auto* kill = std::get_if<Kill>(&incoming.message)) co_await kill_job(*kill);
        else handle(incoming.message, incoming.body);
        co_await sender_.room();
    }
}

// Notices a client, or a network, that says nothing any more.
asio::awaitable<void> Session::watch() {
    while (Clock::now() < heard_ + limits::longest_silence) co_await sleep_for(heard_ + limits::longest_silence - Clock::now());
    channel_.close();
    throw Error(ErrorCode::internal, "the client says nothing any more");
}

// Throws Error{forbidden} if the key opens nothing any more.
void Session::take_key_from(const AuthorizedKeys& keys) {
    if (!keys.readable) return; // nobody new gets in, but this one has
    const auto found = keys.keys.find(login_.key_id);
    if (found == keys.keys.end() || found->second.verifier != login_.key.verifier)
        throw Error(ErrorCode::forbidden, "this key is not in the server's authorized_keys any more");
    check_usable(found->second.options, visitor_.peer.address(), std::chrono::system_clock::now());
    if (login_.key.options.users != found->second.options.users) account_.forget();
    login_.key = found->second;
}

void Session::renew_key() { take_key_from(*service_.keys.current()); }

void Session::review(const AuthorizedKeys& keys) {
    if (!welcome_) return;
    try {
        take_key_from(keys);
    } catch (const Error& error) {
        log_warning("revoked", {{"from", address_}, {"key", login_.key_id}, {"problem", error.what()}});
        jobs_.clear(); // what they still say would keep the last word from being the last
        say_last(error);
    }
}

void Session::say_last(const Error& error) {
    waiting_.reset();
    const ErrorMessage message = to_message(error);
    outbox_.push(message);
    sender_.finish();
}

// Those who watch durable jobs only get no word: they go on with the next server.
void Session::leave() {
    leaving_ = true;
    if (jobs_.empty()) say_last(Error(ErrorCode::shutdown, "the server is ending"));
    else if (std::ranges::all_of(jobs_, [](const auto& held) { return held.second.durable; })) channel_.close();
}

void Session::handle(const Message& message, std::span<const std::byte> body) {
    if (const auto* exec = std::get_if<Exec>(&message)) take_turn_or_wait(*exec, body);
    else if (const auto* data = std::get_if<Data>(&message)) hand_to_job(*data, body);
    else if (const auto* eof = std::get_if<Eof>(&message)) hand_to_job(*eof);
    else if (const auto* ack = std::get_if<Ack>(&message)) hand_to_job(*ack);
    else if (const auto* stop = std::get_if<Stop>(&message)) hand_to_job(*stop);
    else if (const auto* signal = std::get_if<Signal>(&message)) hand_to_job(*signal);
    else if (const auto* resize = std::get_if<Resize>(&message)) hand_to_job(*resize);
    else if (const auto* over = std::get_if<Release>(&message)) release(*over);
    else if (std::holds_alternative<Ping>(message)) outbox_.push(Pong{service_.boot, service_.uptime()});
    else if (const auto* attach = std::get_if<Attach>(&message)) handle_attach(*attach);
    else if (const auto* keep = std::get_if<Keep>(&message)) hand_to_job(*keep);
}

template <class Request>
void Session::hand_to_job(const Request& message, std::span<const std::byte> body) {
    constexpr bool needs_answer =
        std::is_same_v<Request, Data> || std::is_same_v<Request, Eof> || std::is_same_v<Request, Signal>;
    const auto job = jobs_.find(message.job);
    if (job != jobs_.end()) return job->second.handle->take(message, body);
    if constexpr (std::is_same_v<Request, Keep>) {
        if (is_waiting(message.job)) waiting_->exec.keep = message.seconds;
    }
    if (!needs_answer) return;
    if (is_waiting(message.job)) skip(std::exchange(waiting_, std::nullopt)->exec.job);
    else say_job_error(message.job, Error(ErrorCode::no_such_job, "there is no such job"));
}

Predecessor Session::Held::as_predecessor() const {
    using State = Predecessor::State;
    if (durable) return {State::given_up, false};
    return end.value_or(Predecessor{State::running, false});
}

Predecessor Session::Held::as_released() const {
    using State = Predecessor::State;
    return end ? Predecessor{State::taken, end->success} : Predecessor{State::given_up, false};
}

void Session::take_turn_or_wait(const Exec& exec, std::span<const std::byte> body) {
    const auto refuse = [&](ErrorCode code, const char* why) {
        say_job_error(exec.job, Error(code, why), command_of(exec, body));
    };
    if (is_waiting(exec.job)) return refuse(ErrorCode::conflict, "this connection has asked for the job already");
    if (!exec.after || exec.boot != service_.boot) return handle_exec(exec, body);
    if (service_.job_table.find(login_.key_id, exec.job)) return handle_exec(exec, body);
    if (is_waiting(exec.after->job)) return refuse(ErrorCode::busy, one_waits);
    const auto before = jobs_.find(exec.after->job);
    switch (turn_after(*exec.after, before == jobs_.end() ? Predecessor{} : before->second.as_predecessor())) {
    case Turn::now: return handle_exec(exec, body);
    case Turn::never: return skip(exec.job);
    case Turn::later: break;
    }
    if (waiting_) return refuse(ErrorCode::busy, one_waits);
    read_exec_request(exec, body); // what is wrong with it is said now
    waiting_ = WaitingRequest{exec, std::string(as_text(body))};
}

bool Session::is_waiting(const std::string& job) const { return waiting_ && waiting_->exec.job == job; }

// To the request that waits for `job`, if there is one.
void Session::give_turn(const std::string& job, const Predecessor& before) {
    if (!waiting_ || waiting_->exec.after->job != job) return;
    const Turn turn = turn_after(*waiting_->exec.after, before);
    if (turn == Turn::later) return;
    const WaitingRequest request = *std::exchange(waiting_, std::nullopt);
    if (turn == Turn::never) return skip(request.exec.job);
    try {
        handle_exec(request.exec, as_bytes(request.body));
    } catch (const Error& error) {
        say_last(error);
    } catch (const std::exception& error) { // this is called on behalf of other jobs, too
        say_last(Error(ErrorCode::internal, error.what()));
    }
}

// That is no event for the log: the client has said what is to happen, and nothing did.
void Session::skip(const std::string& job) { answer(job, Error(ErrorCode::skipped, "the command before it did not end well")); }

void Session::handle_exec(const Exec& exec, std::span<const std::byte> body) {
    try {
        renew_key();
        start_or_rejoin(exec, body);
    } catch (const Error& error) {
        if (ends_connection(error.code())) throw;
        say_job_error(exec.job, error, command_of(exec, body));
    }
}

void Session::start_or_rejoin(const Exec& exec, std::span<const std::byte> body) {
    const ExecRequest request = read_exec_request(exec, body);
    if (exec.durable) return start_or_view(exec, request, body);
    const Digest digest = digest_of(exec, body);
    auto known = service_.job_table.find(login_.key_id, exec.job);
    if (!known) known = start(exec, request, digest);
    if (!known) return;
    if (known->request != digest) throw other_request();
    hold(*known, claim_of(exec));
    log_attach(exec.job);
}

// A process takes its time to start, in which the thread is held up: while this connection has other jobs that run, the threads take turns.
Home Session::next_home() {
    if (std::ranges::all_of(jobs_, [](const auto& held) { return held.second.end.has_value(); })) return {executor_, residents_};
    return service_.homes[turn_++ % service_.homes.size()];
}

// Returns where it is if another connection has been quicker.
std::optional<JobPlace> Session::start(const Exec& exec, const ExecRequest& request, const Digest& digest) {
    if (service_.durable_jobs.find(login_.key_id, exec.job)) throw other_request();
    check_admissible(exec);
    check_not_held(exec.job);
    if (exec.boot != service_.boot) throw Error(ErrorCode::restarted, "the server has been restarted since the request was made");
    const Grant granted = grant_request(exec, request);
    const Home home = next_home();
    const JobPlace place{home.executor, digest, windows_of(exec).total()};
    const auto budget = std::shared_ptr<JobBudget>(new JobBudget{take_slot(), Counted(service_, service_.jobs)});
    const GetJob begin = [home, place, budget,
                             wanted = std::make_shared<const JobStart>(job_start(granted.exec, granted.request)),
                             &service = service_] { return start_resident_job(home, place, *wanted, budget, service); };
    if (home.executor == executor_) {
        auto known = service_.job_table.reserve(login_.key_id, exec.job, place, [&] { admit_id(exec); });
        if (known) return known;
        begin();
        hold(place, claim_of(exec));
        return std::nullopt;
    }
    std::unique_ptr<JobHandle> handle;
    auto known = service_.job_table.reserve(login_.key_id, exec.job, place, [&] {
        admit_id(exec);
        handle = hold_distant_job(home.executor, begin, claim_of(exec), executor_, listener_, service_.ended);
    });
    if (!known)
        jobs_.emplace(
            exec.job, Held{std::move(handle), place.windows, false, one_line(request.words).substr(0, limits::listed_body)});
    return known;
}

Grant Session::grant_request(const Exec& exec, const ExecRequest& request) const {
    Grant granted = grant(login_.key.options.restrictions, exec, request);
    if (granted.request.original)
        log_event(
            "forced", {{"job", exec.job}, {"key", login_.key_id}, {"from", address_}, {"asked", *granted.request.original}});
    return granted;
}

JobStart Session::job_start(const Exec& exec, const ExecRequest& request) {
    return {exec, request, account_.choose(login_.key, login_.user), login_.key_id, address_, service_.boot,
        service_.options.max_keep, service_.open_files, false, service_.options.sftp_server};
}

// A job on the disk is there whichever run of the server has made it.
void Session::start_or_view(const Exec& exec, const ExecRequest& request, std::span<const std::byte> body) {
    std::optional<JobDirectory> job = service_.durable_jobs.find(login_.key_id, exec.job);
    const bool known = job.has_value();
    if (!job) job = record(exec, request, body);
    if (!same_request(*job, digest_of(exec, body))) throw other_request();
    view(*job, exec, windows_of(exec).total(), one_line(request.words).substr(0, limits::listed_body));
    if (known) log_attach(exec.job);
}

JobDirectory Session::record(const Exec& exec, const ExecRequest& request, std::span<const std::byte> body) {
    const JobPlace place{executor_, digest_of(exec, body), 0};
    // Until it is on the disk; another connection may be bringing the same one there.
    std::optional<JobReservation> reservation;
    if (const auto known = service_.job_table.reserve(login_.key_id, exec.job, place)) {
        if (known->request != place.request) throw other_request();
    } else {
        reservation.emplace(service_.job_table, login_.key_id, exec.job);
    }
    check_admissible(exec);
    check_not_removed(exec);
    const Grant granted = grant_request(exec, request);
    const JobStart wanted = job_start(granted.exec, granted.request);
    const JobSlots::Slot slot = take_slot(); // until it is on the disk
    check_startable(wanted);
    const JobRecord fresh{login_.key_id, address_, wanted.account.name, wall_clock(), login_.key.options.restrictions, exec,
        std::string(as_text(body))};
    return service_.durable_jobs.start(executor_, fresh);
}

void Session::handle_attach(const Attach& attach) {
    try {
        renew_key();
        if (const auto place = service_.job_table.find(login_.key_id, attach.job)) {
            check_windows(place->windows);
            JobClaim claim;
            claim.attach = attach;
            hold(*place, claim);
        } else {
            view(find_durable(attach.job), attach, 2 * limits::window, {});
        }
        log_attach(attach.job);
    } catch (const Error& error) {
        if (ends_connection(error.code())) throw;
        say_job_error(attach.job, error);
    }
}

JobDirectory Session::find_durable(const std::string& id) const {
    const auto job = service_.durable_jobs.find(login_.key_id, id);
    if (!job) throw Error(ErrorCode::no_such_job, "there is no such job");
    return *job;
}

void Session::view(const JobDirectory& job, const std::variant<Exec, Attach>& claim, std::size_t windows, std::string command) {
    check_not_held(job.id());
    check_windows(windows);
    jobs_.emplace(job.id(),
        Held{view_job(service_.durable_jobs, job, claim, executor_, outbox_, listener_), windows, true, std::move(command)});
}

void Session::log_attach(const std::string& job) const {
    log_event("attach", {{"job", job}, {"key", login_.key_id}, {"from", address_}});
}

void Session::check_not_held(const std::string& id) const {
    if (jobs_.contains(id)) throw Error(ErrorCode::conflict, "this connection has the job already");
}

void Session::hold(const JobPlace& place, const JobClaim& claim) {
    const std::string& id = claim.attach.job;
    check_not_held(id);
    const auto here = place.executor == executor_ ? place.job->lock() : nullptr;
    if (here) {
        jobs_.emplace(id, Held{hold_job(executor_, here, claim, outbox_, listener_), place.windows, false, {}});
        return;
    }
    // Also one that is about to be started on this thread, for a connection on another: that goes first there.
    const GetJob find = [place] {
        auto job = place.job->lock();
        if (!job) throw Error(ErrorCode::no_such_job, "there is no such job");
        return job;
    };
    jobs_.emplace(
        id, Held{hold_distant_job(place.executor, find, claim, executor_, listener_, service_.ended), place.windows, false, {}});
}

asio::awaitable<void> Session::list_jobs() {
    renew_key();
    std::uint64_t count = 0;
    for (const JobPlace& place : service_.job_table.of_key(login_.key_id)) {
        const auto listing = co_await list_job(place);
        if (listing) co_await say(*listing);
        if (listing) ++count;
    }
    const auto deadline = Clock::now() + patience_with_supervisors;
    for (const JobDirectory& job : service_.durable_jobs.of_key(login_.key_id)) {
        const auto listing = co_await list_job(job, deadline);
        if (listing) co_await say(*listing);
        if (listing) ++count;
    }
    outbox_.push(ListedAll{count});
    heard_ = Clock::now(); // nobody listened meanwhile
}

asio::awaitable<void> Session::say(const ListedJob& listing) {
    outbox_.push(listing.facts, std::string_view(listing.command).substr(0, limits::listed_body));
    co_await sender_.room();
}

asio::awaitable<void> Session::kill_job(const Kill& message) {
    const Kill kill = message;
    std::optional<Error> problem;
    try {
        renew_key();
        const auto place = service_.job_table.find(login_.key_id, kill.job);
        if (place) co_await rc::kill_job(*place, kill.name);
        else co_await rc::kill_job(find_durable(kill.job), kill.name);
        outbox_.push(Killed{kill.job});
        log_event("kill", {{"job", kill.job}, {"key", login_.key_id}, {"from", address_}, {"signal", kill.name}});
    } catch (const Error& error) {
        problem = error;
    }
    if (!problem) co_return;
    if (ends_connection(problem->code())) throw Error(*problem);
    say_job_error(kill.job, *problem);
}

void Session::listen_to_jobs() {
    listener_->on_frames = [this](const std::string& frames, std::function<void()> taken) {
        outbox_.push_frames(frames);
        credits_.push_back(std::move(taken));
        credit_due_.notify();
    };
    listener_->on_ended = [this](const std::string& job, const Predecessor& end) { note_end(job, end); };
    listener_->on_replaced = [this](const std::string& job, bool stale) {
        jobs_.erase(job);
        give_turn(job, {Predecessor::State::given_up, false});
        if (stale) channel_.close();
        else say_job_error(job, Error(ErrorCode::conflict, "another client has attached to the job"));
    };
    listener_->on_refused = [this](const std::string& job, const Error& error) {
        const auto held = jobs_.extract(job);
        if (ends_connection(error.code())) return say_last(error);
        say_job_error(job, error, held ? held.mapped().command : std::string());
        give_turn(job, Predecessor{});
    };
}

void Session::note_end(const std::string& job, const Predecessor& end) {
    const auto held = jobs_.find(job);
    if (held == jobs_.end()) return;
    held->second.end = end;
    give_turn(job, held->second.as_predecessor());
}

asio::awaitable<void> Session::give_credit() {
    for (;;) {
        while (credits_.empty()) co_await credit_due_.wait();
        co_await sender_.room();
        credits_.front()();
        credits_.pop_front();
    }
}

void Session::check_admissible(const Exec& exec) const {
    if (service_.stopping) throw server_is_ending();
    check_windows(windows_of(exec).total());
    if (service_.jobs + service_.durable_jobs.running() >= service_.options.max_jobs)
        throw Error(ErrorCode::busy, "the server has as many jobs as it may have");
}

std::size_t Session::most_jobs() const {
    return std::min(login_.key.options.max_jobs.value_or(service_.options.max_jobs), service_.options.max_jobs_per_key);
}

// Those on the disk are counted only if that could matter.
std::size_t Session::most_ordinary_jobs() const {
    const std::size_t most = most_jobs();
    if (most >= service_.options.max_jobs) return most;
    return most - std::min(most, service_.durable_jobs.running(login_.key_id));
}

JobSlots::Slot Session::take_slot() const {
    if (auto slot = service_.job_slots.take(login_.key_id, most_ordinary_jobs())) return std::move(*slot);
    throw Error(ErrorCode::busy, "this key has as many jobs as it may have");
}

// A job that was removed long after its end must not be started by a request that is older still.
void Session::check_not_removed(const Exec& exec) const {
    const std::uint64_t now = service_.uptime();
    const std::uint64_t made = wall_clock() - (now - std::min(now, exec.uptime));
    if (exec.boot == service_.boot && made <= service_.durable_jobs.removed_asked())
        throw Error(ErrorCode::expired, "the request is older than jobs that have been removed");
}

void Session::check_windows(std::size_t wanted) const {
    for (const auto& [id, held] : jobs_) wanted += held.windows;
    if (wanted > limits::windows_of_connection)
        throw Error(ErrorCode::busy, "the open jobs of this connection use all of its windows");
}

void Session::admit_id(const Exec& exec) {
    switch (service_.job_ids.admit(login_.key_id, exec.job, exec.uptime, service_.uptime())) {
    case JobIds::Answer::fresh: return;
    case JobIds::Answer::known: throw Error(ErrorCode::conflict, "the job id has been used");
    case JobIds::Answer::expired: throw Error(ErrorCode::expired, "the job id is older than this server remembers");
    }
}

void Session::release(const Release& message) {
    if (is_waiting(message.job)) waiting_.reset();
    const auto job = jobs_.find(message.job);
    if (job == jobs_.end()) return;
    job->second.handle->release();
    const Predecessor before = job->second.as_released();
    jobs_.erase(job);
    give_turn(message.job, before);
    if (leaving_) leave();
}

void Session::say_job_error(const std::string& job, const Error& error, const std::string& command) {
    log_warning("job_refused", {{"job", job}, {"key", login_.key_id}, {"from", address_}, {"command", command},
                                   {"code", std::string(to_string(error.code()))}, {"problem", error.what()}});
    answer(job, error);
}

void Session::answer(const std::string& job, const Error& error) {
    ErrorMessage message = to_message(error);
    message.job = job;
    outbox_.push(message);
}

} // namespace rc
