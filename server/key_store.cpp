#include "server/key_store.hpp"

#include "common/error.hpp"
#include "server/log.hpp"

#include <utility>

namespace rc {

namespace {

bool same(const struct stat& a, const struct stat& b) {
    return a.st_ino == b.st_ino && a.st_dev == b.st_dev && a.st_size == b.st_size && a.st_mode == b.st_mode &&
           a.st_uid == b.st_uid && a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec == b.st_mtim.tv_nsec &&
           a.st_ctim.tv_sec == b.st_ctim.tv_sec && a.st_ctim.tv_nsec == b.st_ctim.tv_nsec;
}

} // namespace

KeyStore::KeyStore(std::filesystem::path file, bool need_user) : file_(std::move(file)), need_user_(need_user) {
    changed(); // before reading: what is written meanwhile is read again
    keys_ = read();
    if (keys_->keys.empty()) {
        throw Error(ErrorCode::internal, file_.string() + ": no key that may log in; add the line that 'rcmd keygen' prints" +
                                             (need_user_ ? std::string(", with user=NAME at its end") : std::string()));
    }
}

std::shared_ptr<const AuthorizedKeys> KeyStore::current() {
    const std::lock_guard lock(mutex_);
    if (!changed()) return keys_;
    try {
        keys_ = read();
        problem_.clear();
        log_event("keys", {{"file", file_.string()}, {"count", std::to_string(keys_->keys.size())}});
    } catch (const Error& error) {
        seen_ = {}; // it may be another one's descriptors that were missing: the next time it is tried again
        auto nobody = std::make_shared<AuthorizedKeys>();
        nobody->readable = false;
        keys_ = std::move(nobody);
        if (std::exchange(problem_, error.what()) != error.what())
            log_warning("keys", {{"problem", error.what()}, {"count", "0"}});
    }
    return keys_;
}

bool KeyStore::changed() {
    struct stat now {};
    ::stat(file_.c_str(), &now); // stays zero if there is none, and the change shows
    return !same(std::exchange(seen_, now), now);
}

std::shared_ptr<const AuthorizedKeys> KeyStore::read() const {
    auto keys = std::make_shared<AuthorizedKeys>(read_authorized_keys(file_, need_user_));
    for (const std::string& problem : keys->problems) {
        log_warning("keys", {{"file", file_.string()}, {"problem", problem}});
    }
    return keys;
}

} // namespace rc
