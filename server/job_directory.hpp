// What is on disk of one durable job: `jobs/KEY/ID/` in the state directory. No sockets' protocol, no Asio.
//
// request   what was asked for, by whom; there from the beginning
// lock      locked by the job's supervisor as long as that lives
// socket    where the supervisor listens
// starting  made, and on the disk, before the command's process: from then on the command may have run
// stdout, stderr, kept   see spool.hpp
// end       the message `exit`; on the disk behind all output
//
// So a job without `starting` may be started by whoever has the lock; one with `starting`, without `end` and without a lock was
// being run when its supervisor, or the machine, went: nobody knows how far it came, and it is never run again.
#pragma once

#include "common/descriptor.hpp"
#include "common/message.hpp"
#include "server/key_options.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace rc {

struct JobRecord {
    std::string key_id;
    std::string address;       // ADDR:PORT of the client that asked
    std::string user;          // that the command runs as
    std::uint64_t asked{};     // milliseconds since 1970
    Restrictions restrictions; // of the key then
    Exec exec;                 // what was asked for
    std::string body;
};

struct JobEnd {
    Exit exit;
    std::string state; // exit's body
};

// The right to start a job's supervisor: what that inherits.
struct JobClaimed {
    Descriptor lock;
    Descriptor listener; // a listening socket: who connects before the supervisor is there waits
};

// Milliseconds since 1970.
std::uint64_t wall_clock();

enum class JobPhase { missing, startable, running, finished, unknown };

class JobDirectory {
public:
    explicit JobDirectory(std::filesystem::path path) : path_(std::move(path)) {}

    // Makes it, with the record, all at once; nothing if there is one already. Throws Error{internal}.
    static std::optional<JobClaimed> create(const std::filesystem::path& path, const JobRecord& record);
    // Of a job that is there; nothing if somebody has it. Throws Error{internal}.
    [[nodiscard]] std::optional<JobClaimed> claim() const;

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }
    [[nodiscard]] std::string id() const { return path_.filename().string(); }
    [[nodiscard]] JobPhase phase() const;
    // Throw Error{internal} for a file that is not what it should be.
    [[nodiscard]] JobRecord record() const;
    [[nodiscard]] JobEnd end() const;
    // A connected stream socket to the supervisor. Not open: there is none.
    [[nodiscard]] Descriptor connect() const;

    // For the supervisor. Brings the record and `starting` to the disk; false if that was there: the command may have run.
    // Throws Error{internal}.
    [[nodiscard]] bool begin() const;
    // Returns errno, or 0 when the end is on the disk.
    [[nodiscard]] int write_end(const std::string& exit_frame) const;
    // Nobody finds the job any more, then it is removed. Whoever calls holds the lock.
    void remove() const;

private:
    std::filesystem::path path_;
};

// Left over by a process that was ended while it made or removed a job.
bool is_leftover(const std::filesystem::path& directory);

} // namespace rc
