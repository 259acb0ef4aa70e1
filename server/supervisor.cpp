#include "server/supervisor.hpp"

#include "common/async.hpp"
#include "common/codec.hpp"
#include "common/described_json.hpp"
#include "common/error.hpp"
#include "common/local_channel.hpp"
#include "common/outbox.hpp"
#include "common/sender.hpp"
#include "server/claimants.hpp"
#include "server/ending_signals.hpp"
#include "server/error_message.hpp"
#include "server/log.hpp"
#include "server/options.hpp"
#include "server/output_recorder.hpp"
#include "server/outputs.hpp"
#include "server/permission.hpp"
#include "server/spool.hpp"
#include "server/start_job.hpp"

#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <exception>
#include <optional>
#include <set>
#include <variant>
#include <vector>

namespace rc {

namespace {

constexpr std::chrono::seconds retry_pause{1};     // while the disk is full
constexpr std::chrono::seconds first_patience{10}; // for the client that asked for the job

// A connection of the daemon's.
struct Viewer {
    Viewer(asio::local::stream_protocol::socket socket, const asio::any_io_executor& executor)
        : channel(std::move(socket), Peer::server), sender(channel, outbox, executor), grown(executor) {}

    LocalChannel channel;
    Outbox outbox;
    Sender sender;
    Event grown;                              // there is more output
    bool attached = false;                    // it shows the job to a client
    bool owns = false;                        // that is the one that started the job
    std::string client;                       // names it
    std::array<std::uint64_t, 2> acked{};     // written by that client
    std::array<std::uint64_t, 2> announced{}; // of the spool
};

using ViewerPtr = std::shared_ptr<Viewer>;

class Supervisor : public JobClient {
public:
    Supervisor(const SupervisorOptions& options, const JobDirectory& directory, asio::io_context& context, int listener)
        : options_(options), directory_(directory), record_(directory.record()), executor_(context.get_executor()),
          acceptor_(context, asio::local::stream_protocol(), listener), signals_(executor_), control_(executor_) {}

    asio::awaitable<void> run() {
        if (start()) co_await race(see_to_end(), accept(), pass_controls(), end_on_signal(), wait_for_first_client());
        else co_await with_deadline(accept(), farewell); // so that who asked hears why
        forget_unless_started();
        acceptor_.close();
        for (const ViewerPtr& viewer : viewers_) viewer->channel.close();
    }

    void replaced(bool) override {}     // only this object ever attaches to the job
    void ended(const Exit&) override {} // its streams say so

private:
    // What keeps the job from being started is said to whoever asks.
    bool start() {
        try {
            if (!directory_.begin()) {
                failure_.emplace(ErrorCode::internal, "the job is being started already");
                return false;
            }
            spool_.emplace(directory_.path(), spool_limits());
            Exec exec = record_.exec;
            exec.limits = {limits::window, limits::window};
            const ExecRequest asked = read_exec_request(exec, std::as_bytes(std::span(record_.body)));
            const Grant granted = grant(record_.restrictions, exec, asked);
            JobStart start{granted.exec, granted.request, account(), record_.key_id, record_.address, exec.boot,
                options_.max_keep, open_files(), true};
            job_ = start_job(executor_, start);
            record_output();
            hold();
            return true;
        } catch (const Error& error) {
            failure_ = error;
            not_started_ = error.code() != ErrorCode::outcome_unknown;
            return false;
        }
    }

    // What was certainly not started leaves nothing behind, as soon as whoever asked for it has heard why.
    void forget_unless_started() {
        if (std::exchange(not_started_, false)) directory_.remove();
    }

    [[nodiscard]] Account account() const { return ::geteuid() == 0 ? find_account(record_.user) : own_account(); }

    [[nodiscard]] rlimit open_files() const {
        rlimit limit{};
        ::getrlimit(RLIMIT_NOFILE, &limit);
        limit.rlim_cur = std::min(options_.open_files, limit.rlim_max);
        return limit;
    }

    [[nodiscard]] SpoolLimits spool_limits() const {
        const auto jobs = directory_.path().parent_path().parent_path();
        return {options_.max_spool, options_.max_state, [jobs] { return spooled_bytes(jobs); }, jobs / "turns"};
    }

    // What the job leaves on the disk

