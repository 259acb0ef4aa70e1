#include "client/attach.hpp"
#include "client/batch.hpp"
#include "client/command.hpp"
#include "client/copy.hpp"
#include "client/failure.hpp"
#include "client/keygen.hpp"
#include "client/local_io.hpp"
#include "client/login_only.hpp"
#include "client/options.hpp"
#include "client/prompt.hpp"
#include "client/queries.hpp"
#include "client/reporter.hpp"
#include "client/route.hpp"
#include "client/show_settings.hpp"
#include "common/bytes.hpp"

#include <boost/asio/io_context.hpp>

#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace rc {

namespace {

bool wants_prompt(const ClientOptions& options) {
    return options.command.empty() && !options.no_stdin && options.terminal != WantTerminal::never &&
           ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1;
}

asio::awaitable<int> run_jobs(const ClientOptions& options, const Reporter& reporter, Link& link) {
    if (options.no_command) co_return co_await run_nothing(reporter, link);
    if (options.detach) co_return co_await run_detached(options, reporter, link);
    if (options.batch) co_return co_await run_batch(options, reporter, link);
    if (wants_prompt(options)) co_return co_await run_prompt(options, reporter, link);
    co_return co_await run_command(options, reporter, link);
}

// Runs `work` to its end. Throws what it throws.
int complete(asio::awaitable<int> work) {
    asio::io_context context(1);
    int status = 255;
    std::exception_ptr problem;
    asio::co_spawn(context, std::move(work), [&](const std::exception_ptr& thrown, int result) {
        problem = thrown;
        status = thrown ? status : result;
    });
    context.run();
    if (problem) std::rethrow_exception(problem);
    return status;
}

asio::awaitable<int> run(Verb verb, const ClientOptions& options, const Reporter& reporter) {
    const Route route(options);
    if (verb == Verb::jobs || verb == Verb::kill) {
        if (verb == Verb::jobs) co_await list_jobs(options, reporter, route.dial());
        else co_await kill_job(options, route.dial());
        co_return 0;
    }
    const std::unique_ptr<Link> link = co_await route.open(reporter);
    if (verb == Verb::attach) co_return co_await run_attach(options, reporter, *link);
    co_return co_await run_jobs(options, reporter, *link);
}

int run_client(Verb verb, const ClientOptions& options, const Reporter& reporter) {
    try {
        if (options.show_settings) {
            reporter.print(settings_text(options));
            return 0;
        }
        return complete(run(verb, options, reporter));
    } catch (const Failure& failure) {
        return verb == Verb::run ? reporter.failed(failure) : reporter.unanswered(failure);
    }
}

std::optional<Verb> verb_of(const std::vector<std::string>& words) {
    const std::string word = words.empty() ? "" : words.front();
    if (word == "jobs") return Verb::jobs;
    if (word == "attach") return Verb::attach;
    if (word == "kill") return Verb::kill;
    return std::nullopt;
}

int run_keygen(std::vector<std::string> words) {
    KeygenOptions options;
    const auto status = parse_keygen_options(std::move(words), options);
    return status ? *status : keygen(options);
}

int run_copy(std::vector<std::string> words) {
    CopyOptions options;
    if (const auto status = parse_copy_options(std::move(words), options)) return *status;
    int worst = 0;
    for (const CopyStep& step : options.steps) {
        const int status = complete(copy_files(options, step));
        worst = std::max(worst, status);
        const bool by_signal = status > 128 && status < 255;
        if (by_signal) return status; // that was meant for all of them
    }
    return worst;
}

int run_words(std::vector<std::string> words) {
    const std::string first = words.empty() ? "" : words.front();
    if (first == "keygen" || first == "cp") {
        words.erase(words.begin());
        return first == "cp" ? run_copy(std::move(words)) : run_keygen(std::move(words));
    }
    ClientOptions options;
    const std::optional<Verb> verb = verb_of(words);
    if (verb) words.erase(words.begin());
    const auto status = verb ? parse_verb_options(*verb, std::move(words), options) : parse_options(std::move(words), options);
    if (status) return *status;
    const Reporter reporter(options);
    const int end = run_client(verb.value_or(Verb::run), options, reporter);
    return reporter.events_written() || end != 0 ? end : 255;
}

} // namespace

} // namespace rc

int main(int argc, char** argv) {
    // The memory of a frame is needed again for the next one.
    ::mallopt(M_MMAP_THRESHOLD, 512 * 1024);
    ::mallopt(M_TRIM_THRESHOLD, 2 * 1024 * 1024);
    std::signal(SIGPIPE, SIG_IGN); // see die_of(SIGPIPE)
    rc::occupy_standard_descriptors();
    rc::unblock_signals();
    try {
        return rc::run_words({argv + 1, argv + argc});
    } catch (const std::exception& error) {
        rc::print_error(rc::escape(error.what()));
        return 255;
    }
}
