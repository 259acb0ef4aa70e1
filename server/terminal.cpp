#include "server/terminal.hpp"

#include "common/error.hpp"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace rc {

namespace {

constexpr mode_t slave_mode = 0620; // others of the group tty may write(1)

void require(bool good) {
    if (!good) throw Error(ErrorCode::internal, std::string("no terminal for the command: ") + std::strerror(errno));
}

void set_first_modes(int slave, bool echo) {
    termios modes{};
    require(::tcgetattr(slave, &modes) == 0);
    modes.c_iflag |= IUTF8; // so that erasing removes a character and not a byte of it
    if (!echo) modes.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    require(::tcsetattr(slave, TCSANOW, &modes) == 0);
}

} // namespace

Terminal open_terminal(const Pty& pty, const Account& account) {
    Terminal terminal;
    terminal.master = Descriptor(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
    require(terminal.master.is_open() && ::fcntl(terminal.master.get(), F_SETFL, O_RDWR | O_NONBLOCK) == 0);
    require(::unlockpt(terminal.master.get()) == 0);
    terminal.slave = Descriptor(::ioctl(terminal.master.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
    require(terminal.slave.is_open());
    if (::geteuid() == 0) {
        require(::fchown(terminal.slave.get(), account.uid, static_cast<gid_t>(-1)) == 0);
        require(::fchmod(terminal.slave.get(), slave_mode) == 0);
    }
    set_first_modes(terminal.slave.get(), pty.typed == 0);
    set_window_size(terminal.master.get(), {pty.rows, pty.columns});
    return terminal;
}

void set_window_size(int master, const WindowSize& size) {
    const winsize window{static_cast<unsigned short>(size.rows), static_cast<unsigned short>(size.columns), 0, 0};
    ::ioctl(master, TIOCSWINSZ, &window);
}

// Twice: the first one only ends a line that was begun.
std::string end_of_input(int master) {
    termios modes{};
    const bool by_lines = ::tcgetattr(master, &modes) == 0 && (modes.c_lflag & ICANON) != 0;
    return by_lines ? std::string(2, static_cast<char>(modes.c_cc[VEOF])) : std::string();
}

} // namespace rc
