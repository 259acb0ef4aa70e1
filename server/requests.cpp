#include "server/requests.hpp"

#include "common/bytes.hpp"
#include "common/described_json.hpp"
#include "server/error_message.hpp"
#include "server/exec_request.hpp"
#include "server/job_admission.hpp"
#include "server/job_queries.hpp"
#include "server/job_viewer.hpp"
#include "server/log.hpp"
#include "server/permission.hpp"
#include "server/resident_job.hpp"

#include <algorithm>
#include <exception>
#include <utility>

namespace rc {

namespace asio = boost::asio;

namespace {

constexpr std::chrono::seconds patience_with_supervisors{5}; // with all of them together

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
Error asked_already() { return {ErrorCode::conflict, "this connection has asked for the job already"}; }
Error one_waits() { return {ErrorCode::busy, "a request of this connection waits for its turn already"}; }

std::string listed_command(const RequestedJob& request) { return one_line(request.asked.words).substr(0, limits::listed_body); }

bool ends_connection(ErrorCode code) { return code == ErrorCode::bad_offset || code == ErrorCode::bad_message; }

} // namespace

Requests::Requests(Service& service, const Home& home, KeyHolder& holder, Outbox& outbox, Sender& sender, RequestsOwner& owner)
    : service_(service), home_(home), holder_(holder), outbox_(outbox), sender_(sender), owner_(owner),
      credit_due_(home.executor) {
    listen_to_jobs();
}

Requests::~Requests() { *listener_ = {}; }

void Requests::let_linger() { jobs_.clear(); }

bool Requests::only_durable() const {
    return std::ranges::all_of(jobs_, [](const auto& held) { return held.second.durable; });
}

void Requests::handle(const Message& message, std::span<const std::byte> body) {
    if (const auto* exec = std::get_if<Exec>(&message)) take_turn_or_wait(read_requested_job(*exec, body));
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
void Requests::hand_to_job(const Request& message, std::span<const std::byte> body) {
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

Predecessor Requests::Held::as_predecessor() const {
    using State = Predecessor::State;
    if (durable) return {State::given_up, false};
    return end.value_or(Predecessor{State::running, false});
}

Predecessor Requests::Held::as_released() const {
    using State = Predecessor::State;
    return end ? Predecessor{State::taken, end->success} : Predecessor{State::given_up, false};
}

void Requests::take_turn_or_wait(RequestedJob request) {
    const Exec& exec = request.exec;
    if (exec.after && !holder_.knows_after())
        throw Error(ErrorCode::bad_message, "field 'after' needs the feature 'after', which the client has not named");
    if (is_waiting(exec.job)) return refuse(request, asked_already());
    if (!exec.after || exec.boot != service_.boot) return handle_exec(request);
    if (service_.job_table.find(holder_.key_id(), exec.job)) return handle_exec(request);
    if (service_.job_ids.look(holder_.key_id(), exec.job, exec.uptime) != JobIds::Answer::fresh) return handle_exec(request);
    if (is_waiting(exec.after->job)) return refuse(request, one_waits());
    const auto before = jobs_.find(exec.after->job);
    switch (turn_after(*exec.after, before == jobs_.end() ? Predecessor{} : before->second.as_predecessor())) {
    case Turn::now: return handle_exec(request);
    case Turn::never: return skip(exec.job);
    case Turn::later: break;
    }
    if (waiting_) return refuse(request, one_waits());
    waiting_ = std::move(request);
}

bool Requests::is_waiting(const std::string& job) const { return waiting_ && waiting_->exec.job == job; }

// To the request that waits for `job`, if there is one.
void Requests::give_turn(const std::string& job, const Predecessor& before) {
    if (!waiting_ || waiting_->exec.after->job != job) return;
    const Turn turn = turn_after(*waiting_->exec.after, before);
    if (turn == Turn::later) return;
    const RequestedJob request = *std::exchange(waiting_, std::nullopt);
    if (turn == Turn::never) return skip(request.exec.job);
    try {
        handle_exec(request);
    } catch (const Error& error) {
        owner_.say_last(error);
    } catch (const std::exception& error) { // this is called on behalf of other jobs, too
        owner_.say_last(Error(ErrorCode::internal, error.what()));
    }
}

// That is no event for the log: the client has said what is to happen, and nothing did.
void Requests::skip(const std::string& job) { answer(job, Error(ErrorCode::skipped, "the command before it did not end well")); }

void Requests::note_end(const std::string& job, const Predecessor& end) {
    const auto held = jobs_.find(job);
    if (held == jobs_.end()) return;
    held->second.end = end;
    give_turn(job, held->second.as_predecessor());
}

void Requests::handle_exec(const RequestedJob& request) {
    try {
        holder_.renew();
        start_or_rejoin(request);
    } catch (const Error& error) {
        if (ends_connection(error.code())) throw;
        refuse(request, error);
    }
}

void Requests::start_or_rejoin(const RequestedJob& request) {
    const Exec& exec = request.exec;
    if (exec.durable) return start_or_view(request);
    auto known = service_.job_table.find(holder_.key_id(), exec.job);
    if (!known) known = start(request);
    if (!known) return;
    if (known->request != request.digest) throw other_request();
    hold(*known, claim_of(exec));
    log_attach(exec.job);
}

// Throws what check_not_begun() throws, unless another connection has begun the job since it was looked for.
std::optional<JobPlace> Requests::begun_elsewhere(const Exec& exec) const {
    try {
        check_not_begun(service_, holder_, exec);
    } catch (const Error&) {
        auto known = service_.job_table.find(holder_.key_id(), exec.job);
        if (known) return known;
        throw;
    }
    return std::nullopt;
}

// A process takes its time to start, in which the thread is held up: while this connection has other jobs that run, the threads take turns.
Home Requests::next_home() {
    if (std::ranges::all_of(jobs_, [](const auto& held) { return held.second.end.has_value(); })) return home_;
    return service_.homes[turn_++ % service_.homes.size()];
}

// Returns where it is if another connection has been quicker.
std::optional<JobPlace> Requests::start(const RequestedJob& request) {
    const Exec& exec = request.exec;
    if (service_.durable_jobs.find(holder_.key_id(), exec.job)) throw other_request();
    check_not_held(exec.job);
    if (auto known = begun_elsewhere(exec)) return known;
    check_room(service_);
    check_windows(windows_of(exec).total());
    const auto wanted = std::make_shared<const JobStart>(job_start(grant_request(request)));
    const Home home = next_home();
    const JobPlace place{home.executor, request.digest, windows_of(exec).total()};
    const auto budget = std::shared_ptr<JobBudget>(new JobBudget{take_slot(service_, holder_), Counted(service_, service_.jobs)});
    const GetJob begin = [home, place, budget, wanted, &service = service_] {
        return start_resident_job(home, place, *wanted, budget, service);
    };
    if (home.executor == home_.executor) {
        auto known = service_.job_table.reserve(holder_.key_id(), exec.job, place, [&] { admit_id(service_, holder_, exec); });
        if (known) return known;
        begin();
        hold(place, claim_of(exec));
        return std::nullopt;
    }
    std::unique_ptr<JobHandle> handle;
    auto known = service_.job_table.reserve(holder_.key_id(), exec.job, place, [&] {
        admit_id(service_, holder_, exec);
        handle = hold_distant_job(home.executor, begin, claim_of(exec), home_.executor, listener_, service_.ended);
    });
    if (!known) jobs_.emplace(exec.job, Held{std::move(handle), place.windows, false, listed_command(request)});
    return known;
}

Grant Requests::grant_request(const RequestedJob& request) const {
    Grant granted = grant(holder_.options().restrictions, request.exec, request.asked);
    if (granted.request.original)
        log_event("forced", {{"job", request.exec.job}, {"key", holder_.key_id()}, {"from", holder_.address()},
                                {"asked", *granted.request.original}});
    return granted;
}

JobStart Requests::job_start(Grant granted) {
    return {std::move(granted.exec), std::move(granted.request), holder_.account(), holder_.key_id(), holder_.address(),
        service_.boot, service_.options.max_keep, service_.open_files, false, service_.options.sftp_server};
}

// A job on the disk is there whichever run of the server has made it.
void Requests::start_or_view(const RequestedJob& request) {
    const Exec& exec = request.exec;
    std::optional<JobDirectory> job = service_.durable_jobs.find(holder_.key_id(), exec.job);
    const bool known = job.has_value();
    if (!job) job = record(request);
    if (!same_request(*job, request.digest)) throw other_request();
    view(*job, exec, windows_of(exec).total(), listed_command(request));
    if (known) log_attach(exec.job);
}

JobDirectory Requests::record(const RequestedJob& request) {
    const Exec& exec = request.exec;
    const JobPlace place{home_.executor, request.digest, 0};
    // Until it is on the disk; another connection may be bringing the same one there.
    std::optional<JobReservation> reservation;
    if (const auto known = service_.job_table.reserve(holder_.key_id(), exec.job, place)) {
        if (known->request != place.request) throw other_request();
    } else {
        reservation.emplace(service_.job_table, holder_.key_id(), exec.job);
    }
    check_not_removed(service_, exec);
    check_room(service_);
    check_windows(windows_of(exec).total());
    const JobStart wanted = job_start(grant_request(request));
    const JobSlots::Slot slot = take_slot(service_, holder_); // until it is on the disk
    check_startable(wanted);
    const JobRecord fresh{holder_.key_id(), holder_.address(), wanted.account.name, wall_clock(), holder_.options().restrictions,
        exec, request.body};
    return service_.durable_jobs.start(home_.executor, fresh);
}

void Requests::handle_attach(const Attach& attach) {
    try {
        holder_.renew();
        if (const auto place = service_.job_table.find(holder_.key_id(), attach.job)) {
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

JobDirectory Requests::find_durable(const std::string& id) const {
    const auto job = service_.durable_jobs.find(holder_.key_id(), id);
    if (!job) throw Error(ErrorCode::no_such_job, "there is no such job");
    return *job;
}

void Requests::view(const JobDirectory& job, const std::variant<Exec, Attach>& claim, std::size_t windows, std::string command) {
    check_not_held(job.id());
    check_windows(windows);
    jobs_.emplace(job.id(),
        Held{view_job(service_.durable_jobs, job, claim, home_.executor, outbox_, listener_), windows, true, std::move(command)});
}

void Requests::hold(const JobPlace& place, const JobClaim& claim) {
    const std::string& id = claim.attach.job;
    check_not_held(id);
    const auto here = place.executor == home_.executor ? place.job->lock() : nullptr;
    if (here) {
        jobs_.emplace(id, Held{hold_job(home_.executor, here, claim, outbox_, listener_), place.windows, false, {}});
        return;
    }
    // Also one that is about to be started on this thread, for a connection on another: that goes first there.
    const GetJob find = [place] {
        auto job = place.job->lock();
        if (!job) throw Error(ErrorCode::no_such_job, "there is no such job");
        return job;
    };
    jobs_.emplace(id,
        Held{hold_distant_job(place.executor, find, claim, home_.executor, listener_, service_.ended), place.windows, false, {}});
}

void Requests::check_not_held(const std::string& id) const {
    if (jobs_.contains(id)) throw Error(ErrorCode::conflict, "this connection has the job already");
}

void Requests::check_windows(std::size_t wanted) const {
    for (const auto& [id, held] : jobs_) wanted += held.windows;
    if (wanted > limits::windows_of_connection)
        throw Error(ErrorCode::busy, "the open jobs of this connection use all of its windows");
}

void Requests::release(const Release& message) {
    if (is_waiting(message.job)) waiting_.reset();
    const auto job = jobs_.find(message.job);
    if (job == jobs_.end()) return;
    job->second.handle->release();
    const Predecessor before = job->second.as_released();
    jobs_.erase(job);
    give_turn(message.job, before);
    owner_.released();
}

asio::awaitable<void> Requests::list_jobs() {
    holder_.renew();
    std::uint64_t count = 0;
    for (const JobPlace& place : service_.job_table.of_key(holder_.key_id())) {
        const auto listing = co_await list_job(place);
        if (listing) co_await say(*listing);
        if (listing) ++count;
    }
    const auto deadline = Clock::now() + patience_with_supervisors;
    for (const JobDirectory& job : service_.durable_jobs.of_key(holder_.key_id())) {
        const auto listing = co_await list_job(job, deadline);
        if (listing) co_await say(*listing);
        if (listing) ++count;
    }
    outbox_.push(ListedAll{count});
}

asio::awaitable<void> Requests::say(const ListedJob& listing) {
    outbox_.push(listing.facts, std::string_view(listing.command).substr(0, limits::listed_body));
    co_await sender_.room();
}

asio::awaitable<void> Requests::kill_job(const Kill& message) {
    const Kill kill = message;
    std::optional<Error> problem;
    try {
        holder_.renew();
        const auto place = service_.job_table.find(holder_.key_id(), kill.job);
        if (place) co_await rc::kill_job(*place, kill.name);
        else co_await rc::kill_job(find_durable(kill.job), kill.name);
        outbox_.push(Killed{kill.job});
        log_event("kill", {{"job", kill.job}, {"key", holder_.key_id()}, {"from", holder_.address()}, {"signal", kill.name}});
    } catch (const Error& error) {
        problem = error;
    }
    if (!problem) co_return;
    if (ends_connection(problem->code())) throw Error(*problem);
    say_job_error(kill.job, *problem);
}

void Requests::listen_to_jobs() {
    listener_->on_frames = [this](const std::string& frames, std::function<void()> taken) {
        outbox_.push_frames(frames);
        credits_.push_back(std::move(taken));
        credit_due_.notify();
    };
    listener_->on_ended = [this](const std::string& job, const Predecessor& end) { note_end(job, end); };
    listener_->on_replaced = [this](const std::string& job, bool stale) {
        jobs_.erase(job);
        give_turn(job, {Predecessor::State::given_up, false});
        if (stale) owner_.close();
        else say_job_error(job, Error(ErrorCode::conflict, "another client has attached to the job"));
    };
    listener_->on_refused = [this](const std::string& job, const Error& error) {
        const auto held = jobs_.extract(job);
        if (ends_connection(error.code())) return owner_.say_last(error);
        say_job_error(job, error, held ? held.mapped().command : std::string());
        give_turn(job, Predecessor{});
    };
}

asio::awaitable<void> Requests::give_credit() {
    for (;;) {
        while (credits_.empty()) co_await credit_due_.wait();
        co_await sender_.room_for_frames();
        credits_.front()();
        credits_.pop_front();
    }
}

void Requests::say_job_error(const std::string& job, const Error& error, const std::string& command) {
    log_warning("job_refused", {{"job", job}, {"key", holder_.key_id()}, {"from", holder_.address()}, {"command", command},
                                   {"code", std::string(to_string(error.code()))}, {"problem", error.what()}});
    answer(job, error);
}

void Requests::refuse(const RequestedJob& request, const Error& error) {
    say_job_error(request.exec.job, error, one_line(request.asked.words));
}

void Requests::answer(const std::string& job, const Error& error) { outbox_.push(to_message(error, job)); }

void Requests::log_attach(const std::string& job) const {
    log_event("attach", {{"job", job}, {"key", holder_.key_id()}, {"from", holder_.address()}});
}

} // namespace rc
