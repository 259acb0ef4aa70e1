#include "server/account.hpp"

#include "common/error.hpp"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace rc {

namespace {

// A shell that only turns people away is for other ways in: user= in a key's line is root's word that commands may run as that
// account, of which `nobody` is the usual example.
std::string shell_of(const passwd& entry) {
    const std::string shell = entry.pw_shell;
    const bool refuses = shell.ends_with("/nologin") || shell.ends_with("/false");
    return shell.empty() || refuses ? "/bin/sh" : shell;
}

template <class Lookup>
Account look_up(const std::string& what, Lookup lookup) {
    passwd entry{};
    passwd* found = nullptr;
    std::vector<char> memory(1024);
    while (lookup(&entry, memory.data(), memory.size(), &found) == ERANGE) memory.resize(memory.size() * 2);
    if (found == nullptr) throw Error(ErrorCode::forbidden, "there is no account " + what + " on this host");
    Account account{.name = entry.pw_name,
        .uid = entry.pw_uid,
        .gid = entry.pw_gid,
        .groups = {},
        .home = entry.pw_dir,
        .shell = shell_of(entry)};
    int count = 16;
    account.groups.resize(static_cast<std::size_t>(count));
    while (::getgrouplist(entry.pw_name, entry.pw_gid, account.groups.data(), &count) < 0) {
        account.groups.resize(static_cast<std::size_t>(count));
    }
    account.groups.resize(static_cast<std::size_t>(count));
    return account;
}

} // namespace

Account find_account(const std::string& name) {
    return look_up(name, [&](auto... out) { return ::getpwnam_r(name.c_str(), out...); });
}

Account own_account() {
    return look_up(std::to_string(::geteuid()), [](auto... out) { return ::getpwuid_r(::geteuid(), out...); });
}

Account choose_account(const AuthorizedKey& key, const std::string& asked) {
    if (!asked.empty() && !key.users.empty() && !std::ranges::count(key.users, asked)) {
        throw Error(ErrorCode::forbidden, "this key may not run commands as " + asked);
    }
    if (::geteuid() == 0) return find_account(asked.empty() ? key.users.front() : asked);
    Account own = own_account();
    const bool allowed = key.users.empty() || std::ranges::count(key.users, own.name) > 0;
    if (!allowed || (!asked.empty() && asked != own.name)) {
        throw Error(ErrorCode::forbidden, "this server runs commands as " + own.name + " only");
    }
    return own;
}

} // namespace rc
