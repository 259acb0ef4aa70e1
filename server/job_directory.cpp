#include "server/job_directory.hpp"

#include "common/auth.hpp"
#include "common/bytes.hpp"
#include "common/codec.hpp"
#include "common/described_json.hpp"
#include "common/files.hpp"
#include "common/message_decoder.hpp"
#include "server/authorized_keys.hpp"
#include "server/local_socket.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>

namespace rc {

namespace fs = std::filesystem;

namespace {

constexpr mode_t readable_by_others = S_IRWXG | S_IRWXO;
// A line of a key may grow sixfold as JSON.
constexpr std::size_t largest_record = 2 * limits::header + limits::exec_body + 6 * longest_line + 64;
constexpr std::size_t frame_prefix = 4; // the length of a header
constexpr auto fresh_prefix = ".new-";
constexpr auto gone_prefix = ".gone-";

// The first line of the record.
struct Asked {
    std::string key;
    std::string from;
    std::string user;
    std::uint64_t time{};
    Restrictions restrictions;
};
BOOST_DESCRIBE_STRUCT(Asked, (), (key, from, user, time, restrictions))

[[noreturn]] void fail(const fs::path& path, int reason) {
    throw Error(ErrorCode::internal, path.string() + ": " + std::strerror(reason));
}

[[noreturn]] void damaged(const fs::path& file, const std::string& problem) {
    throw Error(ErrorCode::internal, file.string() + ": the record of the job is damaged: " + problem);
}

// The one message of that type which `text` is, with its body.
template <class Wanted>
std::pair<Wanted, std::string> decode_one(std::string_view text, Peer receiver) {
    const std::size_t whole = text.size();
    MessageDecoder decoder(receiver);
    decoder.set_phase(Phase::open);
    while (!text.empty()) {
        const std::span<std::byte> space = decoder.prepare();
        const std::size_t count = std::min(space.size(), text.size());
        std::memcpy(space.data(), text.data(), count);
        decoder.commit(count);
        text.remove_prefix(count);
        const std::optional<Incoming> incoming = decoder.next();
        if (!incoming) continue;
        const std::size_t taken = frame_prefix + incoming->header.size() + incoming->body.size();
        if (!std::holds_alternative<Wanted>(incoming->message) || taken != whole) break;
        return {std::get<Wanted>(incoming->message), std::string(as_text(incoming->body))};
    }
    throw Error(ErrorCode::bad_message, "it is cut short, or something else");
}

std::string encode_record(const JobRecord& record) {
    boost::json::object asked;
    append_fields(Asked{record.key_id, record.address, record.user, record.asked, record.restrictions}, asked);
    return boost::json::serialize(asked) + '\n' + encode_message(record.exec, record.body.size()) + record.body;
}

JobRecord decode_record(std::string_view text) {
    const std::size_t line = text.find('\n');
    if (line == text.npos) throw Error(ErrorCode::bad_message, "it is cut short");
    boost::json::error_code problem;
    const boost::json::value json = boost::json::parse(text.substr(0, line), problem);
    if (problem || !json.is_object()) throw Error(ErrorCode::bad_message, "its first line is no JSON object");
    Asked asked;
    read_fields(json.get_object(), asked);
    auto [exec, body] = decode_one<Exec>(text.substr(line + 1), Peer::server);
    return {asked.key, asked.from, asked.user, asked.time, asked.restrictions, std::move(exec), std::move(body)};
}

// In no hurry: before it is asked for, the supervisor brings it to the disk.
void write_file(const fs::path& file, const std::string& content) {
    const Descriptor fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!fd.is_open()) fail(file, errno);
    const int problem = write_all(fd.get(), as_bytes(content));
    if (problem != 0) fail(file, problem);
}

bool is_there(const fs::path& file) { return ::access(file.c_str(), F_OK) == 0; }

std::string random_name(const char* prefix) { return prefix + to_hex(make_random<Salt>()); }

void remove_tree(const fs::path& path) {
    std::error_code ignored;
    fs::remove_all(path, ignored);
}

} // namespace

