#include "client/job_io.hpp"

#include "common/bytes.hpp"

#include <cerrno>
#include <csignal>
#include <cstring>

namespace rc {

namespace {

constexpr std::size_t largest_collected = 64 * 1024 * 1024;

asio::awaitable<void> write_bytes(Output& output, const std::string& name, std::span<const std::byte> bytes) {
    const int error = co_await output.write(bytes);
    if (error == EPIPE) throw Failure("pipe", name + " is closed", Ran::yes, 128 + SIGPIPE);
    if (error != 0)
        throw Failure("output", "cannot write to " + name + ": " + std::strerror(error) + "; output is lost", Ran::yes);
}

asio::awaitable<void> collect(std::string& text, std::span<const std::byte> bytes) {
    if (text.size() + bytes.size() > largest_collected) {
        throw Failure("output",
            "more than " + std::to_string(largest_collected) + " bytes of output, which --json would hold in memory", Ran::yes);
    }
    text += as_text(bytes);
    co_return;
}

asio::awaitable<void> copy(RemoteJob& job, StreamName name, Event& changed, Sink& sink) {
    RecvStream* stream = job.streams.receiver(name);
    while (stream != nullptr) {
        const std::span<const std::byte> bytes = stream->readable();
        if (!bytes.empty()) {
            co_await sink(bytes);
            stream->consume(bytes.size());
            job.streams.on_ready();
        } else if (stream->drained() || job.over()) {
            co_return;
        } else {
            co_await changed.wait();
        }
    }
}

asio::awaitable<void> copy_or_fail(RemoteJob& job, StreamName name, Event& changed, Sink& sink) {
    try {
        co_await copy(job, name, changed, sink);
    } catch (const Failure& failure) {
        job.fail_here(failure);
    }
}

asio::awaitable<void> send_input(RemoteJob& job, Source& input) {
    SendStream* stream = nullptr;
    while ((stream = job.streams.sender(StreamName::stdin_)) == nullptr) co_await job.input.wait();
    while (!stream->stopped()) {
        std::span<std::byte> space = stream->prepare();
        if (space.empty()) {
            co_await job.input.wait();
            continue;
        }
        co_await input.ready();
        const std::size_t count = input.read(space);
        if (count == 0) break;
        stream->commit(count);
        job.streams.on_ready();
    }
    stream->close();
    job.streams.on_ready();
}

} // namespace

Sink write_to(Output& output, std::string name) {
    return [&output, name = std::move(name)](std::span<const std::byte> bytes) { return write_bytes(output, name, bytes); };
}

Sink collect_in(std::string& text) {
    return [&text](std::span<const std::byte> bytes) { return collect(text, bytes); };
}

asio::awaitable<void> await_start(RemoteJob& job) {
    while (job.ran != Ran::yes && !job.over()) co_await job.end.wait();
}

asio::awaitable<void> deliver(RemoteJob& job, Sink out, Sink err) {
    co_await join(
        copy_or_fail(job, StreamName::stdout_, job.output, out), copy_or_fail(job, StreamName::stderr_, job.error, err));
    while (!job.over()) co_await job.end.wait();
}

asio::awaitable<void> feed(RemoteJob& job, Source& input) {
    try {
        co_await send_input(job, input);
    } catch (const Failure& failure) {
        job.fail_here(failure);
    }
    co_await rest(Clock::duration::max()); // what ends the job may come from the other side only
}

} // namespace rc
