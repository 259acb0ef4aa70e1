#include "common/copy/receiver.hpp"

#include "common/bytes.hpp"
#include "common/copy/names.hpp"
#include "common/error.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <filesystem>
#include <limits>
#include <set>
#include <thread>
#include <type_traits>
#include <utility>

namespace rc::copy {

namespace {

// So many files wait to be brought to the disk together, or so many bytes.
constexpr std::size_t most_waiting = 128;
constexpr std::uint64_t most_bytes_waiting = 16 * 1024 * 1024;
constexpr std::size_t syncs_at_a_time = 8;
constexpr std::size_t longest_path = 64 * 1024;
constexpr std::uint64_t longest_file = std::numeric_limits<off_t>::max();

[[noreturn]] void not_asked_for(const std::string& what) {
    throw Error(ErrorCode::bad_message, "the other end of the copy sent what was not asked for: " + what);
}

[[noreturn]] void out_of_order(const std::string& what) {
    throw Error(ErrorCode::unexpected_message, "the other end of the copy is out of order: " + what);
}

std::string text_of(std::span<const std::byte> body) { return std::string(as_text(body)); }

// A link that the user typed is followed.
std::string resolved(const std::string& target) {
    std::error_code problem;
    if (!std::filesystem::is_symlink(target, problem)) return target;
    const auto real = std::filesystem::canonical(target, problem);
    if (problem) throw Refusal(target, "is a link to nothing");
    return real.string();
}

// Brings files to the disk, several at a time: each waits for the disk, which takes them together. What was wrong with each, or nothing.
std::vector<std::string> sync_all(const std::deque<std::unique_ptr<NewFile>>& files) {
    std::vector<std::string> problems(files.size());
    std::atomic<std::size_t> next = 0;
    const auto work = [&] {
        for (std::size_t i = next++; i < files.size(); i = next++) {
            try {
                files[i]->sync();
            } catch (const Refusal& refusal) {
                problems[i] = refusal.what();
            }
        }
    };
    std::vector<std::thread> threads;
    threads.reserve(syncs_at_a_time);
    for (std::size_t i = 1; i < std::min(syncs_at_a_time, files.size()); ++i) threads.emplace_back(work);
    work();
    for (std::thread& thread : threads) thread.join();
    return problems;
}

} // namespace

Receiver::Receiver(Channel& channel, ReceiveOptions options, Progress& progress, Complain complain)
    : channel_(channel), options_(std::move(options)), progress_(progress), complain_(std::move(complain)) {}

void Receiver::open_target() {
    std::string target = options_.target.empty() ? "." : options_.target;
    struct stat status {};
    const bool there = ::stat(target.c_str(), &status) == 0;
    if (options_.into_folder || (there && S_ISDIR(status.st_mode))) {
        levels_.push_back({open_folder(target), {}});
        return;
    }
    if (there && !S_ISREG(status.st_mode))
        throw Refusal(target, "is there and is no regular file"); // /dev/stdout is a link to such a one
    const bool folder_only = target.ends_with('/');
    while (target.size() > 1 && target.ends_with('/')) target.pop_back();
    if (folder_only && (there || !options_.recursive)) throw Refusal(options_.target, "is no directory");
    target = resolved(target);
    const std::size_t slash = target.rfind('/');
    only_name_ = target.substr(slash + 1);
    if (!valid_name(only_name_)) throw Refusal(options_.target, "cannot be made");
    const std::string parent = slash == target.npos ? "." : slash == 0 ? "/" : target.substr(0, slash);
    levels_.push_back({open_folder(parent), {}});
}

void Receiver::receive() {
    try {
        open_target();
    } catch (const Refusal& refusal) {
        refuse(refusal);
        channel_.send(Finish{});
        channel_.flush();
        return;
    }
    try {
        while (take(channel_.receive())) {
        }
    } catch (...) {
        leave();
        throw;
    }
    finish();
}

// What is complete is put into place; whether the sender hears of it does not matter any more.
void Receiver::leave() {
    if (file_) file_->keep();
    file_.reset();
    try {
        commit_files();
    } catch (const Broken&) {
        complete_.clear();
    }
}

bool Receiver::take(const Received& received) {
    if (std::holds_alternative<Finish>(received.message)) return false;
    std::visit([&](const auto& message) { on(message, received.body); }, received.message);
    if (complete_.size() + left_.size() >= most_waiting) commit();
    return true;
}

template <class T>
void Receiver::on(const T&, std::span<const std::byte>) {
    out_of_order("a message of the receiving end's");
}

void Receiver::on(const Total& total, std::span<const std::byte>) { progress_.expect(total.files, total.bytes); }

void Receiver::on(const Problem&, std::span<const std::byte> body) { complain_(text_of(body)); }

// The name in the folder under way; checks that it is one that may come there.
std::string Receiver::place_of(const std::string& name) {
    if (in_file_) out_of_order("an entry in the midst of a file");
    const bool top = levels_.size() == 1;
    if (top && !is_wanted(options_.names, name)) not_asked_for("'" + escape(name, longest_quote) + "'");
    if (!(top && name.empty()) && !valid_name(name)) not_asked_for("the name '" + escape(name, longest_quote) + "'");
    if (!top || only_name_.empty()) return name;
    if (std::exchange(only_taken_, true)) throw Refusal(options_.target, "is no directory, and there is more than one source");
    return only_name_;
}

void Receiver::on(const Directory& about, std::span<const std::byte> body) {
    if (!options_.recursive) not_asked_for("a directory");
    const std::string name = text_of(body);
    if (skipped_ > 0) return skip(name);
    try {
        enter(place_of(name), about);
    } catch (const Refusal& refusal) {
        refuse(refusal);
        skipped_ = 1;
        const bool renamed = levels_.size() == 1 && !only_name_.empty();
        skipped_path_ = levels_.back().folder->path_of(renamed ? only_name_ : name);
    }
}

void Receiver::enter(const std::string& name, const Directory& about) {
    const Level& level = levels_.back();
    if (levels_.size() > deepest) throw Refusal(level.folder->path_of(name), "is too deep");
    if (name.empty()) levels_.push_back({level.folder, {}});
    else levels_.push_back({make_folder(level.folder, name, about, options_.attributes), about});
}

void Receiver::skip(const std::string& name) {
    if (in_file_) out_of_order("an entry in the midst of a file");
    if (!valid_name(name)) not_asked_for("the name '" + escape(name, longest_quote) + "'");
    ++skipped_;
    if (unnamed_ > 0 || skipped_path_.size() > longest_path) ++unnamed_;
    else skipped_path_.append(1, '/').append(name);
}

void Receiver::leave_skipped() {
    --skipped_;
    if (unnamed_ > 0) --unnamed_;
    else skipped_path_.resize(skipped_path_.rfind('/') == skipped_path_.npos ? 0 : skipped_path_.rfind('/'));
}

void Receiver::on(const Leave&, std::span<const std::byte>) {
    if (in_file_) out_of_order("the end of a directory in the midst of a file");
    if (skipped_ > 0) return leave_skipped();
    if (levels_.size() < 2) out_of_order("the end of a directory that never began");
    if (levels_.back().about) left_.push_back({levels_.back().folder, *levels_.back().about});
    levels_.pop_back();
}

void Receiver::on(const Link&, std::span<const std::byte> body) {
    if (!options_.recursive) not_asked_for("a link");
    if (skipped_ > 0) return;
    const std::string text = text_of(body);
    const std::size_t end = text.find('\0');
    const bool right = end != text.npos && end + 1 < text.size() && text.find('\0', end + 1) == text.npos;
    if (!right) throw Error(ErrorCode::bad_message, "a link is a name, NUL and what it points to");
    try {
        make_link(*levels_.back().folder, place_of(text.substr(0, end)), text.substr(end + 1));
    } catch (const Refusal& refusal) {
        refuse(refusal);
    }
}

void Receiver::on(const File& about, std::span<const std::byte> body) {
    const std::string name = text_of(body);
    if (name.empty()) not_asked_for("a file without a name");
    if (in_file_) out_of_order("a file in the midst of another one");
    progress_.begin(name, about.length);
    try {
        if (skipped_ > 0) throw Refusal(skipped_path_ + '/' + name, "its directory could not be made");
        if (about.length > longest_file) throw Refusal(levels_.back().folder->path_of(name), EFBIG);
        const std::string place = place_of(name);
        if (about.resumable) commit(); // its own answer comes after theirs
        file_ = std::make_unique<NewFile>(levels_.back().folder, place, about);
    } catch (const Refusal& refusal) {
        refuse_file(refusal);
    }
    in_file_ = !about.resumable || file_;
    length_ = about.length;
    taken_ = 0;
    awaits_from_ = in_file_ && about.resumable;
    if (!awaits_from_) return;
    channel_.send(Resume{file_->offset()}, file_->digest());
    channel_.flush();
}

void Receiver::on(const From& from, std::span<const std::byte>) {
    if (!std::exchange(awaits_from_, false)) out_of_order("the beginning of a file");
    if (from.offset != 0 && from.offset != file_->offset()) out_of_order("another beginning of a file");
    taken_ = from.offset;
    progress_.resume(from.offset);
    if (from.offset == 0 && file_->offset() != 0) write([](NewFile& file) { file.restart(); });
}

void Receiver::need_file() const {
    if (!in_file_ || awaits_from_) out_of_order("content without a file");
}

// A piece is whole blocks, or ends where the file does.
void Receiver::need_room(std::uint64_t length) const {
    need_file();
    const bool fits = length > 0 && length <= length_ - taken_ && (length % block_size == 0 || length == length_ - taken_);
    if (!fits) out_of_order("a piece that is not the next one of the file");
}

void Receiver::write(const std::function<void(NewFile&)>& what) {
    if (!file_) return;
    try {
        what(*file_);
    } catch (const Refusal& refusal) {
        refuse_file(refusal);
    }
}

void Receiver::on(const Data&, std::span<const std::byte> body) {
    need_room(body.size());
    taken_ += body.size();
    progress_.advance(body.size());
    write([&](NewFile& file) { file.write(body); });
}

void Receiver::on(const Hole& hole, std::span<const std::byte>) {
    need_room(hole.length);
    taken_ += hole.length;
    progress_.advance(hole.length);
    write([&](NewFile& file) { file.skip(hole.length); });
}

void Receiver::on(const End&, std::span<const std::byte> body) {
    need_file();
    if (taken_ != length_) out_of_order("the end of a file that is longer");
    in_file_ = false;
    progress_.end();
    if (!file_) return;
    if (!equal(file_->digest(), body)) {
        return refuse_file(Refusal(file_->path(), "what arrived is not what was sent: the digests differ"));
    }
    write([&](NewFile& file) { file.complete(options_.attributes); });
    if (!file_) return;
    complete_.push_back(std::move(file_));
    if (length_ >= most_bytes_waiting) commit();
}

void Receiver::on(const Abort&, std::span<const std::byte>) {
    need_file();
    in_file_ = false;
    if (!file_) return; // the sender has been told
    file_.reset();
    commit_files();
    channel_.send(Refused{}); // it knows why
}

// The sender hears of it at once: it need not send the rest. Files before it are answered before.
void Receiver::refuse_file(const Refusal& refusal) {
    file_.reset();
    commit_files();
    complain_(refusal.what());
    channel_.send(Refused{}, std::string(refusal.what()).substr(0, text_limit));
    channel_.flush();
}

void Receiver::refuse(const Refusal& refusal) {
    complain_(refusal.what());
    channel_.send(Problem{}, std::string(refusal.what()).substr(0, text_limit));
}

void Receiver::commit() {
    commit_files();
    for (; !left_.empty(); left_.pop_front()) {
        try {
            finish_folder(*left_.front().folder, left_.front().about, options_.attributes);
        } catch (const Refusal& refusal) {
            refuse(refusal);
        }
    }
    channel_.flush();
}

// Each has its name only when it is on the disk.
void Receiver::commit_files() {
    std::vector<std::string> problems = sync_all(complete_);
    std::set<FolderPtr> folders;
    for (std::size_t i = 0; i < complete_.size(); ++i) {
        if (!problems[i].empty()) continue;
        try {
            complete_[i]->rename();
            folders.insert(complete_[i]->folder());
        } catch (const Refusal& refusal) {
            problems[i] = refusal.what();
        }
    }
    for (const FolderPtr& folder : folders) ::fsync(folder->fd.get());
    for (std::size_t i = 0; i < complete_.size(); ++i) {
        if (problems[i].empty()) {
            channel_.send(Stored{}, complete_[i]->digest());
        } else {
            complain_(problems[i]);
            channel_.send(Refused{}, problems[i].substr(0, text_limit));
        }
    }
    complete_.clear();
}

void Receiver::finish() {
    if (in_file_ || levels_.size() != 1 || skipped_ > 0) out_of_order("the end in the midst of a file or directory");
    commit();
    channel_.send(Finish{});
    channel_.flush();
}

} // namespace rc::copy
