#include "common/copy/sender.hpp"

#include "common/copy/block_digest.hpp"
#include "common/copy/extents.hpp"
#include "common/copy/names.hpp"
#include "common/copy/replies.hpp"
#include "common/error.hpp"
#include "common/files.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <glob.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>

namespace rc::copy {

namespace {

// From this length on it is worth a question whether a part of a file is there already.
constexpr std::uint64_t resumable_from = 1024 * 1024;

// Something in an open folder.
struct Entry {
    int folder;
    std::string name;    // there
    std::string sent_as; // what the receiver is told
    std::string path;    // for messages
    bool follow = false; // a link is what it points to
    std::size_t depth = 1;
};

std::uint64_t seconds_of(const timespec& time) { return time.tv_sec < 0 ? 0 : static_cast<std::uint64_t>(time.tv_sec); }
std::uint64_t nanoseconds_of(const timespec& time) { return time.tv_sec < 0 ? 0 : static_cast<std::uint64_t>(time.tv_nsec); }

bool is_there(const std::string& path) {
    struct stat status {};
    return ::lstat(path.c_str(), &status) == 0;
}

std::vector<std::string> matches(const std::string& pattern) {
    glob_t found{};
    std::vector<std::string> paths;
    if (::glob(pattern.c_str(), GLOB_NOSORT, nullptr, &found) == 0) paths.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
    ::globfree(&found);
    std::ranges::sort(paths);
    return paths;
}

void count(const std::filesystem::path& path, bool recursive, Total& total) {
    std::error_code problem;
    const auto add = [&total](const std::filesystem::path& file) {
        std::error_code ignored;
        const std::uintmax_t size = std::filesystem::file_size(file, ignored);
        if (ignored) return;
        ++total.files;
        total.bytes += size;
    };
    if (std::filesystem::is_regular_file(path, problem)) add(path);
    if (!recursive || !std::filesystem::is_directory(path, problem)) return;
    using std::filesystem::recursive_directory_iterator;
    constexpr auto options = std::filesystem::directory_options::skip_permission_denied;
    for (recursive_directory_iterator entry(path, options, problem), end; !problem && entry != end; entry.increment(problem)) {
        std::error_code ignored;
        if (entry->symlink_status(ignored).type() == std::filesystem::file_type::regular) add(entry->path());
    }
}

class Sender {
public:
    Sender(Channel& channel, const SendOptions& options, Progress& progress, const Complain& complain)
        : channel_(channel), options_(options), progress_(progress), complain_(complain), replies_(channel, complain) {}

    void send() {
        try {
            send_all();
        } catch (const Broken&) {
            if (!replies_.finished()) throw; // else it has said why
        }
    }

private:
    void send_all() {
        const std::vector<std::pair<std::string, std::string>> sources = expand_sources();
        Total total;
        for (const auto& [path, name] : sources) count(path, options_.recursive, total);
        progress_.expect(total.files, total.bytes);
        channel_.send(total);
        for (const auto& [path, name] : sources) {
            const bool follow = !options_.recursive || path.ends_with('/') || name.empty();
            send_entry({AT_FDCWD, path, name, path, follow});
        }
        channel_.send(Finish{});
        channel_.flush();
        replies_.await_finish();
    }

    // Each with the name that it is sent under.
    std::vector<std::pair<std::string, std::string>> expand_sources() {
        std::vector<std::pair<std::string, std::string>> sources;
        for (const std::string& source : options_.sources) {
            const std::string path = options_.expand ? expand_home(source).string() : source;
            if (!options_.expand || !has_pattern(path) || is_there(path)) {
                sources.emplace_back(path, entry_name(source));
                continue;
            }
            const std::vector<std::string> found = matches(path);
            if (found.empty()) complain(source, ENOENT);
            for (const std::string& match : found) sources.emplace_back(match, entry_name(match));
        }
        return sources;
    }

    void complain(const std::string& text) {
        complain_(text);
        channel_.send(Problem{}, text.substr(0, text_limit));
    }
    void complain(const std::string& path, int error) { complain(path + ": " + std::strerror(error)); }

    void send_entry(const Entry& entry) {
        if (replies_.finished()) return;
        struct stat status {};
        if (::fstatat(entry.folder, entry.name.c_str(), &status, entry.follow ? 0 : AT_SYMLINK_NOFOLLOW) != 0) {
            complain(entry.path, errno);
        } else if (S_ISREG(status.st_mode)) {
            send_file(entry);
        } else if (S_ISDIR(status.st_mode)) {
            if (entry.depth > deepest)
                complain(entry.path + ": is too deep, more than " + std::to_string(deepest) + " directories");
            else if (options_.recursive) send_directory(entry);
            else complain(entry.path + ": is a directory; -r copies it");
        } else if (S_ISLNK(status.st_mode)) {
            send_link(entry);
        } else {
            complain(entry.path + ": is no regular file, directory or link");
        }
    }

