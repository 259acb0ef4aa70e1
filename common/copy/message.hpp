// What the two ends of a copy say to each other over the streams of a job: frames as on the wire, with messages of their own.
// PROTOCOL.md, "The subsystems copy-send and copy-receive", is the normative text.
#pragma once

#include "common/auth.hpp"

#include <boost/describe/class.hpp>
#include <boost/json/object.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <variant>

namespace rc::copy {

// The subsystems that speak this. Their first argument is FLAGS: - or letters.
inline constexpr std::string_view send_subsystem = "copy-send";
inline constexpr std::string_view receive_subsystem = "copy-receive";

// A file is sent, compared and digested in blocks of this many bytes; the last one may be shorter.
inline constexpr std::size_t block_size = 64 * 1024;
inline constexpr std::size_t deepest = 512; // folders in folders: each is an open descriptor at both ends
inline constexpr std::size_t header_limit = 1024;
inline constexpr std::size_t name_limit = 255; // NAME_MAX
inline constexpr std::size_t link_limit = 255 + 1 + 4096;
inline constexpr std::size_t text_limit = 8192;

// From the sender: how much there is in all, before anything else.
struct Total {
    std::uint64_t files{};
    std::uint64_t bytes{};
};
BOOST_DESCRIBE_STRUCT(Total, (), (files, bytes))

// What follows until its Leave is in that folder. Body: its name.
struct Directory {
    std::uint64_t mode{};
    std::uint64_t mtime{};    // seconds since 1970; earlier times are sent as 0
    std::uint64_t mtime_ns{}; // and nanoseconds
};
BOOST_DESCRIBE_STRUCT(Directory, (), (mode, mtime, mtime_ns))

struct Leave {};
BOOST_DESCRIBE_STRUCT(Leave, (), ())

// Data and Hole follow until End or Abort. A resumable one waits for the answer Resume or Refused before; then From follows. Body: its name.
struct File {
    std::uint64_t length{};
    std::uint64_t mode{};
    std::uint64_t mtime{};
    std::uint64_t mtime_ns{};
    bool resumable{};
};
BOOST_DESCRIBE_STRUCT(File, (), (length, mode, mtime, mtime_ns, resumable))

// Body: its name, NUL, what it points to.
struct Link {};
BOOST_DESCRIBE_STRUCT(Link, (), ())

// Where the content begins: what Resume said, or 0 if the file is another one up to there.
struct From {
    std::uint64_t offset{};
};
BOOST_DESCRIBE_STRUCT(From, (), (offset))

// Body: a block.
struct Data {};
BOOST_DESCRIBE_STRUCT(Data, (), ())

// So many zeros, whole blocks but for the last of the file, that take no space.
struct Hole {
    std::uint64_t length{};
};
BOOST_DESCRIBE_STRUCT(Hole, (), (length))

// Body: the digest of the whole file.
struct End {};
BOOST_DESCRIBE_STRUCT(End, (), ())

// The rest of the file cannot be sent.
struct Abort {};
BOOST_DESCRIBE_STRUCT(Abort, (), ())

// Either end: something is not copied. Body: what and why, for a person.
struct Problem {};
BOOST_DESCRIBE_STRUCT(Problem, (), ())

// From the sender: that is all. From the receiver: that is all, and it is on the disk.
struct Finish {};
BOOST_DESCRIBE_STRUCT(Finish, (), ())

// From the receiver: so much of the file is there already. Body: the digest of that.
struct Resume {
    std::uint64_t offset{};
};
BOOST_DESCRIBE_STRUCT(Resume, (), (offset))

// From the receiver, for each file in order: it is in place, on the disk. Body: its digest.
struct Stored {};
BOOST_DESCRIBE_STRUCT(Stored, (), ())

// Instead, at any time after File: it is not. Body: what and why; empty after Abort.
struct Refused {};
BOOST_DESCRIBE_STRUCT(Refused, (), ())

template <class T>
struct Row {
    std::string_view name;
    std::optional<std::size_t> body; // its limit in bytes; none: it has no body
};

inline constexpr auto table = std::tuple{
    Row<Total>{"total", {}},
    Row<Directory>{"directory", name_limit},
    Row<Leave>{"leave", {}},
    Row<File>{"file", name_limit},
    Row<Link>{"link", link_limit},
    Row<From>{"from", {}},
    Row<Data>{"data", block_size},
    Row<Hole>{"hole", {}},
    Row<End>{"end", digest_size},
    Row<Abort>{"abort", {}},
    Row<Problem>{"problem", text_limit},
    Row<Finish>{"finish", {}},
    Row<Resume>{"resume", digest_size},
    Row<Stored>{"stored", digest_size},
    Row<Refused>{"refused", text_limit},
};

namespace detail {
template <class Rows>
struct Messages;
template <class... T>
struct Messages<const std::tuple<Row<T>...>> {
    using Type = std::variant<T...>;
};
} // namespace detail

using Message = detail::Messages<decltype(table)>::Type;

// The message of a header (without `size`). Throws Error{bad_message, too_large, unexpected_message}.
Message decode(boost::json::object header, std::optional<std::uint64_t> body_size);

// What goes before the body.
std::string encode(const Message& message, std::size_t body_size);

} // namespace rc::copy
