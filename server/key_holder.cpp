#include "server/key_holder.hpp"

#include "server/listener.hpp"
#include "server/permission.hpp"

#include <chrono>

namespace rc {

KeyHolder::KeyHolder(KeyStore& keys, const boost::asio::ip::tcp::endpoint& peer)
    : keys_(keys), peer_(peer), address_(to_text(peer)) {}

void KeyHolder::check() const { check_usable(options(), peer_.address(), std::chrono::system_clock::now()); }

void KeyHolder::renew() { renew(*keys_.current()); }

void KeyHolder::renew(const AuthorizedKeys& keys) {
    if (!keys.readable) return; // nobody new gets in, but this one has
    const auto found = keys.keys.find(login_.key_id);
    if (found == keys.keys.end() || found->second.verifier != login_.key.verifier)
        throw Error(ErrorCode::forbidden, "this key is not in the server's authorized_keys any more");
    check_usable(found->second.options, peer_.address(), std::chrono::system_clock::now());
    if (options().users != found->second.options.users) account_.forget();
    login_.key = found->second;
}

} // namespace rc
