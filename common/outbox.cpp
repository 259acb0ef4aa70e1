#include "common/outbox.hpp"

#include "common/codec.hpp"

#include <algorithm>
#include <utility>

namespace rc {

void Outbox::push(const Message& message, std::string_view body) {
    control_ += encode_message(message, body.size());
    control_ += body;
    on_ready();
}

void Outbox::push_frames(std::string_view frames) {
    control_ += frames;
    on_ready();
}

void Outbox::clear() {
    control_.clear();
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
    if (!control_.empty()) return Outgoing{std::exchange(control_, {}), {}};
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

bool Outbox::ack_owed() const {
    return std::ranges::any_of(jobs_, [](const JobStreams* job) { return job->ack_owed(); });
}

} // namespace rc
