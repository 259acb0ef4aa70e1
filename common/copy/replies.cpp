#include "common/copy/replies.hpp"

#include "common/bytes.hpp"
#include "common/error.hpp"

#include <algorithm>

namespace rc::copy {

Replies::Replies(Channel& channel, const Complain& complain)
    : channel_(channel), complain_(complain), thread_([this] { run(); }) {}

Replies::~Replies() {
    channel_.close();
    thread_.join();
}

void Replies::expect(const std::string& path) {
    const std::scoped_lock lock(mutex_);
    awaited_.push_back({path, {}, ++last_});
    start_.reset();
}

void Replies::sent(const Digest& digest) {
    const std::scoped_lock lock(mutex_);
    if (!answered()) awaited_.back().digest = digest;
}

bool Replies::unwanted() {
    const std::scoped_lock lock(mutex_);
    return answered();
}

bool Replies::finished() {
    const std::scoped_lock lock(mutex_);
    return finished_ && !problem_;
}

std::optional<Replies::Start> Replies::await_start() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return start_ || answered(); });
    return start_;
}

void Replies::await_finish() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return finished_; });
    if (problem_) std::rethrow_exception(problem_);
}

void Replies::run() {
    try {
        while (take(channel_.receive())) {
        }
    } catch (...) {
        const std::scoped_lock lock(mutex_);
        problem_ = std::current_exception();
    }
    const std::scoped_lock lock(mutex_);
    finished_ = true;
    changed_.notify_all();
}

bool Replies::take(const Received& received) {
    const std::string text(as_text(received.body));
    if (std::holds_alternative<Finish>(received.message)) {
        check_all_answered();
        return false;
    }
    if (std::holds_alternative<Stored>(received.message)) {
        take_stored(received.body);
    } else if (std::holds_alternative<Refused>(received.message)) {
        pop();
        if (!text.empty()) complain_(text);
    } else if (std::holds_alternative<Problem>(received.message)) {
        told_ = true;
        complain_(text);
    } else if (const auto* resume = std::get_if<Resume>(&received.message)) {
        Start start{resume->offset, {}};
        if (received.body.size() != start.digest.size()) throw Error(ErrorCode::bad_message, "a digest of another size");
        std::ranges::copy(received.body, start.digest.begin());
        const std::scoped_lock lock(mutex_);
        start_ = start;
        changed_.notify_all();
    } else {
        throw Error(ErrorCode::unexpected_message, "the other end of the copy is out of order: a message of the sending end's");
    }
    return true;
}

// One that could not begin has said so; it answers nothing.
void Replies::check_all_answered() {
    const std::scoped_lock lock(mutex_);
    if (awaited_.empty() || told_) return;
    throw Error(
        ErrorCode::unexpected_message, "the other end of the copy has finished without an answer for " + awaited_.front().path);
}

Replies::Awaited Replies::pop() {
    const std::scoped_lock lock(mutex_);
    if (awaited_.empty()) throw Error(ErrorCode::unexpected_message, "the other end of the copy answers what was not sent");
    Awaited first = std::move(awaited_.front());
    awaited_.pop_front();
    changed_.notify_all();
    return first;
}

void Replies::take_stored(std::span<const std::byte> body) {
    const Awaited file = pop();
    if (!file.digest || !equal(*file.digest, body))
        complain_(file.path + ": what was stored is not what was sent: the digests differ");
}

} // namespace rc::copy
