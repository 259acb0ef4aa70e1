// Whatever bytes a client sends about a job's streams, on however many connections: nothing is taken but what the rules allow, the
// rest is an Error, and the job's own bytes stay what they are.
#include "common/bytes.hpp"
#include "common/error.hpp"
#include "common/job_streams.hpp"
#include "common/message_decoder.hpp"
#include "common/outbox.hpp"
#include "tests/fuzz/lines.hpp"
#include "tests/fuzz/require.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace rc {
namespace {

constexpr std::size_t window = 300;

std::byte byte_at(std::uint64_t offset) { return static_cast<std::byte>(offset % 251); }

// A server's end of one job with output to send and input to take.
class JobEnd {
public:
    JobEnd() {
        streams_.open_sender(StreamName::stdout_, window, window);
        streams_.open_sender(StreamName::stderr_, window, window);
        streams_.open_receiver(StreamName::stdin_, window);
        outbox_.add(streams_);
    }
    ~JobEnd() { outbox_.remove(streams_); }
    JobEnd(const JobEnd&) = delete;
    JobEnd& operator=(const JobEnd&) = delete;

    void converse(std::string_view bytes) {
        MessageDecoder decoder(Peer::server);
        decoder.set_phase(Phase::open);
        try {
            while (!bytes.empty()) {
                const auto space = decoder.prepare();
                const auto piece = as_bytes(bytes).first(std::min(space.size(), bytes.size()));
                std::ranges::copy(piece, space.begin());
                decoder.commit(piece.size());
                bytes.remove_prefix(piece.size());
                while (const auto incoming = decoder.next()) handle(incoming->message, incoming->body);
            }
        } catch (const Error&) { // the end of this connection
        }
        streams_.resume();
    }

private:
    void handle(const Message& message, std::span<const std::byte> body) {
        if (const auto* data = std::get_if<Data>(&message)) streams_.take(*data, body);
        else if (const auto* eof = std::get_if<Eof>(&message)) streams_.take(*eof);
        else if (const auto* ack = std::get_if<Ack>(&message)) streams_.take(*ack);
        else if (const auto* stop = std::get_if<Stop>(&message)) streams_.take(*stop);
        else if (const auto* attach = std::get_if<Attach>(&message)) resume(*attach);
        produce(StreamName::stdout_);
        produce(StreamName::stderr_);
        send_all();
        take_input();
    }

    void resume(const Attach& attach) {
        SendStream& out = *streams_.sender(StreamName::stdout_);
        SendStream& error = *streams_.sender(StreamName::stderr_);
        out.check_resume(attach.stdout_.value_or(out.acked()));
        error.check_resume(attach.stderr_.value_or(error.acked()));
        out.resume(attach.stdout_.value_or(out.acked()));
        error.resume(attach.stderr_.value_or(error.acked()));
        if (attach.limits) out.allow(attach.limits->stdout_);
        streams_.resume();
    }

    void produce(StreamName name) {
        SendStream& stream = *streams_.sender(name);
        const auto space = stream.prepare();
        const std::uint64_t from = stream.end();
        for (std::size_t i = 0; i < space.size(); ++i) space[i] = byte_at(from + i);
        stream.commit(space.size());
        require(stream.acked() <= stream.sent() && stream.sent() <= stream.end());
        require(stream.stopped() || stream.end() - stream.acked() <= window);
    }

    void send_all() {
        const auto offset_of = [this](StreamName name) { return streams_.sender(name)->sent(); };
        for (;;) {
            const std::uint64_t out = offset_of(StreamName::stdout_);
            const std::uint64_t error = offset_of(StreamName::stderr_);
            const auto outgoing = outbox_.next(true);
            if (!outgoing) return;
            const std::uint64_t from = offset_of(StreamName::stdout_) > out ? out : error;
            for (std::size_t i = 0; i < outgoing->body.size(); ++i) require(outgoing->body[i] == byte_at(from + i));
        }
    }

    void take_input() {
        RecvStream& input = *streams_.receiver(StreamName::stdin_);
        require(input.received() - input.consumed() <= window);
        input.consume(input.readable().size() / 2);
    }

    JobStreams streams_{"j"};
    Outbox outbox_;
};

} // namespace
} // namespace rc

// The input is text, for the fuzzer's sake: a header a line, `>` and the body behind it; an empty line is a new connection.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    rc::JobEnd job;
    std::string_view text = rc::as_input(data, size);
    std::string frames;
    while (!text.empty()) {
        const std::string_view line = rc::take_line(text);
        if (line.empty()) {
            job.converse(frames);
            frames.clear();
            continue;
        }
        frames += rc::LineFrame(line).bytes();
    }
    job.converse(frames);
    return 0;
}
