#include "server/state_dir.hpp"

#include "common/bytes.hpp"
#include "common/error.hpp"
#include "common/files.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace rc {

namespace {

constexpr mode_t readable_by_others = S_IRWXG | S_IRWXO;

// Whoever else can write there can have commands run by putting jobs into it.
void check_ours(const std::filesystem::path& directory) {
    struct stat status {};
    if (::stat(directory.c_str(), &status) != 0)
        throw Error(ErrorCode::internal, directory.string() + ": " + std::strerror(errno));
    if (status.st_uid != ::geteuid())
        throw Error(ErrorCode::internal, directory.string() + ": belongs to somebody else; choose another --state-dir");
    if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        throw Error(ErrorCode::internal, directory.string() + ": others can write it; run: chmod go-w " + directory.string());
}

Descriptor lock(const std::filesystem::path& directory) {
    make_private_directories(directory);
    check_ours(directory);
    const std::filesystem::path file = directory / "lock";
    Descriptor fd(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!fd.is_open())
        throw Error(ErrorCode::internal, file.string() + ": " + std::strerror(errno) + "; choose another --state-dir");
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return fd;
    throw Error(ErrorCode::internal,
        directory.string() + ": another rcmd-server is using this state directory; end it, or choose another --state-dir");
}

Secret load_secret(const std::filesystem::path& file) {
    if (!std::filesystem::exists(file)) {
        const Secret fresh = make_random<Secret>();
        write_new(file, 0600, std::string(as_text(fresh)));
    }
    const std::string content = read_guarded(file, readable_by_others, 4096);
    Secret secret;
    if (content.size() != secret.size()) {
        throw Error(ErrorCode::internal,
            file.string() + ": not " + std::to_string(secret.size()) + " bytes; remove it, a new one will be made");
    }
    std::ranges::copy(as_bytes(content), secret.begin());
    return secret;
}

} // namespace

StateDir::StateDir(const std::filesystem::path& directory) : lock_(lock(directory)), secret_(load_secret(directory / "secret")) {}

} // namespace rc
