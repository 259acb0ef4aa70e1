// One end of a job on the wire: its streams, and what they have to say to the other end. No sockets, no Asio.
#pragma once

#include "common/message.hpp"
#include "common/stream.hpp"

#include <array>
#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace rc {

// Something to send: a frame without its body, and the body, which holds until anything else happens to the streams.
struct Outgoing {
    std::string frame;
    std::span<const std::byte> body;
};

// Messages that concern streams go in by take(), and come out by next_control() and next_data(). The server sends stdout
// and stderr and receives stdin, the client the other way round; only streams that were opened exist.
class JobStreams {
public:
    // `job`: its id.
    explicit JobStreams(std::string job) : job_(std::move(job)) {}
    JobStreams(const JobStreams&) = delete;
    JobStreams& operator=(const JobStreams&) = delete;

    // See SendStream and RecvStream for the parameters. The reference holds as long as this object.
    SendStream& open_sender(StreamName name, std::uint64_t limit, std::size_t capacity, std::uint64_t start = 0);
    RecvStream& open_receiver(StreamName name, std::size_t window, std::uint64_t start = 0);
    // nullptr if it was not opened.
    SendStream* sender(StreamName name);
    RecvStream* receiver(StreamName name);

    // What the other end said. Throws Error{bad_offset} for a stream that is not open and for what the stream refuses.
    void take(const Data& message, std::span<const std::byte> body);
    void take(const Eof& message);
    void take(const Ack& message);
    void take(const Stop& message);

    // This end wants no more of that stream: says so to the other end.
    void stop_receiving(StreamName name);
    // `message` closes the job: it is sent, with its body, when all streams sent from here are finished.
    void finish_with(const Message& message, std::string_view body = {});

    // A new connection: of what was said on the former, acknowledgements, stops and the closing message are said again. The senders go on
    // where their resume() says.
    void resume();

    // What is to be sent before data: stops and acknowledgements that are due; with `flush` also those that are owed.
    std::optional<Outgoing> next_control(bool flush);
    // At most one frame of data, then ends of streams, then the closing message.
    std::optional<Outgoing> next_data();
    [[nodiscard]] bool ack_owed() const;
    // The closing message, with its body, as it is sent; nullptr until all streams sent from here are finished.
    [[nodiscard]] const std::string* closing() const;

    [[nodiscard]] const std::string& job() const { return job_; }

    // Called whenever something may have become sendable. Set by whoever sends.
    std::function<void()> on_ready = [] {};

private:
    struct Receiving {
        std::optional<RecvStream> stream;
        bool stop_unsaid = false;
    };

    std::string job_;
    std::array<std::optional<SendStream>, 3> senders_;
    std::array<Receiving, 3> receivers_;
    std::optional<std::string> closing_; // the frame that closes the job
    bool closing_said_ = false;
    std::size_t turn_ = 0; // the stream whose turn it is to send data
};

} // namespace rc
