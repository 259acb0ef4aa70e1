#include "server/job_viewer.hpp"

#include "common/async.hpp"
#include "common/bytes.hpp"
#include "common/codec.hpp"
#include "common/described_json.hpp"
#include "common/local_channel.hpp"
#include "common/sender.hpp"
#include "server/error_message.hpp"
#include "server/outputs.hpp"
#include "server/spool.hpp"

#include <boost/asio/detached.hpp>

#include <algorithm>
#include <array>
#include <utility>

namespace rc {

namespace {

constexpr int attempts = 200;
constexpr std::chrono::milliseconds pause_between{10};
constexpr std::size_t most_queued = 2 * limits::window; // more input than any window has room for

// The job is written down, so it may have been started.
Error outcome_unknown(const char* problem) { return {ErrorCode::outcome_unknown, problem}; }

Error supervisor_lost() {
    return {ErrorCode::outcome_unknown,
        "the process that ran the job was ended before it, perhaps by a restart of the machine: its outcome is unknown"};
}

class View : public std::enable_shared_from_this<View> {
public:
    using Claim = std::variant<Exec, Attach>;

    View(DurableJobs& durable, JobDirectory job, Claim claim, const asio::any_io_executor& executor, Outbox& outbox,
        std::shared_ptr<JobListener> listener)
        : durable_(durable), job_(std::move(job)), claim_(std::move(claim)), executor_(executor), outbox_(&outbox),
          listener_(std::move(listener)), streams_(job_.id()), changed_(executor), left_(executor) {}

    asio::awaitable<void> run() {
        const auto self = shared_from_this();
        std::optional<Error> refused;
        try {
            co_await race(serve(), left_.wait());
        } catch (const Error& error) {
            refused = error;
        } catch (const std::exception& error) {
            refused.emplace(ErrorCode::internal, error.what());
        }
        if (refused)
            refuse(refused->code() == ErrorCode::internal && !not_started_ ? outcome_unknown(refused->what()) : *refused);
    }

    // The connection goes, or does not hold the job any more: nothing of it is touched from here on.
    void leave() {
        forget_client();
        if (!releasing_) left_.notify();
    }

    // Stays until the supervisor has been told.
    void release() {
        releasing_ = true;
        forget_client();
        to_supervisor_.push(Release{job_.id()});
        if (ended_) left_.notify();
        else if (sender_) sender_->finish();
    }

    void take(const JobMessage& message, std::span<const std::byte> body) {
        std::visit([&](const auto& one) { take_one(one, body); }, message);
    }

private:
    void forget_client() {
        if (outbox_ != nullptr) outbox_->remove(streams_);
        outbox_ = nullptr;
    }

    asio::awaitable<void> serve() {
        co_await find_supervisor();
        begin();
        if (releasing_ && !channel_) co_return;
        if (channel_) co_await race(follow(), show());
        else co_await show();
    }

    // It may be about to start, or to end; or it has to be started first.
    asio::awaitable<void> find_supervisor() {
        for (int attempt = 0; attempt < attempts; ++attempt) {
            const JobPhase phase = job_.phase();
            if (phase == JobPhase::missing) throw Error(ErrorCode::no_such_job, "there is no such job");
            if (phase == JobPhase::startable) durable_.resume(executor_, job_);
            if (phase == JobPhase::finished || phase == JobPhase::unknown) co_return;
            if (co_await ask_supervisor()) co_return;
            co_await sleep_for(pause_between);
        }
        throw Error(ErrorCode::internal, "the supervisor of the job does not answer");
    }

    asio::awaitable<bool> ask_supervisor() {
        Descriptor socket = job_.connect();
        if (!socket.is_open()) co_return false;
        channel_.emplace(
            asio::local::stream_protocol::socket(executor_, asio::local::stream_protocol(), socket.release()), Peer::client);
        try {
            const std::string frame = std::visit([](const auto& claim) { return encode_message(claim); }, claim_);
            channel_->put(frame);
            co_await channel_->flush();
            const Incoming answer = co_await channel_->receive();
            if (const auto* error = std::get_if<ErrorMessage>(&answer.message)) {
                not_started_ = true;
                throw Error(error->code, error->message);
            }
            answer_ = answer.message;
            co_return true;
        } catch (const boost::system::system_error&) { // it has ended
            channel_.reset();
        }
        co_return false;
    }

