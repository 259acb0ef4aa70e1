#include "client/route.hpp"

#include "client/connect.hpp"
#include "common/few_algorithms.hpp"

#include <utility>

namespace rc {

namespace {

// The server keeps a job for `keep` after it has noticed the loss.
std::chrono::seconds patience(const ClientOptions& options) {
    constexpr std::chrono::seconds grace{30};
    return options.keep.count() > 0 ? options.keep + grace : options.keep;
}

} // namespace

Route::Route(const ClientOptions& options)
    : options_(options), key_(read_key(options.key_file)), host_(options),
      dial_([this] { return connect(options_, key_, host_); }) {
    use_few_algorithms(); // here, while there is one thread
}

asio::awaitable<std::unique_ptr<Link>> Route::open(const Reporter& reporter) const {
    auto connection = co_await dial_();
    auto link = std::make_unique<Link>(co_await asio::this_coro::executor, std::move(connection), dial_, patience(options_));
    link->on_welcome = [this, &reporter] { reporter.connected(host_and_port(options_)); };
    link->on_lost = [&reporter](const std::string& problem) { reporter.link_lost(problem); };
    link->on_back = [&reporter](Clock::duration after) { reporter.link_back(after); };
    co_return link;
}

} // namespace rc
