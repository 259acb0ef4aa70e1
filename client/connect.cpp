#include "client/connect.hpp"

#include "client/failure.hpp"
#include "client/reporter.hpp"
#include "common/bytes.hpp"
#include "common/tls.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <netdb.h>

#include <chrono>
#include <optional>
#include <vector>

namespace rc {

using asio::ip::tcp;

namespace {

// For all addresses of a host together; and then for TLS and the server's proof.
constexpr std::chrono::seconds usual_timeout{10};
constexpr int attempts = 3; // if a connection breaks before that

// getaddrinfo() itself: a command has nothing else to do meanwhile, and Asio would start a thread for it.
std::vector<tcp::endpoint> resolve(const ClientOptions& options) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV;
    if (options.family == Family::ipv4) hints.ai_family = AF_INET;
    if (options.family == Family::ipv6) hints.ai_family = AF_INET6;
    addrinfo* list = nullptr;
    const std::string& host = options.address;
    const int problem = ::getaddrinfo(host.c_str(), std::to_string(options.port).c_str(), &hints, &list);
    if (problem != 0)
        throw Failure("no_host", "the name '" + escape(host, 256) + "' does not resolve: " + ::gai_strerror(problem));
    std::vector<tcp::endpoint> endpoints;
    for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
        tcp::endpoint endpoint;
        endpoint.resize(entry->ai_addrlen);
        std::memcpy(endpoint.data(), entry->ai_addr, entry->ai_addrlen);
        endpoints.push_back(endpoint);
    }
    ::freeaddrinfo(list);
    return endpoints;
}

asio::awaitable<void> connect_any(tcp::socket& socket, const std::vector<tcp::endpoint>& endpoints) {
    co_await asio::async_connect(socket, endpoints, asio::use_awaitable);
}

asio::awaitable<tcp::socket> open_socket(const ClientOptions& options) {
    const std::vector<tcp::endpoint> endpoints = resolve(options);
    tcp::socket socket(co_await asio::this_coro::executor);
    const std::chrono::seconds timeout = options.connect_timeout.value_or(usual_timeout);
    std::string problem;
    try {
        if (co_await with_deadline(connect_any(socket, endpoints), timeout)) co_return socket;
        problem = "no answer within " + std::to_string(timeout.count()) + " s";
    } catch (const boost::system::system_error& error) {
        problem = error.code().message();
    }
    throw Failure(
        "no_server", "cannot connect to " + host_and_port(options) + ": " + problem + "; is rcmd-server running there?");
}

// Made when a server has been called: it prepares for the handshake meanwhile.
asio::ssl::context& client_tls() {
    static asio::ssl::context tls = make_client_tls();
    return tls;
}

[[noreturn]] void not_rcmd_server(const ClientOptions& options, const std::string& problem) {
    throw Failure("not_rcmd_server", "what answers on " + host_and_port(options) + " is not an rcmd-server: " + problem);
}

asio::awaitable<std::unique_ptr<Connection>> connect_once(const ClientOptions& options, const Key& key, HostCheck& host) {
    tcp::socket socket = co_await open_socket(options);
    auto connection = std::make_unique<Connection>(std::move(socket), client_tls());
    const std::chrono::seconds timeout = options.connect_timeout.value_or(usual_timeout);
    const bool answered = co_await with_deadline(connection->secure(key, options.target.user, host), timeout);
    if (!answered) not_rcmd_server(options, "it says nothing for " + std::to_string(timeout.count()) + " s");
    co_await host.keep();
    co_return connection;
}

asio::awaitable<std::unique_ptr<Connection>> connect_unbroken(const ClientOptions& options, const Key& key, HostCheck& host) {
    std::string problem;
    for (int attempt = 0; attempt < attempts; ++attempt) {
        try {
            co_return co_await connect_once(options, key, host);
        } catch (const boost::system::system_error& error) {
            problem = error.code().message(); // a network may break off anything
        } catch (const Error& error) {
            problem = escape(error.what(), 1024);
            break;
        }
    }
    not_rcmd_server(options, problem);
}

} // namespace

std::string host_and_port(const ClientOptions& options) {
    const std::string& host = options.address;
    const bool brackets = host.find(':') != std::string::npos;
    return escape(brackets ? '[' + host + ']' : host, 256) + ':' + std::to_string(options.port);
}

asio::awaitable<std::unique_ptr<Connection>> connect(const ClientOptions& options, const Key& key, HostCheck& host) {
    const auto patience = Clock::now() + options.connect_timeout.value_or(usual_timeout);
    for (bool first = true;; first = false) {
        std::optional<std::chrono::seconds> pause;
        try {
            co_return co_await connect_unbroken(options, key, host);
        } catch (const Failure& failure) {
            pause = failure.retry_after();
            if (!pause || Clock::now() + *pause > patience) throw;
            if (first && !options.quiet) print_error(host_and_port(options) + ": " + failure.what() + "; waiting for that");
        }
        co_await sleep_for(*pause);
    }
}

} // namespace rc
