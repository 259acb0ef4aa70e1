#include "common/outbox.hpp"

#include "common/codec.hpp"
#include "common/limits.hpp"

#include <algorithm>
#include <utility>

namespace rc {

void Outbox::push(const Message& message, std::string_view body) {
    control_ += encode_message(message, body.size());
    control_ += body;
    pressing_ = true;
    on_ready();
}

void Outbox::push_soon(const Message& message) {
    control_ += encode_message(message, 0);
    on_ready();
}

void Outbox::push_frames(std::string_view frames) {
    frames_ += frames;
    on_ready();
}

void Outbox::clear() {
    control_.clear();
    pressing_ = false;
    frames_.clear();
    while (!jobs_.empty()) remove(*jobs_.front());
}

void Outbox::add(JobStreams& job) {
    jobs_.push_back(&job);
    job.on_ready = [this] { on_ready(); };
    on_ready();
}

void Outbox::remove(JobStreams& job) {
    job.on_ready = [] {};
    jobs_.remove(&job);
}

std::optional<Outgoing> Outbox::next(bool flush) {
    if (!control_.empty() && (pressing_ || flush)) {
        pressing_ = false;
        return Outgoing{std::exchange(control_, {}), {}};
    }
    std::optional<Outgoing> outgoing;
    if (!frames_.empty()) outgoing = Outgoing{std::exchange(frames_, {}), {}};
    else outgoing = next_of_jobs(flush);
    if (outgoing && !control_.empty()) outgoing->frame.insert(0, std::exchange(control_, {}));
    return outgoing;
}

std::optional<Outgoing> Outbox::next_of_jobs(bool flush) {
    for (JobStreams* job : jobs_) {
        if (auto outgoing = job->next_control(flush)) return outgoing;
    }
    for (auto job = jobs_.begin(); job != jobs_.end(); ++job) {
        if (auto outgoing = (*job)->next_data()) {
            jobs_.splice(jobs_.end(), jobs_, jobs_.begin(), std::next(job));
            return outgoing;
        }
    }
    return std::nullopt;
}

std::optional<std::chrono::milliseconds> Outbox::patience() const {
    if (!control_.empty()) return limits::soon;
    const bool owed = std::ranges::any_of(jobs_, [](const JobStreams* job) { return job->ack_owed(); });
    return owed ? std::optional(limits::ack_delay) : std::nullopt;
}

} // namespace rc
