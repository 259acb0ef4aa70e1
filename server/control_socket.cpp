#include "server/control_socket.hpp"

#include "common/bytes.hpp"
#include "common/described_json.hpp"
#include "common/strict_json.hpp"
#include "server/local_socket.hpp"
#include "server/log.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <boost/json/serialize.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <exception>
#include <string_view>
#include <utility>

namespace rc {

namespace {

using Stream = asio::local::stream_protocol::socket;

constexpr auto socket_name = "control";
constexpr std::size_t longest_request = 4096;
constexpr std::chrono::seconds patience{10}; // with one that asks
constexpr std::string_view ok = "ok\n";
constexpr std::string_view error = "error\n";

asio::awaitable<std::string> answer(const std::string& line, const JobTable& table, const DurableJobs& durable) {
    std::string text;
    try {
        ControlRequest request;
        read_fields(parse_object(line), request);
        text.append(ok).append(co_await control_jobs(request, &table, durable));
        if (!request.signal.empty())
            log_event("kill", {{"job", request.job}, {"key", request.key}, {"signal", request.signal}, {"from", "this host"}});
    } catch (const Error& problem) {
        text.assign(error).append(problem.what());
    }
    co_return text;
}

asio::awaitable<void> converse(Stream& stream, const JobTable& table, const DurableJobs& durable) {
    std::string line;
    co_await asio::async_read_until(stream, asio::dynamic_buffer(line, longest_request), '\n', asio::use_awaitable);
    line.resize(line.find('\n'));
    const std::string text = co_await answer(line, table, durable);
    co_await asio::async_write(stream, asio::buffer(text), asio::use_awaitable);
}

asio::awaitable<void> serve(Stream stream, const JobTable& table, const DurableJobs& durable) {
    try {
        co_await with_deadline(converse(stream, table, durable), patience);
    } catch (const boost::system::system_error&) { // it has gone
    }
}

Descriptor listen_in(const std::filesystem::path& state_dir) {
    const std::filesystem::path path = state_dir / socket_name;
    ::unlink(path.c_str());
    return listen_at(path);
}

std::string read_all(int fd) {
    std::string text;
    std::array<char, 16384> piece; // NOLINT: written before it is read
    ssize_t count = 0;
    while ((count = ::read(fd, piece.data(), piece.size())) > 0) text.append(piece.data(), static_cast<std::size_t>(count));
    return text;
}

} // namespace

ControlSocket::ControlSocket(
    asio::io_context& context, const std::filesystem::path& state_dir, const JobTable& table, const DurableJobs& durable)
    : table_(table), durable_(durable), acceptor_(context, asio::local::stream_protocol(), listen_in(state_dir).release()) {}

asio::awaitable<void> ControlSocket::run() {
    for (;;) {
        Stream stream(acceptor_.get_executor());
        const auto [problem] = co_await acceptor_.async_accept(stream, no_throw);
        if (problem) co_await sleep_for(std::chrono::milliseconds(100)); // no descriptor is left
        else asio::co_spawn(acceptor_.get_executor(), serve(std::move(stream), table_, durable_), asio::detached);
    }
}

std::optional<std::string> ask_daemon(const std::filesystem::path& state_dir, const ControlRequest& request) {
    const Descriptor socket = connect_to(state_dir / socket_name);
    if (!socket.is_open()) return std::nullopt;
    ::fcntl(socket.get(), F_SETFL, 0); // blocking: there is nothing else to do
    boost::json::object object;
    append_fields(request, object);
    const std::string line = boost::json::serialize(object) + '\n';
    write_all(socket.get(), as_bytes(line));
    const std::string text = read_all(socket.get());
    if (text.starts_with(ok)) return text.substr(ok.size());
    if (text.starts_with(error)) throw Error(ErrorCode::internal, text.substr(error.size()));
    throw Error(ErrorCode::internal, "the server gives no answer");
}

} // namespace rc
