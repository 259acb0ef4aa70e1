#include "server/child_wiring.hpp"

#include "common/error.hpp"
#include "server/command_state.hpp"
#include "server/terminal.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

namespace rc {

namespace {

constexpr int above_leaders = 16; // the numbers that a leader's descriptors get are below

[[noreturn]] void throw_errno(const char* what) {
    throw Error(ErrorCode::internal, std::string(what) + ": " + std::strerror(errno));
}

struct Pipe {
    Descriptor read;
    Descriptor write;
};

Pipe make_pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw_errno("no pipe for the command");
    return {Descriptor(ends[0]), Descriptor(ends[1])};
}

Descriptor copy_of(const Descriptor& fd, int at_least = 0) {
    const int copy = ::fcntl(fd.get(), F_DUPFD_CLOEXEC, at_least);
    if (copy < 0) throw_errno("no descriptor for the command");
    return Descriptor(copy);
}

void add_control(ChildWiring& wiring) {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) throw_errno("no socket for the command");
    wiring.daemon.control = Descriptor(ends[0]);
    wiring.control = copy_of(Descriptor(ends[1]), above_leaders);
}

} // namespace

int no_input() {
    static const Descriptor opened = [] {
        Descriptor fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
        if (!fd.is_open()) throw_errno("no /dev/null for the command");
        return fd;
    }();
    return opened.get();
}

int ChildWiring::input_fd() const { return input.is_open() ? input.get() : no_input(); }

ChildWiring wire_pipes(bool input, bool combine) {
    ChildWiring made;
    Pipe output = make_pipe();
    made.daemon.output = std::move(output.read);
    made.output = std::move(output.write);
    if (input) {
        Pipe pipe = make_pipe();
        made.input = std::move(pipe.read);
        made.daemon.input = std::move(pipe.write);
    }
    if (!combine) {
        Pipe pipe = make_pipe();
        made.daemon.error = std::move(pipe.read);
        made.error = std::move(pipe.write);
    }
    return made;
}

ChildWiring wire_terminal(const Pty& pty, const Account& account, bool input, bool state) {
    ChildWiring made;
    Terminal terminal = open_terminal(pty, account);
    if (input) {
        made.daemon.input = copy_of(terminal.master);
        made.input = copy_of(terminal.slave);
    }
    made.daemon.output = std::move(terminal.master);
    made.output = std::move(terminal.slave);
    add_control(made);
    if (state) made.daemon.state = copy_of(make_state_file(), above_leaders);
    return made;
}

} // namespace rc
