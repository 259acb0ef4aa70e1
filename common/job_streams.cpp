#include "common/job_streams.hpp"

#include "common/codec.hpp"
#include "common/described_json.hpp"

#include <algorithm>

namespace rc {

namespace {

constexpr std::array stream_names{StreamName::stdin_, StreamName::stdout_, StreamName::stderr_};

std::size_t index(StreamName name) { return static_cast<std::size_t>(name); }

template <class Stream>
Stream& require_open(Stream* stream, StreamName name, const char* what) {
    if (stream == nullptr) {
        throw Error(
            ErrorCode::bad_offset, std::string(what) + " for " + std::string(to_string(name)) + ", which is not open for it");
    }
    return *stream;
}

} // namespace

SendStream& JobStreams::open_sender(StreamName name, std::uint64_t limit, std::size_t capacity, std::uint64_t start) {
    return senders_[index(name)].emplace(limit, capacity, start);
}

RecvStream& JobStreams::open_receiver(StreamName name, std::size_t window, std::uint64_t start) {
    return receivers_[index(name)].stream.emplace(window, start);
}

SendStream* JobStreams::sender(StreamName name) {
    auto& stream = senders_[index(name)];
    return stream ? &*stream : nullptr;
}

RecvStream* JobStreams::receiver(StreamName name) {
    auto& stream = receivers_[index(name)].stream;
    return stream ? &*stream : nullptr;
}

void JobStreams::take(const Data& message, std::span<const std::byte> body) {
    require_open(receiver(message.stream), message.stream, "data").data(message.offset, body);
}

void JobStreams::take(const Eof& message) {
    require_open(receiver(message.stream), message.stream, "end of stream").eof(message.offset);
}

void JobStreams::take(const Ack& message) {
    require_open(sender(message.stream), message.stream, "acknowledgement").ack(message.offset, message.limit);
    on_ready();
}

void JobStreams::take(const Stop& message) {
    require_open(sender(message.stream), message.stream, "stop").stop();
    on_ready();
}

void JobStreams::stop_receiving(StreamName name) {
    Receiving& receiving = receivers_[index(name)];
    if (!receiving.stream || receiving.stream->stopped()) return;
    receiving.stop_unsaid = !receiving.stream->ended();
    receiving.stream->stop();
    on_ready();
}

void JobStreams::finish_with(const Message& message, std::string_view body) {
    closing_ = encode_message(message, body.size()).append(body);
    on_ready();
}

void JobStreams::resume() {
    for (Receiving& receiving : receivers_) {
        if (!receiving.stream) continue;
        receiving.stream->resume();
        receiving.stop_unsaid = receiving.stream->stopped();
    }
    closing_said_ = false;
}

std::optional<Outgoing> JobStreams::next_control(bool flush) {
    for (const StreamName name : stream_names) {
        Receiving& receiving = receivers_[index(name)];
        if (receiving.stop_unsaid) {
            receiving.stop_unsaid = false;
            return Outgoing{encode_message(Stop{job_, name}), {}};
        }
        if (!receiving.stream) continue;
        RecvStream& stream = *receiving.stream;
        if (stream.ack_due() || (flush && stream.ack_owed())) {
            stream.acknowledge();
            return Outgoing{encode_message(Ack{job_, name, stream.consumed(), stream.limit()}), {}};
        }
    }
    return std::nullopt;
}

std::optional<Outgoing> JobStreams::next_data() {
    for (std::size_t i = 0; i < stream_names.size(); ++i) {
        const StreamName name = stream_names[(turn_ + i) % stream_names.size()];
        std::optional<SendStream>& stream = senders_[index(name)];
        if (!stream) continue;
        if (stream->can_send()) {
            turn_ = index(name) + 1;
            const std::uint64_t offset = stream->sent();
            const std::span<const std::byte> body = stream->next(limits::data_body);
            return Outgoing{encode_message(Data{job_, name, offset}, body.size()), body};
        }
        if (stream->eof_due()) {
            stream->eof_sent();
            return Outgoing{encode_message(Eof{job_, name, stream->end()}), {}};
        }
    }
    const std::string* closing_frame = closing();
    if (closing_frame == nullptr || closing_said_) return std::nullopt;
    closing_said_ = true;
    return Outgoing{*closing_frame, {}};
}

const std::string* JobStreams::closing() const {
    const bool finished = std::ranges::all_of(senders_, [](const auto& stream) { return !stream || stream->finished(); });
    return closing_ && finished ? &*closing_ : nullptr;
}

bool JobStreams::ack_owed() const {
    return std::ranges::any_of(receivers_, [](const Receiving& r) { return r.stream && r.stream->ack_owed(); });
}

} // namespace rc
