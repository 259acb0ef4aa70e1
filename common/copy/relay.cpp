#include "common/copy/relay.hpp"

#include "common/bytes.hpp"

#include <exception>
#include <functional>
#include <thread>

namespace rc::copy {

namespace {

class Observer {
public:
    Observer(Progress& progress, const Complain& complain) : progress_(progress), complain_(complain) {}

    void see(const Received& received) {
        std::visit([&](const auto& message) { on(message, received.body); }, received.message);
    }

private:
    template <class T>
    void on(const T&, std::span<const std::byte>) {}
    void on(const Total& total, std::span<const std::byte>) { progress_.expect(total.files, total.bytes); }
    void on(const File& file, std::span<const std::byte> body) { progress_.begin(std::string(as_text(body)), file.length); }
    void on(const From& from, std::span<const std::byte>) { progress_.resume(from.offset); }
    void on(const Data&, std::span<const std::byte> body) { progress_.advance(body.size()); }
    void on(const Hole& hole, std::span<const std::byte>) { progress_.advance(hole.length); }
    void on(const End&, std::span<const std::byte>) { progress_.end(); }
    void on(const Problem&, std::span<const std::byte> body) { complain_(std::string(as_text(body))); }
    void on(const Refused&, std::span<const std::byte> body) {
        if (!body.empty()) complain_(std::string(as_text(body)));
    }

    Progress& progress_;
    const Complain& complain_;
};

// Until `from` has finished. Closes what is behind both if that fails, so that the other direction ends too.
void pass_on(Channel& from, Channel& to, Observer& observer) {
    try {
        for (bool last = false; !last;) {
            const Received received = from.receive();
            observer.see(received);
            to.send(received.message, received.body);
            to.flush();
            last = std::holds_alternative<Finish>(received.message);
        }
    } catch (...) {
        to.close();
        throw;
    }
}

std::exception_ptr problem_of(const std::function<void()>& work) {
    try {
        work();
        return nullptr;
    } catch (...) {
        return std::current_exception();
    }
}

} // namespace

void relay(Channel& sender, Channel& receiver, Progress& progress, const Complain& complain) {
    Observer observer(progress, complain);
    std::exception_ptr of_sender;
    std::exception_ptr of_receiver;
    std::thread forth([&] { of_sender = problem_of([&] { pass_on(sender, receiver, observer); }); });
    of_receiver = problem_of([&] { pass_on(receiver, sender, observer); });
    forth.join();
    if (of_receiver) std::rethrow_exception(of_receiver);
    // When the receiver has finished, the sender has, or is not wanted any more: it may have gone without a word.
}

} // namespace rc::copy
