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
#include <chrono>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <utility>

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
        throw Error(
            ErrorCode::internal, directory.string() + ": others can write it; run: chmod go-w " + shell_word(directory.string()));
}

// A process that a daemon was starting when it was killed shares the lock until it executes its program.
constexpr std::chrono::seconds handing_over{1};

Descriptor lock(const std::filesystem::path& directory) {
    make_private_directories(directory);
    check_ours(directory);
    const std::filesystem::path file = directory / "lock";
    Descriptor fd(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!fd.is_open())
        throw Error(ErrorCode::internal, file.string() + ": " + std::strerror(errno) + "; choose another --state-dir");
    const auto end = std::chrono::steady_clock::now() + handing_over;
    while (std::chrono::steady_clock::now() < end) {
        if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return fd;
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
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

// Text that holds a private key.
struct PrivateText {
    explicit PrivateText(std::string content) : text(std::move(content)) {}
    PrivateText(const PrivateText&) = delete;
    PrivateText& operator=(const PrivateText&) = delete;
    ~PrivateText() { wipe(std::as_writable_bytes(std::span(text))); }
    std::string text;
};

Identity load_identity(const std::filesystem::path& file) {
    if (!std::filesystem::exists(file)) {
        const PrivateText fresh(to_pem(make_identity()));
        write_new(file, 0600, fresh.text);
    }
    const PrivateText content(read_guarded(file, readable_by_others, 65536));
    std::optional<Identity> identity = parse_identity(content.text);
    if (identity) return std::move(*identity);
    throw Error(ErrorCode::internal,
        file.string() +
            ": not a private key and its certificate in PEM; bring back a copy of it, or remove it: a new one will be made, and "
            "clients will refuse this host until they have removed what they know of it");
}

} // namespace

StateDir::StateDir(const std::filesystem::path& directory)
    : lock_(lock(directory)), secret_(load_secret(directory / "secret")), identity_(load_identity(directory / "identity")) {}

} // namespace rc
