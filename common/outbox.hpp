// What one end of a connection has to send, and in which order: control messages first, then the jobs take turns, frame
// by frame. No sockets, no Asio.
#pragma once

#include "common/job_streams.hpp"
#include "common/message.hpp"

#include <cstddef>
#include <functional>
#include <list>
#include <optional>
#include <string>

namespace rc {

class Outbox {
public:
    Outbox() = default;
    Outbox(const Outbox&) = delete;
    Outbox& operator=(const Outbox&) = delete;

    // Queues a message that goes before all data.
    void push(const Message& message, std::string_view body = {});

    // The same for messages that have been encoded already: whole frames.
    void push_frames(std::string_view frames);
    // Forgets what is queued, and all jobs: the connection is gone.
    void clear();

    // `job` takes part from now on until it is removed; it must live until then.
    void add(JobStreams& job);
    void remove(JobStreams& job);

    // The next thing to send, if there is any. `flush`: acknowledgements too that are owed but not yet due.
    std::optional<Outgoing> next(bool flush);

    [[nodiscard]] bool ack_owed() const;
    // Bytes of control messages that are waiting.
    [[nodiscard]] std::size_t queued() const { return control_.size(); }

    // Called whenever something may have become sendable. Set by whoever sends.
    std::function<void()> on_ready = [] {};

private:
    std::string control_;         // whole frames
    std::list<JobStreams*> jobs_; // the front one is next to send data
};

} // namespace rc
