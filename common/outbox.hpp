// What one end of a connection has to send, and in which order: control messages first, then the jobs take turns, frame
// by frame. No sockets, no Asio.
#pragma once

#include "common/job_streams.hpp"
#include "common/message.hpp"

#include <chrono>
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
    // The same for one that nobody waits for: it goes when something else does, or with flush.
    void push_soon(const Message& message);

    // Whole frames of a job that has an outbox of its own elsewhere. They go behind the control messages, and do not count among them: who answers
    // a peer need not wait until they have gone.
    void push_frames(std::string_view frames);
    // Forgets what is queued, and all jobs: the connection is gone.
    void clear();

    // `job` takes part from now on until it is removed; it must live until then.
    void add(JobStreams& job);
    void remove(JobStreams& job);

    // The next thing to send, if there is any. `flush`: also what may wait: acknowledgements that are owed but not yet due.
    std::optional<Outgoing> next(bool flush);

    // How long what there is may wait until it is to be flushed; nothing: there is none.
    [[nodiscard]] std::optional<std::chrono::milliseconds> patience() const;
    // Bytes of control messages that are waiting.
    [[nodiscard]] std::size_t queued() const { return control_.size(); }
    // Bytes of such frames.
    [[nodiscard]] std::size_t frames() const { return frames_.size(); }

    // Called whenever something may have become sendable. Set by whoever sends.
    std::function<void()> on_ready = [] {};

private:
    std::optional<Outgoing> next_of_jobs(bool flush);

    std::string control_;         // whole frames
    bool pressing_ = false;       // somebody waits for one of them
    std::string frames_;          // of jobs elsewhere
    std::list<JobStreams*> jobs_; // the front one is next to send data
};

} // namespace rc
