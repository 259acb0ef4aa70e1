#include "server/worker.hpp"

#include "server/job.hpp"
#include "server/session.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>

namespace rc {

namespace asio = boost::asio;

namespace {

asio::awaitable<void> run_session(asio::ip::tcp::socket socket, std::string address, Service& service, Residents& residents) {
    const Counted counted(service, service.sessions);
    Session session(service, residents, std::move(socket), std::move(address));
    co_await session.run();
}

} // namespace

Worker::Worker(Service& service)
    : service_(service), work_(asio::make_work_guard(context_)), thread_([this] { context_.run(); }) {}

void Worker::stop() {
    context_.stop();
    thread_.join();
}

void Worker::serve(asio::ip::tcp::socket socket, std::string address) {
    asio::co_spawn(context_, run_session(std::move(socket), std::move(address), service_, residents_), asio::detached);
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