std::optional<JobClaimed> JobDirectory::create(const fs::path& path, const JobRecord& record) {
    make_private_directories(path.parent_path());
    const fs::path fresh = path.parent_path() / random_name(fresh_prefix);
    if (::mkdir(fresh.c_str(), 0700) != 0) fail(fresh, errno);
    try {
        write_file(fresh / "request", encode_record(record));
        JobClaimed claimed{try_lock(fresh / "lock"), listen_at(fresh / "socket")};
        if (::rename(fresh.c_str(), path.c_str()) == 0) return claimed;
        if (errno != ENOTEMPTY && errno != EEXIST) fail(path, errno);
    } catch (const Error&) {
        remove_tree(fresh);
        throw;
    }
    remove_tree(fresh);
    return std::nullopt;
}

std::optional<JobClaimed> JobDirectory::claim() const {
    Descriptor lock = try_lock(path_ / "lock");
    if (!lock.is_open()) return std::nullopt;
    ::unlink((path_ / "socket").c_str());
    return JobClaimed{std::move(lock), listen_at(path_ / "socket")};
}

// In this order: a supervisor that ends meanwhile leaves an end, and then the lock.
JobPhase JobDirectory::phase() const {
    if (!is_there(path_ / "request")) return JobPhase::missing;
    if (is_there(path_ / "end")) return JobPhase::finished;
    if (is_locked(path_ / "lock")) return JobPhase::running;
    if (is_there(path_ / "end")) return JobPhase::finished;
    return is_there(path_ / "starting") ? JobPhase::unknown : JobPhase::startable;
}

JobRecord JobDirectory::record() const {
    const fs::path file = path_ / "request";
    try {
        return decode_record(read_guarded(file, readable_by_others, largest_record));
    } catch (const Error& error) {
        if (error.code() == ErrorCode::internal) throw;
        damaged(file, error.what());
    }
}

JobEnd JobDirectory::end() const {
    const fs::path file = path_ / "end";
    try {
        auto [exit, state] = decode_one<Exit>(read_guarded(file, readable_by_others, largest_record), Peer::client);
        return {std::move(exit), std::move(state)};
    } catch (const Error& error) {
        if (error.code() == ErrorCode::internal) throw;
        damaged(file, error.what());
    }
}

Descriptor JobDirectory::connect() const { return connect_to(path_ / "socket"); }

bool JobDirectory::begin() const {
    if (const int problem = sync_file(path_ / "request")) fail(path_ / "request", problem);
    const fs::path file = path_ / "starting";
    Descriptor fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!fd.is_open() && errno == EEXIST) return false;
    if (!fd.is_open()) fail(file, errno);
    if (::fsync(fd.get()) != 0) fail(file, errno);
    fs::path directory = path_;
    for (int level = 0; level < 4; ++level) { // the job, its key, all jobs, the state directory
        if (const int problem = sync_file(directory)) fail(directory, problem);
        directory = directory.parent_path();
    }
    return true;
}

int JobDirectory::write_end(const std::string& exit_frame) const {
    const fs::path fresh = path_ / "end.new";
    const Descriptor fd(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!fd.is_open()) return errno;
    if (const int problem = write_all(fd.get(), as_bytes(exit_frame))) return problem;
    if (::fsync(fd.get()) != 0 || ::rename(fresh.c_str(), (path_ / "end").c_str()) != 0) return errno;
    return sync_file(path_);
}

void JobDirectory::remove() const {
    const fs::path gone = path_.parent_path() / random_name(gone_prefix);
    if (::rename(path_.c_str(), gone.c_str()) == 0) remove_tree(gone);
}

std::uint64_t wall_clock() {
    const auto since = std::chrono::system_clock::now().time_since_epoch();
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(since).count());
}

bool is_leftover(const fs::path& directory) {
    const std::string name = directory.filename().string();
    return name.starts_with(fresh_prefix) || name.starts_with(gone_prefix);
}

} // namespace rc
