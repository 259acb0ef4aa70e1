// Both ends of a copy with a hostile other end: it ends, one way or another; the receiver writes nothing outside of its target; what either
// end says are messages of a copy.
#include "common/bytes.hpp"
#include "common/copy/block_digest.hpp"
#include "common/copy/channel.hpp"
#include "common/copy/message.hpp"
#include "common/copy/names.hpp"
#include "common/copy/receiver.hpp"
#include "common/copy/sender.hpp"
#include "common/error.hpp"
#include "common/strict_json.hpp"
#include "tests/fuzz/lines.hpp"
#include "tests/fuzz/require.hpp"
#include "tests/fuzz/scratch.hpp"

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace rc::copy {
namespace {

namespace fs = std::filesystem;

// The digest of a file with a hole takes time for each of its blocks.
constexpr std::uint64_t largest_hole = 256 * 1024 * 1024;
constexpr std::string_view right_digest = "*"; // in the place of the body of `end`

std::vector<std::string> words_of(std::string_view line) {
    std::vector<std::string> words;
    while (!line.empty()) {
        const std::size_t end = std::min(line.find(' '), line.size());
        words.emplace_back(line.substr(0, end));
        line.remove_prefix(std::min(end + 1, line.size()));
    }
    return words;
}

std::optional<Message> decoded(const LineFrame& line) {
    try {
        boost::json::object header = parse_object(line.header);
        header.erase("size");
        const Message message = decode(header, line.body.size());
        return message;
    } catch (const Error&) {
        return std::nullopt;
    }
}

// The other end's words. What would take minutes is left out.
class Script {
public:
    void say(std::string_view line) {
        LineFrame frame(line);
        if (const auto message = decoded(frame)) note(*message, frame);
        if (holes_ > largest_hole) return;
        bytes += frame.bytes();
    }

    std::string bytes;

private:
    void note(const Message& message, LineFrame& frame) {
        if (std::holds_alternative<File>(message) || std::holds_alternative<From>(message)) digest_ = BlockDigest();
        if (std::holds_alternative<Data>(message) && !frame.body.empty()) digest_.add(as_bytes(frame.body));
        if (const auto* hole = std::get_if<Hole>(&message)) {
            holes_ += std::min(hole->length, largest_hole + 1);
            if (holes_ <= largest_hole) digest_.add_zeros(hole->length);
        }
        if (frame.body != right_digest) return;
        frame.body = as_text(digest_.value());
        frame.header = replaced(frame.header, "\"size\":1", "\"size\":32");
    }

    BlockDigest digest_;
    std::uint64_t holes_ = 0;
};

// What an end says: whole messages, each of which is the same when it is decoded and encoded again.
class Heard {
public:
    void take(std::span<const std::byte> bytes) noexcept {
        while (!bytes.empty()) {
            const auto space = decoder_.prepare();
            const auto piece = bytes.first(std::min(space.size(), bytes.size()));
            std::ranges::copy(piece, space.begin());
            decoder_.commit(piece.size());
            bytes = bytes.subspan(piece.size());
            while (const auto frame = decoder_.next([this](boost::json::object header, std::optional<std::uint64_t> size) {
                last = decode(std::move(header), size);
            })) {
                const std::string again = encode(*last, frame->body.size()).substr(sizeof(std::uint32_t));
                require(parse_object(again) == parse_object(frame->header));
            }
        }
    }

    std::optional<Message> last;

private:
    FrameDecoder decoder_{header_limit};
};

// The receiver's: what was written down, in pieces.
class Recording : public Transport {
public:
    explicit Recording(std::string bytes) : bytes_(std::move(bytes)) {}
    std::size_t read(std::span<std::byte> space) override {
        constexpr std::size_t piece = 1000;
        const std::size_t count = std::min({space.size(), bytes_.size() - taken_, piece});
        std::ranges::copy(as_bytes(bytes_).subspan(taken_, count), space.begin());
        taken_ += count;
        return count;
    }
    void write(std::span<const std::byte> bytes) override { heard_.take(bytes); }
    void close() override {}

private:
    std::string bytes_;
    std::size_t taken_ = 0;
    Heard heard_;
};

// The sender's: nothing is answered before the sender waits for an answer, so that it is the same each time; then everything is.
class Answers : public Transport {
public:
    explicit Answers(std::string bytes) : bytes_(std::move(bytes)) {}

    std::size_t read(std::span<std::byte> space) override {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return awaited_; });
        const std::size_t count = std::min(space.size(), bytes_.size() - taken_);
        std::ranges::copy(as_bytes(bytes_).subspan(taken_, count), space.begin());
        taken_ += count;
        return count;
    }

    void write(std::span<const std::byte> bytes) override {
        heard_.take(bytes);
        if (!heard_.last) return;
        const auto* file = std::get_if<File>(&*heard_.last);
        if (std::holds_alternative<Finish>(*heard_.last) || (file != nullptr && file->resumable)) answer();
    }

    void close() override { answer(); }

private:
    void answer() {
        const std::scoped_lock lock(mutex_);
        awaited_ = true;
        changed_.notify_all();
    }

    std::string bytes_;
    std::size_t taken_ = 0;
    Heard heard_;
    std::mutex mutex_;
    std::condition_variable changed_;
    bool awaited_ = false;
};

