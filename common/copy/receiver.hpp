// The end of a copy that writes files. It trusts the other end with nothing but their content.
#pragma once

#include "common/copy/channel.hpp"
#include "common/copy/progress.hpp"
#include "common/copy/target.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace rc::copy {

// Takes a line about something that is not copied.
using Complain = std::function<void(const std::string& line)>;

struct ReceiveOptions {
    std::string target;       // a folder to put the sources in, or what the only source is to be called
    bool into_folder = false; // it must be a folder
    bool recursive = false;   // folders and links may come
    Attributes attributes;
    std::vector<std::string> names; // of the sources, as entry_name() has them: nothing else is taken
};

class Receiver {
public:
    Receiver(Channel& channel, ReceiveOptions options, Progress& progress, Complain complain);
    Receiver(const Receiver&) = delete;
    Receiver& operator=(const Receiver&) = delete;

    // Until the sender has finished. What has come in whole by then is in place, also when this throws. Throws Broken, and Error for
    // what breaks the protocol or was not asked for.
    void receive();

private:
    struct Level {
        FolderPtr folder;
        std::optional<Directory> about; // absent: the target itself, which stays as it is
    };
    struct Left { // a folder that has all that belongs in it
        FolderPtr folder;
        Directory about;
    };

    void open_target();
    bool take(const Received& received);
    void on(const Total& total, std::span<const std::byte> body);
    void on(const Directory& about, std::span<const std::byte> body);
    void on(const Leave& leave, std::span<const std::byte> body);
    void on(const File& about, std::span<const std::byte> body);
    void on(const Link& link, std::span<const std::byte> body);
    void on(const From& from, std::span<const std::byte> body);
    void on(const Data& data, std::span<const std::byte> body);
    void on(const Hole& hole, std::span<const std::byte> body);
    void on(const End& end, std::span<const std::byte> body);
    void on(const Abort& abort, std::span<const std::byte> body);
    void on(const Problem& problem, std::span<const std::byte> body);
    template <class T>
    void on(const T& other, std::span<const std::byte> body);

    [[nodiscard]] std::string place_of(const std::string& name);
    void enter(const std::string& name, const Directory& about);
    void skip(const std::string& name);
    void leave_skipped();
    void need_file() const;
    void need_room(std::uint64_t length) const;
    void write(const std::function<void(NewFile&)>& what);
    void refuse_file(const Refusal& refusal);
    void refuse(const Refusal& refusal);
    void commit();
    void commit_files();
    void leave();
    void finish();

    Channel& channel_;
    ReceiveOptions options_;
    Progress& progress_;
    Complain complain_;

    std::string only_name_; // what the only source is to be called; empty: it keeps its name
    bool only_taken_ = false;
    std::vector<Level> levels_;
    // A folder that could not be made, and those in it that are under way: how deep, and the path, of which what is too long is left out.
    std::size_t skipped_ = 0;
    std::size_t unnamed_ = 0;
    std::string skipped_path_;
    // The file under way. Without `file_` its content is dropped: it has been refused.
    bool in_file_ = false;
    bool awaits_from_ = false;
    std::uint64_t length_ = 0;
    std::uint64_t taken_ = 0;
    std::unique_ptr<NewFile> file_;
    std::deque<std::unique_ptr<NewFile>> complete_; // but not yet on the disk
    std::deque<Left> left_;
};

} // namespace rc::copy
