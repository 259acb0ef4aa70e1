#include "server/job_client.hpp"

#include "common/bytes.hpp"
#include "common/sender.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>

#include <exception>
#include <utility>
#include <variant>

namespace rc {

namespace asio = boost::asio;

namespace {

// A client that has nothing to send does not wait to hear that the command runs: most end so soon that the end is said with it.
void say(Outbox& outbox, const Message& answer) {
    const auto* started = std::get_if<Started>(&answer);
    if (started != nullptr && started->limits.stdin_ == 0) outbox.push_soon(answer);
    else outbox.push(answer);
}

// Behind what the job is doing.
void tell_of_end(const asio::any_io_executor& there, const std::shared_ptr<JobListener>& listener, const Exit& exit,
    Predecessor::State state) {
    const Predecessor end{state, exit.reason == ExitReason::exited && exit.code == 0U};
    asio::post(there, [listener, id = exit.job, end] {
        if (listener->on_ended) listener->on_ended(id, end);
    });
}

class NearHandle : public JobHandle, public JobClient {
public:
    NearHandle(asio::any_io_executor here, const std::shared_ptr<Job>& job, const JobClaim& claim, Outbox& outbox,
        std::shared_ptr<JobListener> listener)
        : here_(std::move(here)), job_(job), outbox_(outbox), listener_(std::move(listener)) {
        say(outbox_, job_->attach(*this, claim));
        outbox_.add(job_->streams());
    }
    ~NearHandle() override {
        if (!job_) return;
        outbox_.remove(job_->streams());
        job_->detach(*this);
    }
    NearHandle(const NearHandle&) = delete;
    NearHandle& operator=(const NearHandle&) = delete;

    void take(const JobMessage& message, std::span<const std::byte> body) override {
        if (job_) job_->take(message, body);
    }
    void release() override {
        if (!job_) return;
        outbox_.remove(job_->streams());
        std::exchange(job_, nullptr)->release();
    }
    void replaced(bool stale) override {
        outbox_.remove(job_->streams());
        const std::string id = std::exchange(job_, nullptr)->facts().id;
        listener_->on_replaced(id, stale);
    }
    void ended(const Exit& exit) override {
        const bool silent = exit.stdout_ == 0 && exit.stderr_ == 0;
        tell_of_end(here_, listener_, exit, silent ? Predecessor::State::taken : Predecessor::State::ended);
    }

private:
    asio::any_io_executor here_;
    std::shared_ptr<Job> job_;
    Outbox& outbox_;
    std::shared_ptr<JobListener> listener_;
};

// On the job's thread: what stands there for a connection on another one. Kept by its own coroutine.
class Relay : public JobClient, public FrameSink, public std::enable_shared_from_this<Relay> {
public:
    Relay(const asio::any_io_executor& here, asio::any_io_executor there, std::shared_ptr<JobListener> listener, std::string id)
        : sender_(*this, outbox_, here), credit_(here), closed_(here), there_(std::move(there)), listener_(std::move(listener)),
          id_(std::move(id)) {}

    void open(const GetJob& get, const JobClaim& claim) {
        try {
            const std::shared_ptr<Job> job = get();
            const Message answer = job->attach(*this, claim);
            job_ = job;
            say(outbox_, answer);
            outbox_.add(job_->streams());
        } catch (const Error& error) {
            refuse(error);
        } catch (const std::exception& error) {
            refuse(Error(ErrorCode::internal, error.what()));
        }
    }

    asio::awaitable<void> run() {
        const auto self = shared_from_this();
        while (job_) co_await race(sender_.run(), closed_.wait());
    }

    void take(const JobMessage& message, std::span<const std::byte> body) {
        try {
            if (job_) job_->take(message, body);
        } catch (const Error& error) {
            refuse(error);
        }
    }

    void release() {
        if (const auto job = let_go()) job->release();
    }

    void detach() {
        if (const auto job = let_go()) job->detach(*this);
    }

    void replaced(bool stale) override {
        let_go();
        asio::post(there_, [listener = listener_, id = id_, stale] {
            if (listener->on_replaced) listener->on_replaced(id, stale);
        });
    }