void write_file(const fs::path& path, std::string_view content) { std::ofstream(path, std::ios::binary) << content; }

// Also what nobody may enter. Links are removed, not followed.
void clear(const fs::path& folder) {
    std::error_code ignored;
    fs::permissions(folder, fs::perms::owner_all, fs::perm_options::add, ignored);
    std::vector<fs::path> paths;
    for (const auto& entry : fs::directory_iterator(folder, ignored)) paths.push_back(entry.path());
    for (const fs::path& path : paths) {
        if (fs::is_directory(fs::symlink_status(path, ignored))) clear(path);
        fs::remove(path, ignored);
    }
}

std::set<std::string> names_in(const fs::path& folder) {
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder)) names.insert(entry.path().filename().string());
    return names;
}

// What there is: the target, which is empty; what a sender sends; and beside both a sentinel, which links of a target may lead to.
class World {
public:
    World() {
        for (const char* folder : {"target", "outside", "source", "source/d"}) fs::create_directory(scratch() / folder);
        write_file(scratch() / "outside/sentinel", sentinel_);
        fs::permissions(scratch() / "outside/sentinel", fs::perms(0644));
        fs::permissions(scratch() / "outside", fs::perms(0755));
        write_file(scratch() / "source/small", "hello");
        write_file(scratch() / "source/d/f", "");
        fs::create_symlink("nowhere", scratch() / "source/d/l");
        write_file(scratch() / "source/sparse", "x");
        fs::resize_file(scratch() / "source/sparse", 1024 * 1024 + 5); // long enough to be resumed
    }

    void fill_target() const {
        const fs::path target = scratch() / "target";
        write_file(target / "a", "old");
        fs::create_directory(target / "d");
        fs::create_symlink("../outside", target / "l");
        fs::create_symlink("../outside/sentinel", target / "s");
        constexpr File continued{2 * block_size, 0644, 1, 2, true};
        write_file(target / partial_name("a", continued), std::string(block_size, 'x'));
    }

    void check() const {
        require(names_in(scratch().path()) == std::set<std::string>{"outside", "source", "target"});
        require(names_in(scratch() / "outside") == std::set<std::string>{"sentinel"});
        require(content_of(scratch() / "outside/sentinel") == sentinel_);
        require(mode_of(scratch() / "outside") == 0755 && mode_of(scratch() / "outside/sentinel") == 0644);
    }

private:
    std::string sentinel_ = "untouched";
};

bool has(std::string_view flags, char flag) { return flags.find(flag) != flags.npos; }

void ignore(const std::string&) {}

void receive(std::string_view flags, std::vector<std::string> names, const std::string& bytes) {
    ReceiveOptions options;
    options.target = scratch() / (has(flags, 'n') ? "target/new" : "target");
    options.into_folder = has(flags, 'd');
    options.recursive = has(flags, 'r');
    options.attributes.preserve = has(flags, 'p');
    options.names = std::move(names);
    Channel channel(std::make_unique<Recording>(bytes));
    Progress progress;
    Receiver(channel, options, progress, ignore).receive();
}

void send_all(std::string_view flags, const std::string& bytes) {
    SendOptions options;
    for (const char* name : {"small", "d", "missing"}) options.sources.push_back(scratch() / "source" / name);
    if (has(flags, 'l')) options.sources.push_back(scratch() / "source/sparse");
    options.recursive = has(flags, 'r');
    Channel channel(std::make_unique<Answers>(bytes));
    Progress progress;
    send(channel, options, progress, ignore);
}

void try_copy(std::string_view flags, std::vector<std::string> names, const std::string& bytes) {
    try {
        if (has(flags, 's')) send_all(flags, bytes);
        else receive(flags, std::move(names), bytes);
    } catch (const Broken&) { // the other end is gone
    } catch (const Error&) {  // or breaks the protocol
    }
}

} // namespace
} // namespace rc::copy

// The first line: letters, and behind blanks the names of the sources. s: the sender is tried, l: with a long file; else the receiver. n: into a
// new name, d: into a folder, e: there is something there already, r: recursively, p: preserving. Then what the other end says, a frame a line.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    namespace copy = rc::copy;
    static const copy::World world;
    std::string_view text = rc::as_input(data, size);
    std::vector<std::string> words = copy::words_of(rc::take_line(text));
    const std::string flags = words.empty() ? "" : words.front();
    if (!words.empty()) words.erase(words.begin());
    copy::Script script;
    while (!text.empty()) script.say(rc::take_line(text));

    if (copy::has(flags, 'e')) world.fill_target();
    copy::try_copy(flags, std::move(words), script.bytes);
    world.check();
    copy::clear(rc::scratch() / "target");
    return 0;
}
