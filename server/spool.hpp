// The output of a durable job on disk: one process writes it, any number read it, each at its own pace. A byte's place in the
// file is its offset in the stream. What is dropped to make room becomes a hole.
#pragma once

#include "common/descriptor.hpp"
#include "common/message.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>

namespace rc {

// Where each stream begins, in a file that its one writer changes and others read.
class KeptOffsets {
public:
    // `writable`: made if it is missing. Throws Error{internal}.
    KeptOffsets(const std::filesystem::path& directory, bool writable);

    // Throws Error{internal} if the file has been damaged.
    [[nodiscard]] std::uint64_t from(StreamName name) const;
    // Brought to the disk before it returns. False if that failed.
    [[nodiscard]] bool raise(StreamName name, std::uint64_t offset);
    [[nodiscard]] bool sync() const;

private:
    Descriptor file_;
};

struct SpoolLimits {
    std::uint64_t most{};        // bytes of this job's output
    std::uint64_t most_of_all{}; // bytes of all jobs' output
    std::function<std::uint64_t()> used_by_all;
    std::filesystem::path turns; // a file on which the writers of all jobs take turns when little room is left
};

class SpoolWriter {
public:
    // Throws Error{internal}.
    SpoolWriter(const std::filesystem::path& directory, SpoolLimits limits);

    // Writes as many of `bytes` as there is room for, and returns how many that were. `extra`: bytes over the limit that will do.
    std::size_t append(StreamName name, std::span<const std::byte> bytes, std::uint64_t extra);
    // Makes room: the bytes before `offset` are not wanted any more.
    void drop(StreamName name, std::uint64_t offset);
    // Returns errno, or 0 when everything is on the disk.
    [[nodiscard]] int sync() const;

    [[nodiscard]] std::uint64_t from(StreamName name) const;
    [[nodiscard]] std::uint64_t end(StreamName name) const;

private:
    struct File {
        Descriptor fd;
        std::uint64_t from = 0;
        std::uint64_t end = 0;
    };
    File& file(StreamName name);
    std::size_t write(File& to, std::span<const std::byte> bytes, std::uint64_t room);
    std::size_t write_in_turn(File& to, std::span<const std::byte> bytes);
    [[nodiscard]] std::uint64_t left_for_all() const;
    [[nodiscard]] std::uint64_t own_room(std::uint64_t extra) const;
    std::uint64_t common_room();

    KeptOffsets kept_;
    SpoolLimits limits_;
    std::array<File, 2> files_;
    bool droppable_ = false; // the file system can make holes
    std::uint64_t written_ = 0;
    std::uint64_t next_look_ = 0; // when so much has been written, what all jobs use is looked at again
    bool scarce_ = false;         // every byte counts
};

class SpoolReader {
public:
    // Throws Error{internal}.
    explicit SpoolReader(const std::filesystem::path& directory);

    [[nodiscard]] std::uint64_t from(StreamName name) const { return kept_.from(name); }
    [[nodiscard]] std::uint64_t end(StreamName name) const; // so far
    // At most space.size() bytes from `offset` on; 0 at the end. Throws Error{conflict} if they are not kept any more,
    // Error{internal} if they cannot be read.
    std::size_t read(StreamName name, std::uint64_t offset, std::span<std::byte> space);

private:
    KeptOffsets kept_;
    std::array<Descriptor, 2> files_;
};

// Bytes that the output in all directories of `jobs` takes on the disk.
std::uint64_t spooled_bytes(const std::filesystem::path& jobs);

} // namespace rc