    void send_link(const Entry& entry) {
        std::array<char, 4096> target{};
        const ssize_t length = ::readlinkat(entry.folder, entry.name.c_str(), target.data(), target.size());
        if (length < 0) return complain(entry.path, errno);
        std::string body = entry.sent_as;
        body.append(1, '\0').append(target.data(), static_cast<std::size_t>(length));
        channel_.send(Link{}, body);
    }

    void send_directory(const Entry& entry) {
        Descriptor fd = open(entry, O_DIRECTORY);
        struct stat status {};
        if (!fd.is_open() || ::fstat(fd.get(), &status) != 0) return complain(entry.path, errno);
        const std::unique_ptr<DIR, int (*)(DIR*)> folder(::fdopendir(fd.get()), &::closedir);
        if (!folder) return complain(entry.path, errno);
        fd.release(); // it is the folder's
        channel_.send(Directory{status.st_mode, seconds_of(status.st_mtim), nanoseconds_of(status.st_mtim)}, entry.sent_as);
        const std::string prefix = entry.path.ends_with('/') ? entry.path : entry.path + '/';
        errno = 0;
        while (const dirent* found = ::readdir(folder.get())) {
            const std::string name = found->d_name;
            if (name != "." && name != "..")
                send_entry({::dirfd(folder.get()), name, name, prefix + name, false, entry.depth + 1});
            errno = 0;
        }
        if (errno != 0) complain(entry.path, errno);
        channel_.send(Leave{});
    }

    // It may have become something else since it was looked at.
    static Descriptor open(const Entry& entry, int flags) {
        const int follow = entry.follow ? 0 : O_NOFOLLOW;
        return Descriptor(::openat(entry.folder, entry.name.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | follow | flags));
    }

    // Those of /proc say that they hold nothing.
    static bool has_a_byte(int fd) {
        char byte{};
        return ::pread(fd, &byte, 1, 0) == 1;
    }

    void send_file(const Entry& entry) {
        const Descriptor fd = open(entry, 0);
        struct stat status {};
        if (!fd.is_open() || ::fstat(fd.get(), &status) != 0) return complain(entry.path, errno);
        if (status.st_size == 0 && has_a_byte(fd.get()))
            return complain(entry.path + ": is not as empty as it says; cat shows it");
        File about{static_cast<std::uint64_t>(status.st_size), status.st_mode, seconds_of(status.st_mtim),
            nanoseconds_of(status.st_mtim), false};
        about.resumable = about.length >= resumable_from;
        progress_.begin(entry.path, about.length);
        replies_.expect(entry.path);
        channel_.send(about, entry.sent_as);
        Extents extents(fd.get(), about.length);
        BlockDigest digest;
        if (about.resumable && !agree_on_start(fd.get(), about.length, extents, digest)) return;
        send_content(entry, extents, digest);
        progress_.end();
    }

    // Whether the file is wanted. What the receiver has of it already is not sent if it is the same here.
    bool agree_on_start(int fd, std::uint64_t length, Extents& extents, BlockDigest& digest) {
        channel_.flush();
        const auto start = replies_.await_start();
        if (!start) return false;
        const bool possible = start->offset == length || (start->offset < length && start->offset % block_size == 0);
        if (!possible) throw Error(ErrorCode::bad_message, "the other end of the copy has more of a file than there is");
        const bool same = start->offset > 0 && add_file(digest, fd, start->offset) == 0 && equal(digest.value(), start->digest);
        if (!same) digest = BlockDigest();
        else extents.seek(start->offset);
        progress_.resume(extents.offset());
        channel_.send(From{extents.offset()});
        return true;
    }

    void send_content(const Entry& entry, Extents& extents, BlockDigest& digest) {
        while (!extents.at_end()) {
            const Extents::Piece piece = extents.next();
            if (piece.error != 0) {
                complain(entry.path,
                    piece.error == ENODATA ? "it has become shorter while it was copied" : std::strerror(piece.error));
                return channel_.send(Abort{});
            }
            if (replies_.unwanted()) return channel_.send(Abort{});
            send_piece(piece, digest);
        }
        replies_.sent(digest.value());
        channel_.send(End{}, digest.value());
    }
    void complain(const std::string& path, const char* problem) { complain(path + ": " + problem); }

    void send_piece(const Extents::Piece& piece, BlockDigest& digest) {
        if (piece.hole > 0) {
            digest.add_zeros(piece.hole);
            channel_.send(Hole{piece.hole});
        } else {
            digest.add(piece.data);
            channel_.send(Data{}, piece.data);
        }
        progress_.advance(std::max<std::uint64_t>(piece.hole, piece.data.size()));
    }

    Channel& channel_;
    const SendOptions& options_;
    Progress& progress_;
    const Complain& complain_;
    Replies replies_; // last: its thread uses the others
};

} // namespace

void send(Channel& channel, const SendOptions& options, Progress& progress, const Complain& complain) {
    Sender(channel, options, progress, complain).send();
}

} // namespace rc::copy
