#include "server/pid_file.hpp"

#include "common/bytes.hpp"
#include "common/error.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

namespace rc {

namespace {

[[noreturn]] void fail(const std::filesystem::path& file) {
    throw Error(ErrorCode::internal, file.string() + ": the process id cannot be written: " + std::strerror(errno));
}

// Of the process, unlike flock(2)'s: what it is just starting does not share it.
void lock(int fd, const std::filesystem::path& file) {
    struct flock whole {};
    whole.l_type = F_WRLCK;
    if (::fcntl(fd, F_SETLK, &whole) == 0) return;
    if (errno != EAGAIN && errno != EACCES) fail(file);
    ::fcntl(fd, F_GETLK, &whole);
    throw Error(ErrorCode::internal, file.string() + ": this is the file of another rcmd-server, process " +
                                         std::to_string(whole.l_pid) + "; end that, or choose another --pid-file");
}

bool is_still(int fd, const std::filesystem::path& file) {
    struct stat open {};
    struct stat named {};
    return ::fstat(fd, &open) == 0 && ::stat(file.c_str(), &named) == 0 && open.st_dev == named.st_dev &&
           open.st_ino == named.st_ino;
}

// One that ends may remove its file between our opening and our locking it.
Descriptor open_locked(const std::filesystem::path& file) {
    for (;;) {
        Descriptor opened(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
        if (!opened.is_open()) fail(file);
        lock(opened.get(), file);
        if (is_still(opened.get(), file)) return opened;
    }
}

} // namespace

PidFile::PidFile(std::filesystem::path file) : file_(std::move(file)) {
    if (file_.empty()) return;
    locked_ = open_locked(file_);
    const std::string text = std::to_string(::getpid()) + '\n';
    if (::ftruncate(locked_.get(), 0) != 0) fail(file_);
    if (const int problem = write_all(locked_.get(), as_bytes(text)); problem != 0) {
        errno = problem;
        fail(file_);
    }
}

PidFile::~PidFile() {
    std::error_code ignored;
    if (!file_.empty()) std::filesystem::remove(file_, ignored);
}

} // namespace rc
