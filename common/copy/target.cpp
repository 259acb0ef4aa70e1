#include "common/copy/target.hpp"

#include "common/copy/extents.hpp"
#include "common/copy/names.hpp"
#include "common/files.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace rc::copy {

namespace {

constexpr mode_t permissions = 0777; // set-id bits and the sticky bit are never copied
constexpr mode_t special = S_ISUID | S_ISGID | S_ISVTX;
constexpr mode_t for_us_only = 0600;
constexpr std::uint64_t write_out_every = 8 * 1024 * 1024; // so that there is little left to wait for at the end

std::array<timespec, 2> times_of(std::uint64_t seconds, std::uint64_t nanoseconds) {
    const timespec time{static_cast<time_t>(seconds), static_cast<long>(std::min<std::uint64_t>(nanoseconds, 999'999'999))};
    return {time, time};
}

mode_t permissions_of(std::uint64_t mode) { return static_cast<mode_t>(mode) & permissions; }

std::uint64_t whole_blocks(std::uint64_t size, std::uint64_t length) {
    return size >= length ? length : size / block_size * block_size;
}

bool write_at(int fd, std::span<const std::byte> bytes, std::uint64_t offset) {
    while (!bytes.empty()) {
        const ssize_t count = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return false;
        bytes = bytes.subspan(static_cast<std::size_t>(count));
        offset += static_cast<std::uint64_t>(count);
    }
    return true;
}

} // namespace

Refusal::Refusal(const std::string& path, int error) : Refusal(path, std::string(std::strerror(error))) {}

mode_t umask_of_process() {
    const mode_t mask = ::umask(0);
    ::umask(mask);
    return mask;
}

FolderPtr open_folder(const std::string& path) {
    Descriptor fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd.is_open()) throw Refusal(path, errno);
    return std::make_shared<Folder>(std::move(fd), path, false);
}

