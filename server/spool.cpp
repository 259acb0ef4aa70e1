#include "server/spool.hpp"

#include "common/bytes.hpp"
#include "common/described_json.hpp"
#include "common/error.hpp"
#include "common/files.hpp"
#include "server/outputs.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <string>
#include <thread>

namespace rc {

namespace fs = std::filesystem;

namespace {

constexpr ssize_t kept_size = 2 * sizeof(std::uint64_t);
constexpr std::uint64_t plenty = 64 * 1024 * 1024; // with less than that left for all jobs, they take turns
constexpr std::uint64_t writers = 64;              // that may share what is left without looking again
constexpr int attempts = 20;                       // to get a turn
constexpr std::chrono::milliseconds pause_between{1};
constexpr std::uint64_t block = 512; // of st_blocks
constexpr int make_hole = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;

off_t place_of(StreamName name) { return static_cast<off_t>(output_index(name) * sizeof(std::uint64_t)); }

fs::path file_of(const fs::path& directory, StreamName name) { return directory / to_string(name); }

[[noreturn]] void fail(const fs::path& file) { throw Error(ErrorCode::internal, file.string() + ": " + std::strerror(errno)); }

Descriptor open_or_fail(const fs::path& file, int flags) {
    Descriptor fd(::open(file.c_str(), flags | O_CLOEXEC | O_NONBLOCK, 0600)); // NOLINT(cppcoreguidelines-pro-type-vararg)
    if (!fd.is_open()) fail(file);
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) fail(file);
    if (!S_ISREG(status.st_mode)) throw Error(ErrorCode::internal, file.string() + ": not a regular file");
    return fd;
}

// Not open: others have it all the time, or the disk has no room even for that file.
Descriptor take_turn(const fs::path& file) {
    try {
        for (int attempt = 0; attempt < attempts; ++attempt) {
            if (Descriptor turn = try_lock(file); turn.is_open()) return turn;
            std::this_thread::sleep_for(pause_between);
        }
    } catch (const Error&) { // then the job waits
    }
    return {};
}

std::uint64_t size_of(int fd) {
    struct stat status {};
    return ::fstat(fd, &status) == 0 ? static_cast<std::uint64_t>(status.st_size) : 0;
}

} // namespace

// Its bytes are written at once, so that raising one needs no room on a disk that is full.
KeptOffsets::KeptOffsets(const fs::path& directory, bool writable)
    : file_(open_or_fail(directory / "kept", writable ? O_RDWR | O_CREAT : O_RDONLY)) {
    constexpr std::array<std::uint64_t, 2> nothing_dropped{};
    const bool fresh = writable && size_of(file_.get()) == 0;
    if (fresh && ::pwrite(file_.get(), nothing_dropped.data(), kept_size, 0) != kept_size) fail(directory / "kept");
    static_cast<void>(from(StreamName::stderr_));
}

std::uint64_t KeptOffsets::from(StreamName name) const {
    std::uint64_t offset = 0;
    const ssize_t count = ::pread(file_.get(), &offset, sizeof(offset), place_of(name));
    if (count != sizeof(offset)) throw Error(ErrorCode::internal, "it is not known any more where the kept output begins");
    return offset;
}

bool KeptOffsets::raise(StreamName name, std::uint64_t offset) {
    return ::pwrite(file_.get(), &offset, sizeof(offset), place_of(name)) == sizeof(offset) && sync();
}

bool KeptOffsets::sync() const { return ::fsync(file_.get()) == 0; }

SpoolWriter::SpoolWriter(const fs::path& directory, SpoolLimits limits) : kept_(directory, true), limits_(std::move(limits)) {
    for (const StreamName name : outputs) file(name).fd = open_or_fail(file_of(directory, name), O_WRONLY | O_CREAT | O_APPEND);
    droppable_ = ::fallocate(files_.front().fd.get(), make_hole, 0, 1) == 0;
}

SpoolWriter::File& SpoolWriter::file(StreamName name) { return files_[output_index(name)]; }

std::uint64_t SpoolWriter::from(StreamName name) const { return files_[output_index(name)].from; }
std::uint64_t SpoolWriter::end(StreamName name) const { return files_[output_index(name)].end; }

std::uint64_t SpoolWriter::own_room(std::uint64_t extra) const {
    std::uint64_t used = 0;
    for (const StreamName name : outputs) used += end(name) - from(name);
    return limits_.most + extra - std::min(limits_.most + extra, used);
}

