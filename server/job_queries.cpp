#include "server/job_queries.hpp"

#include "common/bytes.hpp"
#include "common/codec.hpp"
#include "common/described_json.hpp"
#include "common/local_channel.hpp"
#include "server/exec_request.hpp"
#include "server/job.hpp"
#include "server/spool.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>

#include <algorithm>

namespace rc {

namespace {

constexpr std::chrono::seconds answer_timeout{5}; // of a supervisor

// To cancel what runs on another thread, Asio 1.81 hands that thread a pointer into what this one may have left by the time it looks: whoever asked
// waits for the answer, even if nobody wants it any more.
auto uncancelled() { return asio::bind_cancellation_slot(asio::cancellation_slot(), asio::use_awaitable); }

// On the job's thread.
asio::awaitable<std::optional<ListedJob>> look_at(std::shared_ptr<std::weak_ptr<Job>> place) {
    const auto job = place->lock();
    if (!job) co_return std::nullopt;
    co_return ListedJob{job->listed(), job->facts().command, {}};
}

asio::awaitable<void> signal_there(std::shared_ptr<std::weak_ptr<Job>> place, std::string signal) {
    const auto job = place->lock();
    if (!job) throw Error(ErrorCode::no_such_job, "there is no such job");
    job->kill(signal);
    co_return;
}

asio::awaitable<void> ask(LocalChannel& channel, std::string frame, std::optional<Message>& answer) {
    channel.put(frame);
    co_await channel.flush();
    answer = (co_await channel.receive()).message;
}

// Nothing if there is no supervisor, or no answer.
asio::awaitable<std::optional<Message>> ask_supervisor(
    const JobDirectory& job, const Message& question, Clock::time_point deadline) {
    Descriptor socket = job.connect();
    if (!socket.is_open()) co_return std::nullopt;
    const auto executor = co_await asio::this_coro::executor;
    LocalChannel channel(
        asio::local::stream_protocol::socket(executor, asio::local::stream_protocol(), socket.release()), Peer::client);
    std::optional<Message> answer;
    try {
        co_await with_deadline(ask(channel, encode_message(question), answer), deadline - Clock::now());
    } catch (const boost::system::system_error&) { // it has ended
    }
    co_return answer;
}

void add_spooled(Listed& listed, const JobDirectory& job) {
    try {
        const SpoolReader spool(job.path());
        listed.stdout_ = spool.end(StreamName::stdout_);
        listed.stderr_ = spool.end(StreamName::stderr_);
    } catch (const Error&) { // there is none yet
    }
}

void add_end(Listed& listed, const Exit& exit) {
    listed.state = Standing::finished;
    listed.reason = exit.reason;
    listed.code = exit.code;
    listed.signal = exit.signal;
}

} // namespace

asio::awaitable<std::optional<ListedJob>> list_job(JobPlace place) {
    co_return co_await asio::co_spawn(place.executor, look_at(place.job), uncancelled());
}

asio::awaitable<std::optional<ListedJob>> list_job(JobDirectory job, Clock::time_point deadline) {
    ListedJob listing;
    Listed& listed = listing.facts;
    listed.job = job.id();
    listed.durable = true;
    listed.state = Standing::unknown;
    try {
        const JobRecord record = job.record();
        listing.command = one_line(read_exec_request(record.exec, as_bytes(record.body)).words);
        const std::optional<Message> answer = co_await ask_supervisor(job, Jobs{}, deadline);
        if (answer && std::holds_alternative<Listed>(*answer)) listed = std::get<Listed>(*answer);
        const JobPhase phase = job.phase();
        if (phase == JobPhase::missing) co_return std::nullopt;
        if (!answer) add_spooled(listed, job);
        if (!answer && (phase == JobPhase::startable || phase == JobPhase::running)) listed.state = Standing::detached;
        if (phase == JobPhase::finished) add_end(listed, job.end().exit);
        const std::uint64_t now = wall_clock();
        listed.age = (now - std::min(now, record.asked)) / 1000;
    } catch (const Error&) { // what is damaged is unknown
    }
    co_return listing;
}

asio::awaitable<void> kill_job(JobPlace place, std::string signal) {
    co_await asio::co_spawn(place.executor, signal_there(place.job, std::move(signal)), uncancelled());
}

asio::awaitable<void> kill_job(JobDirectory job, std::string signal) {
    const Message question = Kill{job.id(), std::move(signal)};
    const std::optional<Message> answer = co_await ask_supervisor(job, question, Clock::now() + answer_timeout);
    if (!answer && job.phase() == JobPhase::running) {
        throw Error(ErrorCode::internal, "the supervisor of the job does not answer; the signal may still be sent");
    }
    if (!answer) throw Error(ErrorCode::no_such_job, "the job has ended");
    if (const auto* error = std::get_if<ErrorMessage>(&*answer)) throw Error(error->code, error->message);
}

} // namespace rc