FolderPtr make_folder(const FolderPtr& parent, const std::string& name, const Directory& about, const Attributes& attributes) {
    const std::string path = parent->path_of(name);
    // While it is filled it must be possible to write into it.
    const mode_t mode = (permissions_of(about.mode) & ~attributes.umask) | S_IRWXU;
    const bool made = ::mkdirat(parent->fd.get(), name.c_str(), mode) == 0;
    if (!made && errno != EEXIST) throw Refusal(path, errno);
    Descriptor fd(::openat(parent->fd.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!fd.is_open())
        throw Refusal(path, errno == ELOOP || errno == ENOTDIR ? "is there and is no directory" : std::strerror(errno));
    return std::make_shared<Folder>(std::move(fd), path, made);
}

void finish_folder(const Folder& folder, const Directory& about, const Attributes& attributes) {
    struct stat now {};
    if (::fstat(folder.fd.get(), &now) != 0) throw Refusal(folder.path, errno);
    const mode_t mode = permissions_of(about.mode) & ~(attributes.preserve ? 0 : attributes.umask);
    const mode_t kept = now.st_mode & special; // of one that was there, or that its parent hands on
    const bool was_opened_for_us = folder.made && (mode & S_IRWXU) != S_IRWXU;
    if ((attributes.preserve || was_opened_for_us) && ::fchmod(folder.fd.get(), mode | kept) != 0)
        throw Refusal(folder.path, errno);
    const auto times = times_of(about.mtime, about.mtime_ns);
    if (attributes.preserve && ::futimens(folder.fd.get(), times.data()) != 0) throw Refusal(folder.path, errno);
    if (::fsync(folder.fd.get()) != 0) throw Refusal(folder.path, errno);
}

void make_link(const Folder& folder, const std::string& name, const std::string& points_to) {
    const std::string temporary = unique_partial_name(name);
    if (::symlinkat(points_to.c_str(), folder.fd.get(), temporary.c_str()) != 0) throw Refusal(folder.path_of(name), errno);
    if (::renameat(folder.fd.get(), temporary.c_str(), folder.fd.get(), name.c_str()) == 0) return;
    const int error = errno;
    ::unlinkat(folder.fd.get(), temporary.c_str(), 0);
    throw Refusal(folder.path_of(name), error);
}

NewFile::NewFile(FolderPtr folder, std::string name, const File& about)
    : folder_(std::move(folder)), name_(std::move(name)), about_(about), temporary_(partial_name(name_, about)),
      digest_(std::make_unique<BlockDigest>()) {
    ::clock_gettime(CLOCK_REALTIME_COARSE, &started_); // as the file system takes the time
    if (::fstatat(folder_->fd.get(), name_.c_str(), &before_, AT_SYMLINK_NOFOLLOW) != 0) before_.st_mode = 0;
    const bool replaceable = before_.st_mode == 0 || S_ISREG(before_.st_mode) || S_ISLNK(before_.st_mode);
    if (S_ISDIR(before_.st_mode)) throw Refusal(path(), "is a directory");
    if (!replaceable) throw Refusal(path(), "is there and is no regular file");
    if (open_partial()) measure();
    else open_unique();
}

NewFile::~NewFile() {
    if (fd_.is_open() && !in_place_ && !kept_) ::unlinkat(folder_->fd.get(), temporary_.c_str(), 0);
}

void NewFile::keep() { kept_ = about_.resumable && offset_ > 0 && !replaced_meanwhile() && give_usual_name(); }

// Only under that name it is found again. Not if the file that has it is still being written, or is further.
bool NewFile::give_usual_name() {
    const std::string usual = partial_name(name_, about_);
    if (temporary_ == usual) return true;
    const Descriptor there(::openat(folder_->fd.get(), usual.c_str(), O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (!there.is_open() && errno != ENOENT) return false;
    struct stat status {};
    if (there.is_open()) {
        if (!lock_open_file(there.get()) || ::fstat(there.get(), &status) != 0) return false;
        if (static_cast<std::uint64_t>(status.st_size) > offset_) return false;
    }
    return ::renameat(folder_->fd.get(), temporary_.c_str(), folder_->fd.get(), usual.c_str()) == 0;
}

// Somebody else has copied a file to this place since: nobody is going to continue this one.
bool NewFile::replaced_meanwhile() const {
    struct stat now {};
    if (::fstatat(folder_->fd.get(), name_.c_str(), &now, AT_SYMLINK_NOFOLLOW) != 0) return false;
    const auto as_pair = [](const timespec& time) { return std::pair(time.tv_sec, time.tv_nsec); };
    return now.st_ino != before_.st_ino && as_pair(now.st_ctim) >= as_pair(started_);
}

// The name that every copy of this source tries. It is ours if it is a file of ours alone that no other copy has locked, and which has
// not become the target of one before it was locked here.
bool NewFile::open_partial() {
    Descriptor fd(
        ::openat(folder_->fd.get(), temporary_.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, for_us_only));
    if (!fd.is_open()) return false;
    struct stat open {};
    struct stat named {};
    if (::fstat(fd.get(), &open) != 0 || !S_ISREG(open.st_mode) || open.st_uid != ::geteuid() || open.st_nlink != 1) return false;
    if (!lock_open_file(fd.get())) {
        if (about_.resumable) take_over(fd.get());
        return fd_.is_open();
    }
    if (::fstatat(folder_->fd.get(), temporary_.c_str(), &named, AT_SYMLINK_NOFOLLOW) != 0) return false;
    if (open.st_dev != named.st_dev || open.st_ino != named.st_ino) return false;
    fd_ = std::move(fd);
    return true;
}

void NewFile::open_unique() {
    temporary_ = unique_partial_name(name_);
    fd_ = Descriptor(
        ::openat(folder_->fd.get(), temporary_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, for_us_only));
    if (!fd_.is_open()) throw Refusal(path(), errno);
    lock_open_file(fd_.get());
}

// Another copy is still at it, or is given up and does not know yet: what it has is what this one begins with.
void NewFile::take_over(int other) {
    struct stat status {};
    if (::fstat(other, &status) != 0) return;
    open_unique();
    Extents extents(other, whole_blocks(static_cast<std::uint64_t>(status.st_size), about_.length));
    std::uint64_t offset = 0;
    while (!extents.at_end()) {
        const Extents::Piece piece = extents.next();
        if (piece.error != 0 || (piece.hole == 0 && !write_at(fd_.get(), piece.data, offset))) break;
        offset = extents.offset();
    }
    check(::ftruncate(fd_.get(), static_cast<off_t>(offset)) == 0);
}

void NewFile::measure() {
    struct stat status {};
    check(::fstat(fd_.get(), &status) == 0);
    const std::uint64_t there = about_.resumable ? whole_blocks(static_cast<std::uint64_t>(status.st_size), about_.length) : 0;
    if (add_file(*digest_, fd_.get(), there) != 0) return restart();
    offset_ = there;
    if (static_cast<std::uint64_t>(status.st_size) > there) check(::ftruncate(fd_.get(), static_cast<off_t>(there)) == 0);
}

void NewFile::restart() {
    check(::ftruncate(fd_.get(), 0) == 0);
    digest_ = std::make_unique<BlockDigest>();
    offset_ = 0;
    written_out_ = 0;
}

void NewFile::write(std::span<const std::byte> block) {
    digest_->add(block);
    check(write_at(fd_.get(), block, offset_));
    offset_ += block.size();
    if (offset_ - written_out_ < write_out_every) return;
    ::sync_file_range(
        fd_.get(), static_cast<off_t>(written_out_), static_cast<off_t>(offset_ - written_out_), SYNC_FILE_RANGE_WRITE);
    written_out_ = offset_;
}

// The file grows with it, so that its size tells how far it is.
void NewFile::skip(std::uint64_t length) {
    check(::ftruncate(fd_.get(), static_cast<off_t>(offset_ + length)) == 0);
    offset_ += length;
    digest_->add_zeros(length);
}

// As if the old file had been written over, where we may.
void NewFile::keep_owner() const {
    if (!S_ISREG(before_.st_mode)) return;
    if (::fchown(fd_.get(), before_.st_uid, before_.st_gid) == 0) return;
    [[maybe_unused]] const int group = ::fchown(fd_.get(), static_cast<uid_t>(-1), before_.st_gid);
}

void NewFile::complete(const Attributes& attributes) {
    mode_t mode = permissions_of(about_.mode);
    if (!attributes.preserve) mode = S_ISREG(before_.st_mode) ? permissions_of(before_.st_mode) : mode & ~attributes.umask;
    check(::fchmod(fd_.get(), mode) == 0);
    if (!attributes.preserve) return;
    const auto times = times_of(about_.mtime, about_.mtime_ns);
    check(::futimens(fd_.get(), times.data()) == 0);
}

void NewFile::sync() const { check(::fsync(fd_.get()) == 0); }

void NewFile::rename() {
    keep_owner(); // at last: a file that is somebody else's is not gone on with
    check(::renameat(folder_->fd.get(), temporary_.c_str(), folder_->fd.get(), name_.c_str()) == 0);
    in_place_ = true;
}

void NewFile::check(bool done) const {
    if (!done) throw Refusal(path(), errno);
}

} // namespace rc::copy