std::uint64_t SpoolWriter::left_for_all() const {
    return limits_.most_of_all - std::min(limits_.most_of_all, limits_.used_by_all());
}

// Looking at all jobs takes a while, so it is done the less often the more room there is for all of them.
std::uint64_t SpoolWriter::common_room() {
    if (written_ >= next_look_) {
        const std::uint64_t left = left_for_all();
        scarce_ = left < plenty;
        next_look_ = written_ + (scarce_ ? 0 : left / writers);
    }
    return next_look_ - written_;
}

std::size_t SpoolWriter::append(StreamName name, std::span<const std::byte> bytes, std::uint64_t extra) {
    File& to = file(name);
    std::size_t done = 0;
    while (done < bytes.size()) {
        const std::span<const std::byte> rest = bytes.subspan(done);
        const std::uint64_t common = extra > 0 ? extra : common_room();
        const std::size_t count =
            extra == 0 && scarce_ ? write_in_turn(to, rest) : write(to, rest, std::min(own_room(extra), common));
        if (count == 0) break;
        done += count;
    }
    return done;
}

// Where every byte counts nobody else writes between the look and the writing.
std::size_t SpoolWriter::write_in_turn(File& to, std::span<const std::byte> bytes) {
    const Descriptor turn = take_turn(limits_.turns);
    return turn.is_open() ? write(to, bytes, std::min(own_room(0), left_for_all())) : 0;
}

// 0: there is no room, or the disk takes no more.
std::size_t SpoolWriter::write(File& to, std::span<const std::byte> bytes, std::uint64_t room) {
    bytes = bytes.first(static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), room)));
    ssize_t count = 0;
    if (!bytes.empty()) {
        do count = ::write(to.fd.get(), bytes.data(), bytes.size());
        while (count < 0 && errno == EINTR);
    }
    if (count <= 0) return 0;
    to.end += static_cast<std::uint64_t>(count);
    written_ += static_cast<std::uint64_t>(count);
    return static_cast<std::size_t>(count);
}

// A file system without holes gives no room: then the job waits longer. No reader takes a hole for output: it is said first.
void SpoolWriter::drop(StreamName name, std::uint64_t offset) {
    File& of = file(name);
    if (!droppable_ || offset <= of.from || !kept_.raise(name, offset)) return;
    ::fallocate(of.fd.get(), make_hole, static_cast<off_t>(of.from), static_cast<off_t>(offset - of.from));
    of.from = offset;
}

int SpoolWriter::sync() const {
    const bool synced = kept_.sync() && std::ranges::all_of(files_, [](const File& file) { return ::fsync(file.fd.get()) == 0; });
    return synced ? 0 : errno;
}

SpoolReader::SpoolReader(const fs::path& directory)
    : kept_(directory, false), files_{open_or_fail(file_of(directory, StreamName::stdout_), O_RDONLY),
                                   open_or_fail(file_of(directory, StreamName::stderr_), O_RDONLY)} {}

std::uint64_t SpoolReader::end(StreamName name) const { return size_of(files_[output_index(name)].get()); }

// The bytes are read first: they were what they seem if they are kept even now.
std::size_t SpoolReader::read(StreamName name, std::uint64_t offset, std::span<std::byte> space) {
    ssize_t count = 0;
    do count = ::pread(files_[output_index(name)].get(), space.data(), space.size(), static_cast<off_t>(offset));
    while (count < 0 && errno == EINTR);
    if (count < 0) throw Error(ErrorCode::internal, std::string("the kept output cannot be read: ") + std::strerror(errno));
    if (offset < from(name)) {
        throw Error(ErrorCode::conflict, "the first " + std::to_string(from(name)) + " bytes of " + std::string(to_string(name)) +
                                             " have been taken by another client and are not kept any more");
    }
    return static_cast<std::size_t>(count);
}

std::uint64_t spooled_bytes(const fs::path& jobs) {
    std::uint64_t total = 0;
    for (const fs::path& key : entries_of(jobs)) {
        for (const fs::path& job : entries_of(key)) {
            for (const StreamName name : outputs) {
                struct stat status {};
                if (::stat(file_of(job, name).c_str(), &status) == 0)
                    total += static_cast<std::uint64_t>(status.st_blocks) * block;
            }
        }
    }
    return total;
}

} // namespace rc
