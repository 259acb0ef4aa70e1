#include "server/account.hpp"

#include "common/error.hpp"

#include <grp.h>
#include <pwd.h>
#include <shadow.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>
#include <string_view>

namespace rc {

namespace {

constexpr std::int64_t seconds_a_day = 24 * 60 * 60;

bool turns_away(std::string_view shell) { return shell.ends_with("/nologin") || shell.ends_with("/false"); }

// Who is not root's server runs commands as its own account, which may be a service's.
std::string shell_of(const passwd& entry) {
    const std::string shell = entry.pw_shell;
    return shell.empty() || turns_away(shell) ? "/bin/sh" : shell;
}

bool is_file(const char* path) { return ::access(path, F_OK) == 0; }

// The day on which the account expires, counted from 1970; nothing: never, or there is no such entry.
std::optional<std::int64_t> expiry_of(const std::string& name) {
    spwd entry{};
    spwd* found = nullptr;
    std::vector<char> memory(1024);
    while (::getspnam_r(name.c_str(), &entry, memory.data(), memory.size(), &found) == ERANGE) memory.resize(memory.size() * 2);
    return found != nullptr && found->sp_expire > 0 ? std::optional<std::int64_t>(found->sp_expire) : std::nullopt;
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

void check_open(const AccountFacts& facts) {
    if (turns_away(facts.shell))
        throw Error(ErrorCode::forbidden, "the account " + facts.name + " is not for commands: its shell is " + facts.shell);
    if (facts.expires && facts.today >= *facts.expires)
        throw Error(ErrorCode::forbidden, "the account " + facts.name + " has expired");
    if (facts.only_root && !facts.is_root)
        throw Error(ErrorCode::forbidden, "the host lets nobody but root in for now (/etc/nologin)");
}

Account find_account(const std::string& name) {
    AccountFacts facts;
    const auto by_name = [&](passwd* entry, char* memory, std::size_t size, passwd** found) {
        const int problem = ::getpwnam_r(name.c_str(), entry, memory, size, found);
        if (problem == 0 && *found != nullptr) facts.shell = entry->pw_shell;
        return problem;
    };
    Account account = look_up(name, by_name);
    facts.name = name;
    facts.is_root = account.uid == 0;
    facts.expires = expiry_of(name);
    facts.today = std::time(nullptr) / seconds_a_day;
    facts.only_root = is_file("/etc/nologin") || is_file("/run/nologin");
    check_open(facts);
    return account;
}

Account own_account() {
    return look_up(std::to_string(::geteuid()), [](auto... out) { return ::getpwuid_r(::geteuid(), out...); });
}

Account choose_account(const AuthorizedKey& key, const std::string& asked) {
    if (!asked.empty() && !key.options.users.empty() && !std::ranges::count(key.options.users, asked)) {
        throw Error(ErrorCode::forbidden, "this key may not run commands as " + asked);
    }
    if (::geteuid() == 0) return find_account(asked.empty() ? key.options.users.front() : asked);
    Account own = own_account();
    const bool allowed = key.options.users.empty() || std::ranges::count(key.options.users, own.name) > 0;
    if (!allowed || (!asked.empty() && asked != own.name)) {
        throw Error(ErrorCode::forbidden, "this server runs commands as " + own.name + " only");
    }
    return own;
}

const Account& RecentAccount::choose(const AuthorizedKey& key, const std::string& asked) {
    const auto now = Clock::now();
    if (!account_ || now >= until_) {
        account_ = choose_account(key, asked);
        until_ = now + std::chrono::seconds(1);
    }
    return *account_;
}

} // namespace rc
