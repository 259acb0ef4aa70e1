#include "client/copy.hpp"

#include "client/conduit.hpp"
#include "client/exit_status.hpp"
#include "client/failure.hpp"
#include "client/job_io.hpp"
#include "client/local_io.hpp"
#include "client/progress_bar.hpp"
#include "client/reporter.hpp"
#include "client/route.hpp"
#include "client/signals.hpp"
#include "common/bytes.hpp"
#include "common/copy/names.hpp"
#include "common/copy/receiver.hpp"
#include "common/copy/relay.hpp"
#include "common/copy/sender.hpp"
#include "common/error.hpp"

#include <boost/asio/post.hpp>

#include <unistd.h>

#include <atomic>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace rc {

namespace {

constexpr int some_not_copied = 1;
constexpr int not_known = 255;
constexpr auto ended_here = "ended_here";     // a failure that is not the far end's
constexpr std::size_t under_way = 512 * 1024; // between the loop and the thread

// What the thread that copies has in the place of a network.
class LoopTransport : public copy::Transport {
public:
    LoopTransport(std::shared_ptr<Conduit> in, std::shared_ptr<Conduit> out) : in_(std::move(in)), out_(std::move(out)) {}
    LoopTransport(const LoopTransport&) = delete;
    LoopTransport& operator=(const LoopTransport&) = delete;
    ~LoopTransport() override {
        in_->close();
        out_->close();
    }

    std::size_t read(std::span<std::byte> space) override { return in_->read_blocking(space); }
    void write(std::span<const std::byte> bytes) override {
        if (!out_->write_blocking(bytes)) throw copy::Broken("the other end of the copy takes no more");
    }
    void close() override { out_->close(); }

private:
    std::shared_ptr<Conduit> in_;
    std::shared_ptr<Conduit> out_;
};

Failure ended_here_failure() { return {ended_here, "the copy has ended here", Ran::yes}; }

std::vector<std::string> names_of(const std::vector<std::string>& sources) {
    std::vector<std::string> names;
    names.reserve(sources.size());
    for (const std::string& source : sources) names.push_back(copy::entry_name(source));
    return names;
}

std::string flags_of(const CopyOptions& options) {
    std::string flags = "-";
    if (options.recursive) flags += 'r';
    if (options.preserve) flags += 'p';
    if (options.into_folder) flags += 'd';
    return flags;
}

std::vector<std::string> send_words(const CopyOptions& options, const CopyStep& step) {
    std::vector<std::string> words{std::string(copy::send_subsystem), flags_of(options)};
    for (const std::string& source : step.sources) words.push_back(source.empty() ? "." : source);
    return words;
}

std::vector<std::string> receive_words(const CopyOptions& options, const CopyStep& step) {
    std::vector<std::string> words{std::string(copy::receive_subsystem), flags_of(options), step.target};
    for (std::string& name : names_of(step.sources)) words.push_back(std::move(name));
    return words;
}

// A job at one far end, and what goes between it and the thread that copies.
class FarEnd {
public:
    FarEnd(const asio::any_io_executor& executor, const ClientOptions& options, std::vector<std::string> words)
        : executor_(executor), stopped_(std::make_shared<Event>(executor)), options_(options), reporter_(options),
          route_(options), to_job_(std::make_shared<Conduit>(executor, under_way)),
          from_job_(std::make_shared<Conduit>(executor, under_way)) {
        request_.mode = ExecMode::subsystem;
        request_.words = std::move(words);
        request_.input = true;
        request_.keep = options.keep;
    }

    // For the thread that copies; call it once.
    std::shared_ptr<copy::Channel> channel() {
        return std::make_shared<copy::Channel>(std::make_unique<LoopTransport>(from_job_, to_job_));
    }

    // Connects and runs the job to its end. Then the channel is closed.
    asio::awaitable<void> run() {
        try {
            co_await run_job();
        } catch (const Failure& failure) {
            failure_ = failure;
        }
        to_job_->close();
        from_job_->close();
    }

    // The thread that copies has given up: the job is ended, whatever it says. Any thread may call it.
    void stop() {
        asio::post(executor_, [stopped = stopped_] { stopped->notify(); });
    }

    // Why the copy is not complete, as far as this end knows; said on stderr. Returns the exit status for it, or nothing.
    [[nodiscard]] std::optional<int> explain() const {
        if (failure_ && failure_->code() != ended_here) return reporter_.unanswered(*failure_);
        if (failure_ || !job_->exit) return std::nullopt;
        const int status = exit_status(*job_->exit);
        if (status == 0) return std::nullopt;
        print_error(escape(options_.target.host) + ": the copy was ended before it was complete");
        return status > signalled ? status : not_known;
    }

private:
    asio::awaitable<void> run_job() {
        const std::unique_ptr<Link> link = co_await route_.open(reporter_);
        job_ = std::make_shared<RemoteJob>(co_await asio::this_coro::executor, request_);
        co_await join(link->run(), run_to_end(*link));
        failure_ = job_->failure;
    }

