// The accounts that commands run as.
#pragma once

#include "common/async.hpp"
#include "server/authorized_keys.hpp"

#include <cstdint>
#include <optional>
#include <string>
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

// What decides whether commands may run as an account.
struct AccountFacts {
    std::string name;
    std::string shell;
    bool is_root = false;
    std::optional<std::int64_t> expires; // the day, counted from 1970
    std::int64_t today{};
    bool only_root = false; // /etc/nologin is there
};

// Throws Error{forbidden} for one that is not for commands (nologin, false), has expired, or has to wait until /etc/nologin is gone.
void check_open(const AccountFacts& facts);

// For a server that is root's. Throws Error{forbidden} if the system has no such account, and what check_open() throws.
Account find_account(const std::string& name);

// The account that this process runs as.
Account own_account();

// Whom a request of `key` runs as: `asked` if the key allows it, the key's first user if nothing was asked. A process that is not
// root's runs commands as its own user and nobody else. Throws Error{forbidden}.
Account choose_account(const AuthorizedKey& key, const std::string& asked);

// The same for one command after the other of a session: an answer is good for a second, in which the system is not asked again.
class RecentAccount {
public:
    // Throws what choose_account() throws.
    const Account& choose(const AuthorizedKey& key, const std::string& asked);
    // The key may run commands as others now.
    void forget() { account_.reset(); }

private:
    std::optional<Account> account_;
    Clock::time_point until_{};
};

} // namespace rc
