// Writes the output of a durable job to its spool, and acknowledges to the job what is written there. Where the spool is full it waits, and so does the
// command.
#pragma once

#include "common/async.hpp"
#include "common/stream.hpp"
#include "server/job.hpp"
#include "server/outputs.hpp"
#include "server/spool.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

namespace rc {

class OutputRecorder {
public:
    // Both must outlive it.
    OutputRecorder(const asio::any_io_executor& executor, Job& job, SpoolWriter& spool)
        : job_(job), spool_(spool), output_(executor), room_(executor) {}

    // Until all output of the job and its closing message are there.
    asio::awaitable<void> run();

    // The job's streams have something to say.
    void output_ready() { output_.notify(); }
    // Some bytes may not be wanted any more.
    void room_made() { room_.notify(); }
    // The command is being ended: what it says last may go over the limit.
    void expect_end() { end_expected_ = true; }
    // There is more than the spool takes.
    [[nodiscard]] bool full() const { return full_; }

    // Called whenever the spool may have grown.
    std::function<void()> on_grown = [] {};
    // The offset before which nobody wants that stream any more.
    std::function<std::uint64_t(StreamName)> wanted_from = [](StreamName) { return std::uint64_t{0}; };

private:
    asio::awaitable<void> record(StreamName name, SendStream& stream);
    asio::awaitable<void> write(StreamName name, std::span<const std::byte> bytes);
    std::size_t append(StreamName name, std::span<const std::byte> bytes);

    Job& job_;
    SpoolWriter& spool_;
    Event output_;
    Event room_;
    bool end_expected_ = false;
    bool full_ = false;
};

} // namespace rc
