#include "client/history.hpp"

#include "common/bytes.hpp"
#include "common/descriptor.hpp"
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

constexpr std::size_t most_bytes = 64 * 1024 * 1024;
constexpr std::size_t slack = most_history_entries / 10; // so that not every run writes the file anew

std::string encode(std::string_view entry) {
    std::string line;
    for (const char byte : entry) {
        if (byte == '\n') line += "\\n";
        else if (byte == '\\') line += "\\\\";
        else line += byte;
    }
    return line.append(1, '\n');
}

std::string decode(std::string_view line) {
    std::string entry;
    for (std::size_t i = 0; i < line.size(); ++i) {
        const bool escaped = line[i] == '\\' && i + 1 < line.size();
        if (escaped) ++i;
        entry += escaped && line[i] == 'n' ? '\n' : line[i];
    }
    return entry;
}

bool is_entry(std::string_view text) {
    return !text.empty() && text.front() != ' ' && text.find('\0') == text.npos && is_utf8(text);
}

// A file that does not exist yet will be one.
bool is_regular(const std::filesystem::path& file) {
    struct stat facts {};
    return ::stat(file.c_str(), &facts) != 0 || S_ISREG(facts.st_mode);
}

void replace(const std::filesystem::path& file, const std::vector<std::string>& entries) {
    std::string text;
    for (const std::string& entry : entries) text += encode(entry);
    const std::filesystem::path fresh = file.string().append(".").append(std::to_string(::getpid()));
    write_new(fresh, 0600, text);
    std::filesystem::rename(fresh, file);
}

} // namespace

History::History(std::filesystem::path file) : file_(std::move(file)) {
    if (!is_regular(file_)) {
        file_.clear();
        return;
    }
    try {
        load();
    } catch (const std::exception& error) {
        problem_ = error.what();
    }
}

void History::load() {
    if (!std::filesystem::exists(file_)) return;
    const std::string text = read_guarded(file_, 022, most_bytes);
    for (std::size_t at = 0, end = 0; (end = text.find('\n', at)) != text.npos; at = end + 1) {
        std::string entry = decode(std::string_view(text).substr(at, end - at));
        if (is_entry(entry)) entries_.push_back(std::move(entry));
    }
    if (entries_.size() <= most_history_entries) return;
    const std::size_t surplus = entries_.size() - most_history_entries;
    entries_.erase(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(surplus));
    if (surplus > slack) replace(file_, entries_);
}

bool History::remember(const std::string& entry) {
    if (!is_entry(entry) || (!entries_.empty() && entries_.back() == entry)) return false;
    entries_.push_back(entry);
    if (!file_.empty() && !problem_) append(entry);
    return true;
}

void History::append(const std::string& entry) {
    try {
        make_private_directories(file_.parent_path());
    } catch (const Error& error) {
        problem_ = error.what();
        return;
    }
    const Descriptor file(::open(file_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    const bool ours = file.is_open() && ::fchmod(file.get(), 0600) == 0;
    const int failed = ours ? write_all(file.get(), as_bytes(encode(entry))) : errno;
    if (failed != 0) problem_ = file_.string().append(": ").append(std::strerror(failed));
}

std::filesystem::path history_file() { return home_directory() / ".local/state/rcmd/history"; }

} // namespace rc
