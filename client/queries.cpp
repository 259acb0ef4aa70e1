#include "client/queries.hpp"

#include "client/exit_status.hpp"
#include "client/failure.hpp"
#include "common/bytes.hpp"
#include "common/codec.hpp"
#include "common/described_json.hpp"
#include "common/job_listing.hpp"
#include "common/limits.hpp"

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace rc {

namespace {

[[noreturn]] void throw_failure(const ErrorMessage& error) { throw to_failure(error, Ran::no); }

[[noreturn]] void throw_protocol_failure(const Error& error) { throw protocol_failure(error, Ran::no); }

[[noreturn]] void throw_lost(const boost::system::system_error& error) {
    throw Failure("lost", "the connection was lost before the server's answer: " + error.code().message());
}

// Takes an answer; true if it was the last one.
using TakeAnswer = std::function<bool(const Message& message, std::span<const std::byte> body)>;

asio::awaitable<void> receive(Channel& channel, const TakeAnswer& take, bool& last) {
    const Incoming incoming = co_await channel.receive();
    if (std::holds_alternative<Welcome>(incoming.message)) channel.set_phase(Phase::open);
    else if (const auto* error = std::get_if<ErrorMessage>(&incoming.message)) throw_failure(*error);
    else last = take(incoming.message, incoming.body);
}

asio::awaitable<void> converse(Connection& connection, const Message& question, const TakeAnswer& take) {
    const std::string frames =
        encode_message(Auth{}, connection.proof.size()).append(as_text(connection.proof)) + encode_message(question);
    co_await connection.channel.send(frames);
    bool last = false;
    while (!last) {
        const bool answered = co_await with_deadline(receive(connection.channel, take, last), limits::longest_silence);
        if (!answered) throw Failure("lost", "the server says nothing any more");
    }
}

asio::awaitable<void> ask(const Dial& dial, const Message& question, const TakeAnswer& take) {
    const std::unique_ptr<Connection> connection = co_await dial();
    try {
        co_await converse(*connection, question, take);
    } catch (const Error& error) {
        throw_protocol_failure(error);
    } catch (const boost::system::system_error& error) {
        throw_lost(error);
    }
}

} // namespace

asio::awaitable<void> list_jobs(const ClientOptions& options, const Reporter& reporter, const Dial& dial) {
    std::vector<ListedJob> jobs;
    const TakeAnswer take = [&](const Message& message, std::span<const std::byte> body) {
        if (const auto* listed = std::get_if<Listed>(&message)) jobs.push_back({*listed, std::string(as_text(body)), {}});
        return std::holds_alternative<ListedAll>(message);
    };
    const Message question = Jobs{};
    co_await ask(dial, question, take);
    reporter.print(options.json ? json_of(jobs) : table_of(jobs));
}

asio::awaitable<void> kill_job(const ClientOptions& options, const Dial& dial) {
    Kill kill;
    kill.job = options.job;
    kill.name = options.signal;
    const TakeAnswer take = [](const Message& message, std::span<const std::byte>) {
        return std::holds_alternative<Killed>(message);
    };
    const Message question = kill;
    co_await ask(dial, question, take);
}

} // namespace rc
