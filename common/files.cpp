#include "common/files.hpp"

#include "common/bytes.hpp"
#include "common/descriptor.hpp"
#include "common/error.hpp"

#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <utility>

namespace rc {

namespace {

[[noreturn]] void fail(const std::filesystem::path& file, const std::string& what) {
    throw Error(ErrorCode::internal, file.string() + ": " + what);
}

// Belongs to the open file, so that it passes to who inherits it; and can be looked at without being taken.
struct flock whole_file() {
    struct flock all {};
    all.l_type = F_WRLCK;
    all.l_whence = SEEK_SET;
    return all;
}

std::string octal(mode_t mode) {
    std::ostringstream text;
    text << '0' << std::oct << mode;
    return text.str();
}

} // namespace

std::string read_guarded(const std::filesystem::path& file, mode_t forbidden, std::size_t most) {
    const Descriptor fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (fd.get() < 0) fail(file, std::strerror(errno));
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) fail(file, std::strerror(errno));
    if (!S_ISREG(status.st_mode)) fail(file, "not a regular file");
    if (status.st_uid != ::geteuid() && status.st_uid != 0) fail(file, "belongs to somebody else");
    if ((status.st_mode & forbidden) != 0) {
        const mode_t mode = status.st_mode & 07777U;
        fail(file, "mode " + octal(mode) + " gives others too much; run: chmod " + octal(mode & ~forbidden) + " " +
                       shell_word(file.string()));
    }
    if (static_cast<std::size_t>(status.st_size) > most) fail(file, "larger than " + std::to_string(most) + " bytes");
    std::string content(static_cast<std::size_t>(status.st_size), '\0');
    std::size_t done = 0;
    while (done < content.size()) {
        const ssize_t count = ::read(fd.get(), content.data() + done, content.size() - done);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) fail(file, std::strerror(errno));
        if (count == 0) break;
        done += static_cast<std::size_t>(count);
    }
    content.resize(done);
    return content;
}

void write_new(const std::filesystem::path& file, mode_t mode, const std::string& content) {
    make_private_directories(file.parent_path());
    Descriptor fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
    if (fd.get() < 0 && errno == EEXIST) throw Error(ErrorCode::conflict, file.string() + ": exists already");
    if (fd.get() < 0) fail(file, std::strerror(errno));
    int problem = write_all(fd.get(), as_bytes(content));
    if (problem == 0 && ::fsync(fd.get()) != 0) problem = errno;
    if (::close(fd.release()) != 0 && problem == 0) problem = errno;
    if (problem == 0) return;
    ::unlink(file.c_str());
    fail(file, std::strerror(problem));
}

int sync_file(const std::filesystem::path& path) {
    const Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    return fd.is_open() && ::fsync(fd.get()) == 0 ? 0 : errno;
}

bool lock_open_file(int fd) {
    struct flock all = whole_file();
    return ::fcntl(fd, F_OFD_SETLK, &all) == 0;
}

Descriptor try_lock(const std::filesystem::path& file) {
    Descriptor lock(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!lock.is_open()) fail(file, std::strerror(errno));
    if (lock_open_file(lock.get())) return lock;
    return {};
}

bool is_locked(const std::filesystem::path& file) {
    const Descriptor lock(::open(file.c_str(), O_RDWR | O_CLOEXEC));
    if (!lock.is_open()) return false;
    struct flock all = whole_file();
    return ::fcntl(lock.get(), F_OFD_GETLK, &all) == 0 && all.l_type != F_UNLCK;
}

std::vector<std::filesystem::path> entries_of(const std::filesystem::path& directory) {
    std::vector<std::filesystem::path> entries;
    std::error_code problem;
    for (std::filesystem::directory_iterator entry(directory, problem), end; !problem && entry != end; entry.increment(problem)) {
        entries.push_back(entry->path());
    }
    return entries;
}

void make_private_directories(const std::filesystem::path& directory) {
    if (directory.empty() || std::filesystem::is_directory(directory)) return;
    make_private_directories(directory.parent_path());
    if (::mkdir(directory.c_str(), 0700) == 0) return;
    const int reason = errno;
    if (!std::filesystem::is_directory(directory))
        fail(directory, std::strerror(reason)); // another process may have been quicker
}

std::filesystem::path home_directory() {
    if (const char* home = std::getenv("HOME"); home != nullptr && *home == '/') return home;
    if (const passwd* account = ::getpwuid(::geteuid()); account != nullptr) return account->pw_dir;
    throw Error(ErrorCode::internal, "no home directory: HOME is not set and this user has no account");
}

std::filesystem::path expand_home(const std::string& path) {
    if (path == "~") return home_directory();
    if (path.starts_with("~/")) return home_directory() / path.substr(2);
    return path;
}

} // namespace rc