    asio::awaitable<void> see_to_end() {
        co_await join(job_->run(), recorder_->run());
        const std::string frame = *job_->streams().closing();
        for (;;) {
            int problem = spool_->sync();
            if (problem == 0) problem = directory_.write_end(frame);
            if (problem == 0) co_return;
            // Anything else may have lost what was written before, and is forgotten by the next fsync: the end stays unknown.
            const bool may_pass = problem == ENOSPC || problem == EDQUOT;
            log_warning(may_pass ? "job_full" : "job_lost",
                {{"job", record_.exec.job}, {"key", record_.key_id}, {"problem", std::strerror(problem)}});
            if (!may_pass) co_return;
            co_await sleep_for(retry_pause);
        }
    }

    void record_output() {
        recorder_.emplace(executor_, *job_, *spool_);
        recorder_->on_grown = [this] {
            for (const ViewerPtr& viewer : viewers_) viewer->grown.notify();
        };
        recorder_->wanted_from = [this](StreamName name) { return acknowledged(name); };
        job_->streams().on_ready = [this] {
            recorder_->output_ready();
            control_.notify();
        };
    }

    // What is not wanted any more: some client has it, and so have all that are there.
    [[nodiscard]] std::uint64_t acknowledged(StreamName name) const {
        std::uint64_t least = most_acked_[output_index(name)];
        for (const ViewerPtr& viewer : viewers_) {
            if (viewer->attached) least = std::min(least, viewer->acked[output_index(name)]);
        }
        return least;
    }

    // Acknowledgements of stdin, to whoever feeds it. With nobody there they are said again when there is.
    asio::awaitable<void> pass_controls() {
        JobStreams& streams = job_->streams();
        for (;;) {
            say_controls(false);
            if (!streams.ack_owed()) {
                co_await control_.wait();
                continue;
            }
            const auto deadline = Clock::now() + limits::ack_delay;
            while (streams.ack_owed() && co_await control_.wait_until(deadline)) say_controls(false);
            say_controls(true);
        }
    }

    void say_controls(bool flush) {
        while (const auto outgoing = job_->streams().next_control(flush)) {
            if (feeder_) feeder_->outbox.push_frames(outgoing->frame);
        }
    }

    asio::awaitable<void> end_on_signal() {
        co_await signals_.next();
        job_->end(ExitReason::shutdown);
        co_await wait_forever();
    }

    // Whether the job lingers

    asio::awaitable<void> wait_for_first_client() {
        co_await sleep_for(first_patience);
        let_go_unless_attached();
        co_await wait_forever();
    }

    // The streams go on where they are.
    void hold(const std::optional<WindowSize>& size = std::nullopt) {
        const auto sent = [&](StreamName name) {
            const SendStream* stream = job_->streams().sender(name);
            return stream != nullptr ? std::optional(stream->sent()) : std::nullopt;
        };
        JobClaim claim;
        claim.attach.generation = ++holds_;
        claim.attach.stdout_ = sent(StreamName::stdout_);
        claim.attach.stderr_ = sent(StreamName::stderr_);
        claim.attach.pty = size;
        job_->attach(*this, claim);
    }

    [[nodiscard]] bool is_attached() const {
        return std::ranges::any_of(viewers_, [](const ViewerPtr& viewer) { return viewer->attached; });
    }

    void let_go_unless_attached() {
        if (!record_.exec.detach && !is_attached()) job_->detach(*this);
    }

    // Viewers

    asio::awaitable<void> accept() {
        for (;;) {
            auto [error, socket] = co_await acceptor_.async_accept(no_throw);
            if (error) co_await sleep_for(retry_pause); // no descriptor is left, perhaps
            else asio::co_spawn(executor_, serve(std::make_shared<Viewer>(std::move(socket), executor_)), asio::detached);
        }
    }

    asio::awaitable<void> serve(ViewerPtr viewer) {
        viewers_.insert(viewer);
        try {
            co_await race(read(*viewer), viewer->sender.run(), announce(*viewer));
        } catch (const std::exception&) { // it is gone
        }
        viewers_.erase(viewer);
        if (feeder_ == viewer) feeder_.reset();
        if (!job_) co_return;
        if (std::exchange(viewer->attached, false)) let_go_unless_attached();
        recorder_->room_made();
    }

    asio::awaitable<void> read(Viewer& viewer) {
        try {
            for (;;) {
                const Incoming incoming = co_await viewer.channel.receive();
                handle(viewer, incoming.message, incoming.body);
                co_await viewer.sender.room();
            }
        } catch (const Error& error) {
            refuse(viewer, error);
        }
        co_await sleep_for(farewell);
    }