    // It may be heard before the job has given up its place.
    void ended(const Exit& exit) override { tell_of_end(there_, listener_, exit, Predecessor::State::ended); }

    void put(std::string_view bytes) override { to_send_ += bytes; }

    asio::awaitable<void> flush() override {
        while (under_way_ >= most_under_way) co_await credit_.wait();
        ++under_way_;
        const auto executor = co_await asio::this_coro::executor;
        asio::post(there_, [listener = listener_, bytes = std::exchange(to_send_, {}), executor, self = weak_from_this()] {
            const auto taken = [executor, self] {
                asio::post(executor, [self] {
                    if (const auto relay = self.lock()) relay->has_taken();
                });
            };
            if (listener->on_frames) listener->on_frames(bytes, taken);
        });
    }

private:
    static constexpr int most_under_way = 4;

    void has_taken() {
        --under_way_;
        credit_.notify();
    }

    std::shared_ptr<Job> let_go() {
        if (job_) outbox_.remove(job_->streams());
        sender_.finish(); // ends run() unless that waits for credit, which may never come
        closed_.notify();
        return std::exchange(job_, nullptr);
    }

    void refuse(const Error& error) {
        asio::post(there_, [listener = listener_, id = id_, code = error.code(), text = std::string(error.what())] {
            if (listener->on_refused) listener->on_refused(id, Error(code, text));
        });
    }

    Outbox outbox_;
    Sender sender_;
    std::string to_send_;
    Event credit_;
    Event closed_;
    asio::any_io_executor there_;
    std::shared_ptr<JobListener> listener_;
    std::string id_;
    std::shared_ptr<Job> job_;
    int under_way_ = 0;
};

// On the connection's thread. The relay is reached through a place that only the job's thread looks into.
class DistantHandle : public JobHandle {
public:
    DistantHandle(const asio::any_io_executor& there, const GetJob& get, const JobClaim& claim,
        const asio::any_io_executor& executor, const std::shared_ptr<JobListener>& listener, const std::atomic<bool>& ended)
        : there_(there), ended_(ended) {
        asio::post(there_, [relay = relay_, there, get, claim, executor, listener] {
            const auto made = std::make_shared<Relay>(there, executor, listener, claim.attach.job);
            *relay = made;
            made->open(get, claim);
            asio::co_spawn(there, made->run(), asio::detached);
        });
    }
    ~DistantHandle() override {
        try {
            if (!ended_) tell([](Relay& relay) { relay.detach(); });
        } catch (...) { // no memory for the message: the job stays attached until another connection takes it
        }
    }
    DistantHandle(const DistantHandle&) = delete;
    DistantHandle& operator=(const DistantHandle&) = delete;

    void take(const JobMessage& message, std::span<const std::byte> body) override {
        tell([message, bytes = std::string(as_text(body))](Relay& relay) { relay.take(message, as_bytes(bytes)); });
    }
    void release() override {
        tell([](Relay& relay) { relay.release(); });
    }

private:
    template <class Action>
    void tell(Action action) {
        asio::post(there_, [relay = relay_, action = std::move(action)] {
            if (const auto found = relay->lock()) action(*found);
        });
    }

    asio::any_io_executor there_;
    const std::atomic<bool>& ended_;
    std::shared_ptr<std::weak_ptr<Relay>> relay_ = std::make_shared<std::weak_ptr<Relay>>();
};

} // namespace

std::unique_ptr<JobHandle> hold_job(const asio::any_io_executor& here, const std::shared_ptr<Job>& job, const JobClaim& claim,
    Outbox& outbox, const std::shared_ptr<JobListener>& listener) {
    return std::make_unique<NearHandle>(here, job, claim, outbox, listener);
}

std::unique_ptr<JobHandle> hold_distant_job(const asio::any_io_executor& there, const GetJob& get, const JobClaim& claim,
    const asio::any_io_executor& executor, const std::shared_ptr<JobListener>& listener, const std::atomic<bool>& ended) {
    return std::make_unique<DistantHandle>(there, get, claim, executor, listener, ended);
}

} // namespace rc
