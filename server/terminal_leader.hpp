// The process between the daemon and a command on a terminal: this same program, started in another mode, as the command's user.
// It is the terminal's session leader, because the terminal is hung up, and what was typed ahead is lost, when the leader ends,
// which therefore cannot be the command. It tells how the command ended, and what of the input nobody read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include <sys/types.h>

namespace rc {

// The first word of its command line; then come `options` (letters, or -), the program and its arguments. Descriptors 1 and 2 are the
// terminal, 0 is the terminal or /dev/null.
inline constexpr std::string_view terminal_verb = "terminal";
// The options. `hold`: the command starts at LeaderOrder::go, which also makes the terminal echo. `state`: the program is a
// shell with a command line, which is to leave its state in state_descriptor (see command_state.hpp).
inline constexpr char leader_holds = 'h';
inline constexpr char leader_keeps_state = 's';

// A stream socket to the daemon. Its end ends the leader.
inline constexpr int control_descriptor = 3;
inline constexpr int state_descriptor = 4;

// From the daemon, a byte each. `drain`, once, after the command's end: answered by the size of what nobody has read (8 bytes,
// host order) and the bytes; then the leader lets go of the terminal.
enum class LeaderOrder : char { go = 'g', drain = 'd' };
// Nobody can have typed more than this ahead: what the line discipline and the buffers before it hold is less.
inline constexpr std::size_t most_left = 128 * 1024;

// From the leader: first that the command is there, then how it ended.
struct LeaderReport {
    bool ended;
    pid_t group; // the command, and its process group
    int code;    // si_code and si_status of waitid(2)
    int status;
    std::uint64_t user_us;
    std::uint64_t system_us;
    std::uint64_t max_rss_kib;
};

// Does the work of that process. `argc` and `argv` are those of main(). Returns its exit status.
int lead_terminal(int argc, char** argv);

} // namespace rc