    void refuse(Viewer& viewer, const Error& error) {
        viewer.outbox.push(to_message(error, record_.exec.job));
        viewer.sender.finish();
    }

    // Says only how far it is now, however often it has grown.
    asio::awaitable<void> announce(Viewer& viewer) {
        for (;;) {
            co_await viewer.grown.wait();
            for (const StreamName name : outputs) {
                std::uint64_t& announced = viewer.announced[output_index(name)];
                if (!viewer.attached || announced == spool_->end(name)) continue;
                announced = spool_->end(name);
                viewer.outbox.push(Ack{record_.exec.job, name, announced, announced});
            }
            co_await viewer.sender.room();
        }
    }

    void handle(Viewer& viewer, const Message& message, std::span<const std::byte> body) {
        if (failure_) {
            if (std::holds_alternative<Exec>(message)) forget_unless_started();
            throw Error(*failure_);
        }
        if (const auto* exec = std::get_if<Exec>(&message)) attach(viewer, *exec);
        else if (const auto* watch = std::get_if<Attach>(&message)) attach(viewer, *watch);
        else if (const auto* data = std::get_if<Data>(&message)) feed(viewer, *data, body);
        else if (const auto* eof = std::get_if<Eof>(&message)) feed(viewer, *eof, body);
        else if (const auto* ack = std::get_if<Ack>(&message)) take(viewer, *ack);
        else if (const auto* stop = std::get_if<Stop>(&message)) take(viewer, *stop);
        else if (const auto* signal = std::get_if<Signal>(&message)) take(viewer, *signal);
        else if (const auto* resize = std::get_if<Resize>(&message)) job_->take(*resize, {});
        else if (const auto* keep = std::get_if<Keep>(&message)) take(viewer, *keep);
        else if (std::holds_alternative<Release>(message)) release(viewer);
        else if (const auto* kill = std::get_if<Kill>(&message)) take(viewer, *kill);
        else if (std::holds_alternative<Jobs>(message)) list(viewer);
    }

    // The client that started the job, or another one that asks for the same.
    void attach(Viewer& viewer, const Exec& exec) {
        const bool owns = exec.client == record_.exec.client;
        if (!owns && !input_complete()) {
            throw Error(
                ErrorCode::conflict, "the job still takes the input of the client that started it; try again, or attach to it");
        }
        attach(viewer, exec.client, exec.generation, std::nullopt);
        Started started;
        started.job = record_.exec.job;
        started.pid = static_cast<std::uint64_t>(job_->pid());
        started.limits = input_limits(viewer);
        viewer.outbox.push(started);
    }

    void attach(Viewer& viewer, const Attach& message) {
        attach(viewer, message.client, message.generation, message.pty);
        const auto begins = [&](StreamName name, const std::optional<std::uint64_t>& offset) {
            return message.tail ? spool_->end(name) : offset.value_or(spool_->from(name));
        };
        viewer.acked = {begins(StreamName::stdout_, message.stdout_), begins(StreamName::stderr_, message.stderr_)};
        Attached attached;
        attached.job = record_.exec.job;
        attached.state = JobState::running;
        attached.durable = true;
        attached.limits = input_limits(viewer);
        const RecvStream* input = job_->streams().receiver(StreamName::stdin_);
        if (viewer.owns && input != nullptr) attached.stdin_ = input->received();
        const Claimant* known = claimants_.find(viewer.client); // only who sends signals takes a place there
        attached.signals = known != nullptr ? known->signals : 0;
        viewer.outbox.push(attached);
    }

    void attach(Viewer& viewer, const std::string& client, std::uint64_t generation, const std::optional<WindowSize>& size) {
        const bool owns = client == record_.exec.client;
        if (owns) {
            if (generation <= generation_) throw Error(ErrorCode::conflict, "a later connection of this client has the job");
            generation_ = generation;
            if (feeder_) {
                feeder_->owns = false;
                refuse(*feeder_, Error(ErrorCode::conflict, "a later connection of this client has the job"));
            }
            const auto self = std::ranges::find_if(viewers_, [&](const ViewerPtr& other) { return other.get() == &viewer; });
            feeder_ = *self;
        }
        viewer.owns = owns;
        viewer.attached = true;
        viewer.client = client;
        hold(size);
        control_.notify();
        viewer.grown.notify();
    }

