// Many sessions from one process, made as the client makes its own.
//
//     bench_sessions COUNT [the words that a client would get, without a command]
//
// Prints `ready` when all are there. For each line on stdin, a number N, runs `true` once in each session, N of them at a time, and prints
// how many succeeded and how many seconds it took. Ends with stdin.
#include "client/job_io.hpp"
#include "client/lines.hpp"
#include "client/local_io.hpp"
#include "client/options.hpp"
#include "client/reporter.hpp"
#include "client/route.hpp"
#include "common/async.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace {

using namespace rc;

class Sessions {
public:
    Sessions(const ClientOptions& options, const asio::any_io_executor& executor)
        : reporter_(options), route_(options), executor_(executor), changed_(executor) {}

    asio::awaitable<void> open(std::size_t count) {
        while (links_.size() < count) {
            links_.push_back(co_await route_.open(reporter_));
            Link& link = *links_.back();
            bool welcome = false;
            link.on_welcome = [this, &welcome] {
                welcome = true;
                changed_.notify();
            };
            asio::co_spawn(executor_, link.run(), asio::detached);
            while (!welcome) co_await changed_.wait();
            link.on_welcome = [] {};
        }
    }

    // How many commands succeeded.
    asio::awaitable<std::size_t> run_in_each(std::size_t at_once) {
        std::size_t succeeded = 0;
        std::size_t running = 0;
        for (const auto& link : links_) {
            while (running == at_once) co_await changed_.wait();
            ++running;
            asio::co_spawn(executor_, run(*link), [&](const std::exception_ptr& problem, bool success) {
                --running;
                if (!problem && success) ++succeeded;
                changed_.notify();
            });
        }
        while (running > 0) co_await changed_.wait();
        co_return succeeded;
    }

private:
    asio::awaitable<bool> run(Link& link) {
        JobRequest request;
        request.words = {"true"};
        const auto job = std::make_shared<RemoteJob>(executor_, std::move(request));
        std::string out;
        std::string err;
        link.jobs().start(job);
        co_await deliver(*job, collect_in(out), collect_in(err));
        link.jobs().release(*job);
        co_return job->exit && job->exit->code == 0;
    }

    Reporter reporter_;
    Route route_;
    asio::any_io_executor executor_;
    Event changed_;
    std::vector<std::unique_ptr<Link>> links_;
};

asio::awaitable<void> serve(Sessions& sessions, std::size_t count, Input& input) {
    co_await sessions.open(count);
    std::puts("ready");
    std::fflush(stdout);
    Lines lines(input, 100);
    while (const std::optional<std::string> line = co_await lines.next()) {
        const auto start = Clock::now();
        const std::size_t succeeded = co_await sessions.run_in_each(std::stoul(*line));
        const std::chrono::duration<double> took = Clock::now() - start;
        std::printf("%zu %.6f\n", succeeded, took.count());
        std::fflush(stdout);
    }
}

} // namespace

int main(int argc, char** argv) {
    if (argc < 3) {
        std::fputs("usage: bench_sessions COUNT [options] HOST\n", stderr);
        return 2;
    }
    ClientOptions options;
    if (const auto status = parse_options({argv + 2, argv + argc}, options)) return *status;
    try {
        asio::io_context context(1);
        Sessions sessions(options, context.get_executor());
        Input input(context.get_executor(), STDIN_FILENO);
        asio::co_spawn(
            context, serve(sessions, std::strtoul(argv[1], nullptr, 10), input), [](const std::exception_ptr& problem) {
                if (problem) std::rethrow_exception(problem);
                std::_Exit(0); // the sessions end as those of a client that is killed
            });
        context.run();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "bench_sessions: %s\n", error.what());
        return 1;
    }
}
