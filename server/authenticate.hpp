// The server's side of the challenge: who is at the other end of a channel.
#pragma once

#include "common/channel.hpp"
#include "server/service.hpp"

#include <boost/asio/awaitable.hpp>

#include <string>

namespace rc {

struct Login {
    std::string key_id; // as it says, from hello on
    std::string user;   // as asked for; empty: the key's default
    AuthorizedKey key;
    bool knows_after = false; // the field of exec
};

// Hello, challenge, auth; on success the channel is open and `login` filled. Throws Error{unsupported_version, auth_failed …}; for an
// unknown key id everything is as for a wrong proof. An out-parameter, because a deadline is put around it.
boost::asio::awaitable<void> authenticate(Channel& channel, Service& service, Login& login);

} // namespace rc
