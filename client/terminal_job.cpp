#include "client/terminal_job.hpp"

#include "client/escapes.hpp"
#include "common/bytes.hpp"
#include "common/descriptor.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace rc {

namespace {

// More than a terminal and what leads to it can hold unread.
constexpr std::size_t most_unread = 512 * 1024;

std::string terminal_kind() {
    const char* term = std::getenv("TERM");
    return term != nullptr ? std::string(term).substr(0, limits::term_length) : std::string();
}

// Most commands are over before, so that what they do not read need not be sent and echoed.
constexpr std::chrono::milliseconds before_surplus{100};

// Sends what is typed, and knows what to hand back.
class Typist {
public:
    Typist(Link& link, RemoteJob& job, Terminal& terminal, Typed& typed)
        : link_(link), job_(job), terminal_(terminal), typed_(typed), text_(typed.pending()) {
        escapes_.pass(text_); // it was typed for the prompt or for the last command
        typed_.clear();
        const std::size_t ahead = std::min<std::size_t>(job.request.pty->typed, text_.size());
        later_ = text_.substr(ahead);
        text_.resize(ahead);
    }

    asio::awaitable<void> run() {
        SendStream* stream = nullptr;
        while ((stream = job_.streams.sender(StreamName::stdin_)) == nullptr) co_await race(job_.input.wait(), take_keys(later_));
        while (send(*stream)) {
        }
        if (!later_.empty()) co_await sleep_for(before_surplus);
        text_ += std::exchange(later_, {});
        while (!(text_.empty() && typed_.ended())) {
            if (text_.empty()) co_await take_keys(text_);
            else if (!send(*stream)) co_await job_.input.wait();
        }
        stream->close();
        job_.streams.on_ready();
        co_await wait_forever();
    }

    // Call when the job is over.
    void hand_back() {
        typed_.give_back(text_ + later_);
        if (!job_.exit || job_.exit->stdin_ > sent_) return;
        const std::uint64_t unread = std::min<std::uint64_t>(sent_ - job_.exit->stdin_, tail_.size());
        typed_.give_back(std::string_view(tail_).substr(tail_.size() - unread));
    }

private:
    asio::awaitable<void> take_keys(std::string& text) {
        if (typed_.pending().empty()) co_await typed_.wait();
        std::size_t taken = 0;
        std::optional<Escape> escape;
        while (taken < typed_.pending().size() && !escape) escape = escapes_.take(typed_.pending()[taken++], text);
        typed_.drop(taken);
        if (escape) co_await obey(*escape);
    }

    asio::awaitable<void> obey(Escape escape) {
        switch (escape) {
        case Escape::leave:
            job_.fail(Failure("left", "the connection was ended by ~.", job_.ran));
            link_.abandon();
            break;
        case Escape::suspend: co_await terminal_.suspend(); break;
        case Escape::help: write_all(STDERR_FILENO, as_bytes(escape_help())); break;
        }
    }

    // False if there is no room, or nobody who reads.
    bool send(SendStream& stream) {
        const std::span<std::byte> space = stream.prepare();
        const std::size_t count = std::min(space.size(), text_.size());
        if (count == 0) return false;
        std::ranges::copy(as_bytes(text_).first(count), space.begin());
        stream.commit(count);
        tail_.append(text_, 0, count);
        if (tail_.size() > 2 * most_unread) tail_.erase(0, tail_.size() - most_unread);
        text_.erase(0, count);
        sent_ += count;
        job_.streams.on_ready();
        return true;
    }

    Link& link_;
    RemoteJob& job_;
    Terminal& terminal_;
    Typed& typed_;
    EscapeReader escapes_;
    std::string text_;  // to be sent
    std::string later_; // after that, when the command has had the time to end without it
    std::string tail_;  // the last that was sent
    std::uint64_t sent_ = 0;
};

asio::awaitable<void> pass_on_sizes(Link& link, RemoteJob& job, Terminal& terminal) {
    for (;;) {
        co_await terminal.resized();
        link.jobs().resize(job, terminal.size());
    }
}

asio::awaitable<void> discard(std::span<const std::byte>) { co_return; }

} // namespace

void want_terminal(JobRequest& request, const WindowSize& size, std::size_t typed) {
    Pty pty;
    pty.rows = size.rows;
    pty.columns = size.columns;
    pty.term = terminal_kind();
    pty.typed = request.input ? std::min<std::size_t>(typed, limits::typed_ahead) : 0;
    request.pty = pty;
    request.combine = true;
    request.window = limits::terminal_window;
}

asio::awaitable<void> run_on_terminal(Link& link, RemoteJob& job, Terminal& terminal, Typed& typed, Sink out) {
    Typist typist(link, job, terminal, typed);
    terminal.on_continued = [&] { link.jobs().resize(job, terminal.size()); };
    terminal.make_raw();
    co_await race(deliver(job, std::move(out), discard), typist.run(), pass_on_sizes(link, job, terminal));
    terminal.rest();
    terminal.on_continued = [] {};
    typist.hand_back();
}

} // namespace rc
