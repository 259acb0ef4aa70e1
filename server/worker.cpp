#include "server/worker.hpp"

#include "server/job.hpp"
#include "server/session.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>

namespace rc {

namespace asio = boost::asio;

namespace {

asio::awaitable<void> run_session(asio::ip::tcp::socket socket, Visitor visitor, Service& service, Residents& residents) {
    const Counted counted(service, service.sessions);
    Session session(service, residents, std::move(socket), std::move(visitor));
    co_await session.run();
}

} // namespace

Worker::Worker(Service& service)
    : service_(service), work_(asio::make_work_guard(context_)), thread_([this] { context_.run(); }) {
    service_.homes.push_back({context_.get_executor(), residents_});
}

void Worker::stop() {
    context_.stop();
    thread_.join();
}

void Worker::serve(asio::ip::tcp::socket socket, const asio::ip::tcp::endpoint& peer) {
    const auto evicted = std::make_shared<Event>(context_.get_executor());
    const auto evict = [this, evicted] { asio::post(context_, [evicted] { evicted->notify(); }); };
    const Admission::Ticket ticket = service_.admission.arrive(source_of(peer.address()), Clock::now(), evict);
    Visitor visitor{peer, std::make_unique<Stay>(service_.admission, ticket), evicted};
    asio::co_spawn(context_, run_session(std::move(socket), std::move(visitor), service_, residents_), asio::detached);
}

void Worker::review(const std::shared_ptr<const AuthorizedKeys>& keys) {
    if (!keys->readable) return;
    asio::post(context_, [this, keys] {
        for (Session* session : residents_.sessions) session->review(*keys);
        for (Job* job : residents_.jobs) {
            if (keys->keys.contains(job->facts().key_id)) continue;
            if (job->finished()) job->release(); // nobody may come for the result
            else job->end(ExitReason::abandoned);
        }
    });
}

void Worker::end_jobs() {
    asio::post(context_, [this] {
        for (Job* job : residents_.jobs) job->end(ExitReason::shutdown);
    });
}

void Worker::end_sessions() {
    asio::post(context_, [this] {
        for (Session* session : residents_.sessions) session->leave();
    });
}

} // namespace rc
