#include "server/log_sink.hpp"

#include "common/bytes.hpp"
#include "common/error.hpp"
#include "common/files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace rc {

namespace {

// Commands may hold secrets: nobody but the owner reads the file.
Descriptor open_file(const std::filesystem::path& file, int flags) {
    return Descriptor(::open(file.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY | flags, 0600));
}

} // namespace

LogSink::LogSink(std::filesystem::path file, LogFormat format) : file_(std::move(file)), format_(format) { reopen(); }

void LogSink::reopen() {
    if (file_.empty()) return;
    make_private_directories(file_.parent_path());
    Descriptor fresh = open_file(file_, O_CREAT);
    if (!fresh.is_open())
        throw Error(ErrorCode::internal, "the log file cannot be opened: " + file_.string() + ": " + std::strerror(errno));
    const std::lock_guard lock(mutex_);
    descriptor_ = std::move(fresh);
}

void LogSink::sink_it_(const spdlog::details::log_msg& message) {
    follow();
    if (lost_ > 0) report_lost();
    write(message);
}

// Nobody tells the supervisors of jobs when the file has been rotated: so whoever finds another one in its place goes over to that.
void LogSink::follow() {
    struct stat there {};
    struct stat here {};
    if (!descriptor_.is_open() || ::stat(file_.c_str(), &there) != 0 || ::fstat(descriptor_.get(), &here) != 0) return;
    if (there.st_dev == here.st_dev && there.st_ino == here.st_ino) return;
    Descriptor fresh = open_file(file_, 0);
    if (fresh.is_open()) descriptor_ = std::move(fresh);
}

void LogSink::write(const spdlog::details::log_msg& message) {
    spdlog::memory_buf_t line;
    if (torn_) line.push_back('\n');
    formatter_->format(message, line);
    std::size_t written = 0;
    const int fd = descriptor_.is_open() ? descriptor_.get() : STDERR_FILENO;
    if (write_all(fd, as_bytes(std::string_view(line.data(), line.size())), &written) != 0) ++lost_;
    if (written > 0) torn_ = line[written - 1] != '\n';
}

void LogSink::report_lost() {
    const std::uint64_t lost = std::exchange(lost_, 0);
    const std::string text = log_line(format_, "log_lost", {{"lines", std::to_string(lost)}});
    write(spdlog::details::log_msg("", spdlog::level::warn, text));
    if (lost_ > 0) lost_ = lost;
}

} // namespace rc
