// Who asks on a connection: the holder of a key that has logged in, and what authorized_keys lets that key do by now.
#pragma once

#include "server/account.hpp"
#include "server/authenticate.hpp"
#include "server/key_store.hpp"

#include <boost/asio/ip/tcp.hpp>

#include <string>

namespace rc {

class KeyHolder {
public:
    KeyHolder(KeyStore& keys, const boost::asio::ip::tcp::endpoint& peer);

    // For authenticate() to fill.
    [[nodiscard]] Login& login() { return login_; }
    // Throws Error{forbidden} if the key as it logged in opens nothing for this peer.
    void check() const;
    // The same for the key as it is now: in the store, or in `keys`, which have just been read.
    void renew();
    void renew(const AuthorizedKeys& keys);

    [[nodiscard]] const std::string& address() const { return address_; } // ADDR:PORT
    [[nodiscard]] const std::string& key_id() const { return login_.key_id; }
    [[nodiscard]] const KeyOptions& options() const { return login_.key.options; }
    [[nodiscard]] bool knows_after() const { return login_.knows_after; }
    // Whom its commands run as. Throws Error{forbidden}.
    const Account& account() { return account_.choose(login_.key, login_.user); }

private:
    KeyStore& keys_;
    boost::asio::ip::tcp::endpoint peer_;
    std::string address_;
    Login login_;
    RecentAccount account_;
};

} // namespace rc