    // Answers the client; what is to come begins where it says.
    void begin() {
        const bool lost = !channel_ && job_.phase() == JobPhase::unknown;
        const auto* exec = std::get_if<Exec>(&claim_);
        if (lost && exec != nullptr && exec->detach) throw supervisor_lost(); // nobody waits for what is known of it
        open_spool(lost);
        const JobRecord record = job_.record();
        combined_ = record.exec.combine;
        const bool over = !channel_;
        if (std::holds_alternative<Exec>(claim_)) begin(std::get<Exec>(claim_), over);
        else begin(std::get<Attach>(claim_), over);
        if (outbox_ != nullptr) outbox_->add(streams_);
    }

    // A supervisor may have been lost before it made one.
    void open_spool(bool lost) {
        try {
            spool_.emplace(job_.path());
        } catch (const Error&) {
            if (lost) throw supervisor_lost();
            throw;
        }
    }

    void begin(const Exec& exec, bool over) {
        for (const StreamName name : outputs) {
            if (spool_->from(name) > 0) {
                throw Error(ErrorCode::conflict, "the beginning of the job's output is not kept any more; attach to it");
            }
        }
        const JobWindows windows = windows_of(exec);
        open(StreamName::stdout_, 0, exec.limits.stdout_, windows.output);
        if (!combined_) open(StreamName::stderr_, 0, exec.limits.stderr_, windows.error);
        Started started;
        started.job = job_.id();
        if (!over) started = std::get<Started>(answer_);
        say(started);
    }

    void begin(const Attach& attach, bool over) {
        Attached attached;
        attached.job = job_.id();
        attached.state = JobState::finished;
        attached.durable = true;
        if (!over) attached = std::get<Attached>(answer_);
        attached.stdout_ = start_of(StreamName::stdout_, attach.tail, attach.stdout_);
        open(StreamName::stdout_, attached.stdout_, attach.limits ? attach.limits->stdout_ : attached.stdout_ + limits::window,
            limits::window);
        if (!combined_) {
            attached.stderr_ = start_of(StreamName::stderr_, attach.tail, attach.stderr_);
            open(StreamName::stderr_, attached.stderr_,
                attach.limits ? attach.limits->stderr_ : attached.stderr_ + limits::window, limits::window);
        } else if (attach.stderr_.value_or(0) > 0) {
            throw Error(ErrorCode::bad_offset, "an offset of a stream that the job does not have");
        }
        say(attached);
    }

    [[nodiscard]] std::uint64_t start_of(StreamName name, bool tail, const std::optional<std::uint64_t>& asked) const {
        const std::uint64_t end = spool_->end(name);
        const std::uint64_t from = spool_->from(name);
        const std::uint64_t start = tail ? end : asked.value_or(from);
        if (start >= from && start <= end) return start;
        throw Error(ErrorCode::bad_offset, "offset " + std::to_string(start) + " of " + std::string(to_string(name)) +
                                               " is not within " + std::to_string(from) + " and " + std::to_string(end));
    }

    // `capacity`: bytes kept at a time.
    void open(StreamName name, std::uint64_t start, std::uint64_t limit, std::size_t capacity) {
        if (limit < start) throw Error(ErrorCode::bad_offset, "a limit below the offset");
        streams_.open_sender(name, limit, capacity, start);
        spooled_[output_index(name)] = spool_->end(name);
    }

    template <class Reply>
    void say(const Reply& message) {
        if (outbox_ != nullptr) outbox_->push(message);
    }

    // Between the supervisor and the client, until the supervisor ends.
    asio::awaitable<void> follow() {
        sender_.emplace(*channel_, to_supervisor_, executor_);
        if (releasing_) sender_->finish();
        try {
            co_await race(listen(), sender_->run());
        } catch (const boost::system::system_error&) { // the job has ended
        }
        channel_->close();
        note_end();
        if (releasing_) left_.notify();
        co_await wait_forever();
    }

    asio::awaitable<void> listen() {
        for (;;) {
            const Incoming incoming = co_await channel_->receive();
            if (const auto* ack = std::get_if<Ack>(&incoming.message)) heard(*ack);
            else if (const auto* stop = std::get_if<Stop>(&incoming.message)) say(*stop);
            else if (const auto* error = std::get_if<ErrorMessage>(&incoming.message)) throw Error(error->code, error->message);
        }
    }

    void heard(const Ack& ack) {
        if (ack.stream == StreamName::stdin_) return say(ack);
        spooled_[output_index(ack.stream)] = ack.offset;
        changed_.notify();
    }