    [[nodiscard]] bool input_complete() const {
        const RecvStream* input = job_->streams().receiver(StreamName::stdin_);
        return input == nullptr || input->ended() || input->stopped();
    }

    [[nodiscard]] InputLimits input_limits(const Viewer& viewer) const {
        const RecvStream* input = job_->streams().receiver(StreamName::stdin_);
        return {viewer.owns && input != nullptr ? input->limit() : 0};
    }

    template <class Input>
    void feed(Viewer& viewer, const Input& message, std::span<const std::byte> body) {
        if (&viewer != feeder_.get()) throw Error(ErrorCode::bad_offset, "input for a job that another client feeds");
        job_->take(message, body);
    }

    void take(Viewer& viewer, const Ack& message) {
        if (message.stream == StreamName::stdin_) throw Error(ErrorCode::bad_offset, "acknowledgement for stdin");
        if (message.offset > spool_->end(message.stream)) throw Error(ErrorCode::bad_offset, "acknowledgement beyond the end");
        const std::size_t at = output_index(message.stream);
        viewer.acked[at] = message.offset;
        most_acked_[at] = std::max(most_acked_[at], message.offset);
        recorder_->room_made();
    }

    // It needs nothing of that stream any more.
    void take(Viewer& viewer, const Stop& message) {
        if (message.stream != StreamName::stdin_) viewer.acked[output_index(message.stream)] = ~std::uint64_t{0};
        recorder_->room_made();
    }

    void take(Viewer& viewer, const Signal& message) {
        std::uint64_t& taken = claimants_.call(viewer.client).signals;
        if (message.number <= taken) return;
        signal(message.name);
        taken = message.number;
    }

    void take(Viewer& viewer, const Keep& message) {
        if (viewer.owns) job_->take(message, {});
    }

    void take(Viewer& viewer, const Kill& message) {
        if (job_->finished()) throw Error(ErrorCode::no_such_job, "the job has ended");
        signal(message.name);
        viewer.outbox.push(Killed{record_.exec.job});
    }

    void signal(const std::string& name) {
        Signal message;
        message.job = record_.exec.job;
        message.number = ++signals_sent_;
        message.name = name;
        job_->take(message, {});
        recorder_->expect_end();
    }

    // Whoever started a job that needs a client ends it by that; anybody else only leaves.
    void release(Viewer& viewer) {
        if (viewer.owns && !record_.exec.detach) job_->end(ExitReason::abandoned);
        viewer.sender.finish();
    }

    void list(Viewer& viewer) {
        Listed listed;
        listed.job = record_.exec.job;
        listed.durable = true;
        listed.state = recorder_->full()     ? Standing::full
                       : is_attached()       ? Standing::attached
                       : record_.exec.detach ? Standing::detached
                                             : Standing::lingering;
        listed.stdout_ = spool_->end(StreamName::stdout_);
        listed.stderr_ = spool_->end(StreamName::stderr_);
        viewer.outbox.push(listed);
    }

    SupervisorOptions options_;
    JobDirectory directory_;
    JobRecord record_;
    asio::any_io_executor executor_;
    asio::local::stream_protocol::acceptor acceptor_;
    EndingSignals signals_;
    std::optional<Error> failure_; // why the job was not started
    bool not_started_ = false;
    std::shared_ptr<Job> job_;
    std::optional<SpoolWriter> spool_;
    std::optional<OutputRecorder> recorder_; // as long as there is a job
    Event control_;                          // the job has said something: for pass_controls()
    std::set<ViewerPtr> viewers_;
    ViewerPtr feeder_;             // the latest connection of the client that started the job
    std::uint64_t generation_ = 0; // of that
    Claimants claimants_;
    std::uint64_t signals_sent_ = 0; // to the job
    std::uint64_t holds_ = 0;
    std::array<std::uint64_t, 2> most_acked_{}; // by any client
};

} // namespace

void supervise_job(const SupervisorOptions& options, const JobDirectory& directory, int listener) {
    asio::io_context context(1);
    Supervisor supervisor(options, directory, context, listener);
    asio::co_spawn(context, supervisor.run(), [](const std::exception_ptr& thrown) {
        if (thrown) std::rethrow_exception(thrown);
    });
    context.run();
}

} // namespace rc
