#include "server/pid_file.hpp"

#include "common/bytes.hpp"
#include "common/error.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <string>
#include <utility>

namespace rc {

namespace {

[[noreturn]] void fail(const std::filesystem::path& file) {
    throw Error(ErrorCode::internal, file.string() + ": the process id cannot be written: " + std::strerror(errno));
}

pid_t written_in(int fd) {
    std::array<char, 32> text{};
    const ssize_t count = ::pread(fd, text.data(), text.size(), 0);
    pid_t pid = 0;
    if (count > 0) std::from_chars(text.data(), text.data() + count, pid);
    return pid;
}

// The daemon whose file it is: the one that is named there, and has it locked. Anybody who may read it can lock it, too, and some file systems
// know no locks: neither keeps a daemon from its start. The lock is the process's, unlike flock(2)'s: what it is just starting does not share it.
std::optional<pid_t> lock_or_find_owner(int fd) {
    struct flock whole {};
    whole.l_type = F_WRLCK;
    if (::fcntl(fd, F_SETLK, &whole) == 0) return std::nullopt;
    const bool held = ::fcntl(fd, F_GETLK, &whole) == 0 && whole.l_type != F_UNLCK;
    return held && whole.l_pid > 0 && whole.l_pid == written_in(fd) ? std::optional(whole.l_pid) : std::nullopt;
}

bool is_still(int fd, const std::filesystem::path& file) {
    struct stat open {};
    struct stat named {};
    return ::fstat(fd, &open) == 0 && ::stat(file.c_str(), &named) == 0 && open.st_dev == named.st_dev &&
           open.st_ino == named.st_ino;
}

// One that ends may remove its file between our opening and our locking it.
Descriptor open_own(const std::filesystem::path& file) {
    for (;;) {
        Descriptor opened(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
        if (!opened.is_open()) fail(file);
        if (const auto owner = lock_or_find_owner(opened.get()))
            throw Error(ErrorCode::internal, file.string() + ": this is the file of another rcmd-server, process " +
                                                 std::to_string(*owner) + "; end that, or choose another --pid-file");
        if (is_still(opened.get(), file)) return opened;
    }
}

} // namespace

PidFile::PidFile(std::filesystem::path file) : file_(std::move(file)) {
    if (file_.empty()) return;
    own_ = open_own(file_);
    const std::string text = std::to_string(::getpid()) + '\n';
    if (::ftruncate(own_.get(), 0) != 0) fail(file_);
    if (const int problem = write_all(own_.get(), as_bytes(text)); problem != 0) {
        errno = problem;
        fail(file_);
    }
}

// Another one may have been put in its place.
PidFile::~PidFile() {
    std::error_code ignored;
    if (own_.is_open() && is_still(own_.get(), file_)) std::filesystem::remove(file_, ignored);
}

} // namespace rc