    // The output, from the disk to the client; at last the end.
    asio::awaitable<void> show() {
        if (!channel_) note_end();
        for (;;) {
            const bool last = ended_;
            if (!copy(last) && last) break;
            co_await changed_.wait();
        }
        finish();
        co_await wait_forever();
    }

    // Nothing more will be written there. How it ended is read now: before all of the output is, the job may be removed.
    void note_end() {
        ended_ = true;
        changed_.notify();
        for (const StreamName name : outputs) spooled_[output_index(name)] = spool_->end(name);
        if (job_.phase() != JobPhase::finished) return;
        try {
            end_ = job_.end();
        } catch (const Error& error) { // what is kept of the output comes first
            end_problem_ = error;
        }
    }

    // Whether something is left to be copied; `last`: then nothing will be added any more.
    bool copy(bool last) {
        bool left = false;
        for (const StreamName name : outputs) {
            SendStream* stream = streams_.sender(name);
            if (stream == nullptr || stream->stopped()) continue;
            fill(name, *stream);
            if (stream->end() < spooled_[output_index(name)]) left = true;
            else if (last) stream->close();
        }
        streams_.on_ready();
        return left;
    }

    void fill(StreamName name, SendStream& stream) {
        const std::uint64_t until = spooled_[output_index(name)];
        while (stream.end() < until) {
            std::span<std::byte> space = stream.prepare();
            space = space.first(static_cast<std::size_t>(std::min<std::uint64_t>(space.size(), until - stream.end())));
            const std::size_t count = space.empty() ? 0 : spool_->read(name, stream.end(), space);
            if (count == 0) return;
            stream.commit(count);
        }
    }

    void finish() {
        if (end_problem_) throw Error(*end_problem_);
        if (end_) streams_.finish_with(end_->exit, end_->state);
        else streams_.finish_with(to_message(supervisor_lost(), job_.id()));
    }

    void refuse(const Error& error) {
        if (outbox_ != nullptr && listener_->on_refused) listener_->on_refused(job_.id(), error);
    }

    void take_one(const Ack& message, std::span<const std::byte>) {
        streams_.take(message);
        changed_.notify();
        forward(message);
    }

    void take_one(const Stop& message, std::span<const std::byte>) {
        streams_.take(message);
        changed_.notify();
        forward(message);
    }

    template <class Other>
    void take_one(const Other& message, std::span<const std::byte> body) {
        forward(message, body);
    }

    void forward(const Message& message, std::span<const std::byte> body = {}) {
        if (ended_) return;
        if (to_supervisor_.queued() + body.size() > most_queued)
            throw Error(ErrorCode::bad_offset, "more input than was allowed");
        to_supervisor_.push(message, as_text(body));
    }

    DurableJobs& durable_;
    JobDirectory job_;
    Claim claim_;
    asio::any_io_executor executor_;
    Outbox* outbox_; // the client's; nullptr once its connection has gone
    std::shared_ptr<JobListener> listener_;
    JobStreams streams_; // to the client
    Event changed_;      // there is more output, or room for it
    Event left_;
    std::optional<LocalChannel> channel_; // to the supervisor, if there was one
    Outbox to_supervisor_;
    std::optional<Sender> sender_; // for that
    Message answer_;
    std::optional<SpoolReader> spool_;
    std::array<std::uint64_t, 2> spooled_{}; // how much of each stream there is
    std::optional<JobEnd> end_;
    std::optional<Error> end_problem_;
    bool combined_ = false;
    bool not_started_ = false; // says the supervisor itself
    bool ended_ = false;       // the supervisor has ended
    bool releasing_ = false;
};

class ViewHandle : public JobHandle {
public:
    explicit ViewHandle(std::shared_ptr<View> view) : view_(std::move(view)) {}
    ~ViewHandle() override { view_->leave(); }
    ViewHandle(const ViewHandle&) = delete;
    ViewHandle& operator=(const ViewHandle&) = delete;

    void take(const JobMessage& message, std::span<const std::byte> body) override { view_->take(message, body); }
    void release() override { view_->release(); }

private:
    std::shared_ptr<View> view_;
};

} // namespace

std::unique_ptr<JobHandle> view_job(DurableJobs& durable, const JobDirectory& job, const std::variant<Exec, Attach>& claim,
    const asio::any_io_executor& executor, Outbox& outbox, const std::shared_ptr<JobListener>& listener) {
    const auto view = std::make_shared<View>(durable, job, claim, executor, outbox, listener);
    auto handle = std::make_unique<ViewHandle>(view);
    asio::co_spawn(executor, view->run(), asio::detached);
    return handle;
}

} // namespace rc
