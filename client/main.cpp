#include "client/attach.hpp"
#include "client/batch.hpp"
#include "client/command.hpp"
#include "client/connect.hpp"
#include "client/failure.hpp"
#include "client/key_file.hpp"
#include "client/keygen.hpp"
#include "client/local_io.hpp"
#include "client/options.hpp"
#include "client/prompt.hpp"
#include "client/queries.hpp"
#include "client/reporter.hpp"
#include "common/bytes.hpp"
#include "common/tls.hpp"

#include <boost/asio/io_context.hpp>

#include <unistd.h>

#include <csignal>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace rc {

namespace {

bool wants_prompt(const ClientOptions& options) {
    return options.command.empty() && !options.no_stdin && options.terminal != WantTerminal::never &&
           ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1;
}

asio::awaitable<int> run_jobs(const ClientOptions& options, const Reporter& reporter, Link& link) {
    if (options.detach) co_return co_await run_detached(options, reporter, link);
    if (options.batch) co_return co_await run_batch(options, reporter, link);
    if (wants_prompt(options)) co_return co_await run_prompt(options, reporter, link);
    co_return co_await run_command(options, reporter, link);
}

// The server keeps a job for `keep` after it has noticed the loss.
std::chrono::seconds patience(const ClientOptions& options) {
    constexpr std::chrono::seconds grace{30};
    return options.keep.count() > 0 ? options.keep + grace : options.keep;
}

void report_on(Link& link, const ClientOptions& options, const Reporter& reporter) {
    link.on_welcome = [&] { reporter.connected(host_and_port(options)); };
    link.on_lost = [&](const std::string& problem) { reporter.link_lost(problem); };
    link.on_back = [&](Clock::duration after) { reporter.link_back(after); };
}

asio::awaitable<int> run_on_link(Verb verb, const ClientOptions& options, const Reporter& reporter, const Dial& dial) {
    auto connection = co_await dial();
    const auto link = std::make_unique<Link>(co_await asio::this_coro::executor, std::move(connection), dial, patience(options));
    report_on(*link, options, reporter);
    if (verb == Verb::attach) co_return co_await run_attach(options, reporter, *link);
    co_return co_await run_jobs(options, reporter, *link);
}

asio::awaitable<int> run(Verb verb, const ClientOptions& options, const Reporter& reporter) {
    const Key key = read_key(options.key_file);
    asio::ssl::context tls = make_client_tls();
    const Dial dial = [&] { return connect(options, key, tls); };
    if (verb == Verb::run || verb == Verb::attach) co_return co_await run_on_link(verb, options, reporter, dial);
    if (verb == Verb::jobs) co_await list_jobs(options, reporter, dial);
    else co_await kill_job(options, dial);
    co_return 0;
}

int run_client(Verb verb, const ClientOptions& options) {
    const Reporter reporter(options);
    asio::io_context context(1);
    int status = 255;
    std::exception_ptr problem;
    asio::co_spawn(context, run(verb, options, reporter), [&](const std::exception_ptr& thrown, int result) {
        problem = thrown;
        status = thrown ? status : result;
    });
    context.run();
    try {
        if (problem) std::rethrow_exception(problem);
    } catch (const Failure& failure) {
        status = verb == Verb::run ? reporter.failed(failure) : reporter.unanswered(failure);
    }
    return status;
}

std::optional<Verb> verb_of(const std::vector<std::string>& words) {
    const std::string word = words.empty() ? "" : words.front();
    if (word == "jobs") return Verb::jobs;
    if (word == "attach") return Verb::attach;
    if (word == "kill") return Verb::kill;
    return std::nullopt;
}

int run_words(std::vector<std::string> words) {
    if (!words.empty() && words.front() == "keygen") {
        words.erase(words.begin());
        KeygenOptions options;
        const auto status = parse_keygen_options(std::move(words), options);
        return status ? *status : keygen(options);
    }
    ClientOptions options;
    const std::optional<Verb> verb = verb_of(words);
    if (verb) words.erase(words.begin());
    const auto status = verb ? parse_verb_options(*verb, std::move(words), options) : parse_options(std::move(words), options);
    return status ? *status : run_client(verb.value_or(Verb::run), options);
}

} // namespace

} // namespace rc

int main(int argc, char** argv) {
    std::signal(SIGPIPE, SIG_IGN); // see die_of(SIGPIPE)
    rc::occupy_standard_descriptors();
    try {
        return rc::run_words({argv + 1, argv + argc});
    } catch (const std::exception& error) {
        rc::print_error(rc::escape(error.what()));
        return 255;
    }
}
