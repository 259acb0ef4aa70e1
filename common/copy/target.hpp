// Files as they come in: complete in their place, or not there at all. Names are looked up in open folders and never followed, so
// that nothing is written outside of them.
#pragma once

#include "common/copy/block_digest.hpp"
#include "common/copy/message.hpp"
#include "common/descriptor.hpp"

#include <cstdint>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>

#include <sys/stat.h>
#include <time.h>

namespace rc::copy {

// Something cannot be put into its place. `what()`: which and why, for a person.
class Refusal : public std::runtime_error {
public:
    Refusal(const std::string& path, const std::string& problem) : std::runtime_error(path + ": " + problem) {}
    Refusal(const std::string& path, int error);
};

// An open folder. `path` is for messages.
struct Folder {
    Folder(Descriptor open, std::string name, bool made_now) : fd(std::move(open)), path(std::move(name)), made(made_now) {}

    Descriptor fd;
    std::string path;
    bool made; // by this copy

    [[nodiscard]] std::string path_of(const std::string& name) const { return path.empty() ? name : path + '/' + name; }
};
using FolderPtr = std::shared_ptr<const Folder>;

// What a copy gives to what it makes.
struct Attributes {
    bool preserve = false; // the source's modes and times
    mode_t umask = 022;    // else
};

// Not while another thread makes files.
mode_t umask_of_process();

// Opens a folder by a path, whose links are the user's own. Throws Refusal.
FolderPtr open_folder(const std::string& path);
// Opens a folder in another one, or makes it; a link to one is none. Throws Refusal.
FolderPtr make_folder(const FolderPtr& parent, const std::string& name, const Directory& about, const Attributes& attributes);
// When all is in it that belongs in it: its mode and times, and the disk. Throws Refusal.
void finish_folder(const Folder& folder, const Directory& about, const Attributes& attributes);

// Makes a symbolic link, or replaces what is there by it. Throws Refusal.
void make_link(const Folder& folder, const std::string& name, const std::string& points_to);

// A file on its way into its place. While it is under way it has another name beside it, where it is removed unless it is kept or
// completed.
class NewFile {
public:
    // Throws Refusal.
    NewFile(FolderPtr folder, std::string name, const File& about);
    NewFile(const NewFile&) = delete;
    NewFile& operator=(const NewFile&) = delete;
    ~NewFile();

    [[nodiscard]] const File& about() const { return about_; }
    [[nodiscard]] std::string path() const { return folder_->path_of(name_); }
    // How much is there; its content up to here has the digest.
    [[nodiscard]] std::uint64_t offset() const { return offset_; }
    [[nodiscard]] Digest digest() const { return digest_->value(); }

    // The copy is broken off: what is there of a resumable file stays, so that the next copy of the same source goes on with it.
    void keep();
    // What is there is another file's beginning. Throws Refusal, as the rest does.
    void restart();
    void write(std::span<const std::byte> block);
    void skip(std::uint64_t length);

    // The rest of its way: the attributes; the disk has it; its name.
    void complete(const Attributes& attributes);
    void sync() const;
    void rename();
    [[nodiscard]] const FolderPtr& folder() const { return folder_; }

private:
    bool open_partial();
    void open_unique();
    void keep_owner() const;
    void measure();
    void take_over(int other);
    [[nodiscard]] bool replaced_meanwhile() const;
    [[nodiscard]] bool give_usual_name();
    void check(bool done) const;

    FolderPtr folder_;
    std::string name_;
    File about_;
    std::string temporary_;
    Descriptor fd_;
    struct stat before_ {}; // of what has the name so far; st_mode 0: nothing
    timespec started_{};
    std::unique_ptr<BlockDigest> digest_;
    std::uint64_t offset_ = 0;
    std::uint64_t written_out_ = 0;
    bool in_place_ = false;
    bool kept_ = false;
};

} // namespace rc::copy