    asio::awaitable<void> run_to_end(Link& link) {
        Signals signals(executor_, link); // before the job can run
        link.jobs().start(job_);
        constexpr std::size_t stopped = 2;
        const std::size_t first = co_await race(move_bytes(), signals.forward(*job_, reporter_), stopped_->wait());
        if (first == stopped && !job_->over()) job_->fail_here(ended_here_failure());
        if (job_->exit) {
            link.jobs().release(*job_);
            link.close();
        } else {
            link.abandon();
        }
    }

    asio::awaitable<void> move_bytes() {
        const auto executor = co_await asio::this_coro::executor;
        Output error(executor, STDERR_FILENO);
        Sink to_copy = [this](std::span<const std::byte> bytes) { return hand_over(bytes); };
        Sink to_err = write_to(error, "stderr");
        co_await race(deliver(*job_, std::move(to_copy), std::move(to_err)), feed(*job_, *to_job_));
    }

    asio::awaitable<void> hand_over(std::span<const std::byte> bytes) {
        const bool taken = co_await from_job_->write(bytes);
        if (!taken) throw ended_here_failure();
    }

    asio::any_io_executor executor_;
    std::shared_ptr<Event> stopped_; // lives as long as announcements of it are under way
    const ClientOptions& options_;
    Reporter reporter_;
    Route route_;
    JobRequest request_;
    std::shared_ptr<Conduit> to_job_;
    std::shared_ptr<Conduit> from_job_;
    std::shared_ptr<RemoteJob> job_;
    std::optional<Failure> failure_;
};

// The thread that copies.
class Copier {
public:
    // `on_problem` is called by the thread.
    Copier(std::function<void()> work, std::function<void()> on_problem)
        : thread_([this, work = std::move(work), on_problem = std::move(on_problem)] {
              try {
                  work();
              } catch (...) {
                  problem_ = std::current_exception();
                  on_problem();
              }
          }) {}
    Copier(const Copier&) = delete;
    Copier& operator=(const Copier&) = delete;
    ~Copier() { wait(); }

    // Until it has ended.
    void wait() {
        if (thread_.joinable()) thread_.join();
    }
    // What ended it early.
    [[nodiscard]] std::exception_ptr problem() const { return problem_; }

private:
    std::exception_ptr problem_;
    std::thread thread_; // last: it uses the other one
};

// One step: its far ends, one or two, and what is seen of it here.
class Copy {
public:
    Copy(const asio::any_io_executor& executor, const CopyOptions& options, const CopyStep& step)
        : options_(options), step_(step), bar_(progress_, !options.quiet && ::isatty(STDERR_FILENO) == 1) {
        if (step.from) from_.emplace(executor, *step.from, send_words(options, step));
        if (step.to) to_.emplace(executor, *step.to, receive_words(options, step));
    }

    asio::awaitable<int> run() {
        Copier copier(work(), [this] { stop(); });
        co_await race(run_ends(), bar_.draw());
        copier.wait();
        bar_.finish();
        co_return status(copier.problem());
    }

private:
    // What the thread does.
    std::function<void()> work() {
        const auto from = from_ ? from_->channel() : nullptr;
        const auto to = to_ ? to_->channel() : nullptr;
        if (from && to) return [this, from, to] { copy::relay(*from, *to, progress_, complain_); };
        if (to) return [this, to] { copy::send(*to, {step_.sources, options_.recursive, false}, progress_, complain_); };
        return [this, from, mask = copy::umask_of_process()] {
            copy::ReceiveOptions receive{
                step_.target, options_.into_folder, options_.recursive, {options_.preserve, mask}, names_of(step_.sources)};
            copy::Receiver(*from, std::move(receive), progress_, complain_).receive();
        };
    }

    asio::awaitable<void> run_ends() {
        if (from_ && to_) co_await join(from_->run(), to_->run());
        else co_await (from_ ? *from_ : *to_).run();
    }

    void stop() {
        if (from_) from_->stop();
        if (to_) to_->stop();
    }

    int status(const std::exception_ptr& problem) const {
        if (!problem) return problems_ > 0 ? some_not_copied : 0;
        try {
            std::rethrow_exception(problem);
        } catch (const Error& error) {
            print_error(escape(error.what()));
        } catch (const copy::Broken& broken) {
            const auto explained = explain();
            if (explained) return *explained;
            print_error(escape(broken.what()));
        }
        return not_known;
    }

    [[nodiscard]] std::optional<int> explain() const {
        const auto explained = from_ ? from_->explain() : std::nullopt;
        return explained || !to_ ? explained : to_->explain();
    }

    const CopyOptions& options_;
    const CopyStep& step_;
    copy::Progress progress_;
    ProgressBar bar_;
    std::atomic<std::size_t> problems_ = 0;
    copy::Complain complain_ = [this](const std::string& line) {
        ++problems_;
        bar_.say(escape(line));
    };
    std::optional<FarEnd> from_;
    std::optional<FarEnd> to_;
};

} // namespace

asio::awaitable<int> copy_files(const CopyOptions& options, const CopyStep& step) {
    const auto executor = co_await asio::this_coro::executor;
    const auto copy = std::make_unique<Copy>(executor, options, step);
    co_return co_await copy->run();
}

} // namespace rc
