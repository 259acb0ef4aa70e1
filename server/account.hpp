// The accounts that commands run as.
#pragma once

#include "server/authorized_keys.hpp"

#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace rc {

struct Account {
    std::string name;
    uid_t uid{};
    gid_t gid{};
    std::vector<gid_t> groups; // with gid
    std::string home;
    std::string shell; // runs commands: /bin/sh if the account has none that does
};

// Throws Error{forbidden} if the system has no such account.
Account find_account(const std::string& name);

// The account that this process runs as.
Account own_account();

// Whom a request of `key` runs as: `asked` if the key allows it, the key's first user if nothing was asked. A process that is not
// root's runs commands as its own user and nobody else. Throws Error{forbidden}.
Account choose_account(const AuthorizedKey& key, const std::string& asked);

} // namespace rc
