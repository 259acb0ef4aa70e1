// The limits that both ends of the wire obey. PROTOCOL.md states them; changing one changes the protocol.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace rc::limits {

// Frames, in bytes, checked before anything is allocated for them.
inline constexpr std::size_t header = 64 * 1024;
inline constexpr std::size_t header_before_proof = 4 * 1024;
inline constexpr std::size_t body_before_proof = 32;
inline constexpr std::size_t data_body = 64 * 1024;
inline constexpr std::size_t exec_body = 256 * 1024;
inline constexpr std::size_t state_body = 256 * 1024;
inline constexpr std::size_t listed_body = 4 * 1024;
inline constexpr std::size_t json_depth = 8;

// Silence: a client that has heard nothing for this long asks whether the server is there; either end gives up.
inline constexpr std::chrono::seconds ping_after{5};
inline constexpr std::chrono::seconds longest_silence{15};

// Terminals: a window is smaller, because what is under way cannot be interrupted; what was typed ahead is at most what a
// terminal holds that nobody reads.
inline constexpr std::uint64_t terminal_window = 64 * 1024;
inline constexpr std::uint64_t typed_ahead = 4096;
inline constexpr std::uint64_t terminal_size = 65535; // rows, columns
inline constexpr std::size_t term_length = 64;
inline constexpr std::uint64_t umask = 0777;

// Names.
inline constexpr std::size_t job_id_length = 64;
inline constexpr std::size_t key_id_length = 64;

// Windows, in bytes: how far a stream's sender may be ahead of the acknowledged offset. The total of a
// connection's open windows bounds the memory that either end holds for it.
inline constexpr std::uint64_t window = 1024 * 1024;
inline constexpr std::uint64_t smallest_window = 16 * 1024;
inline constexpr std::uint64_t windows_of_connection = 8 * 1024 * 1024;

// An acknowledgement is sent for every quarter of a window, and at the latest after this time.
inline constexpr std::chrono::milliseconds ack_delay{50};

// What nobody waits for may wait this long for something that it can go with.
inline constexpr std::chrono::milliseconds soon{5};

// Silence of a peer's TCP for this long ends the connection (keepalive: first probe after idle, then every interval).
inline constexpr int keepalive_idle_seconds = 5;
inline constexpr int keepalive_interval_seconds = 5;
inline constexpr int keepalive_probes = 2;

// Bytes that the kernel may hold unsent for a socket: what is behind them can still be overtaken by control messages.
inline constexpr int notsent_lowat = 128 * 1024;

} // namespace rc::limits
