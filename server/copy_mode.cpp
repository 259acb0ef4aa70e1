#include "server/copy_mode.hpp"

#include "common/copy/receiver.hpp"
#include "common/copy/sender.hpp"
#include "common/descriptor.hpp"
#include "common/error.hpp"
#include "common/files.hpp"

#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace rc {

namespace {

constexpr int first_word = 3; // after the program, the verb and the flags
constexpr int signalled = 128;

// The client shows what is not copied: it is told by messages.
void ignore(const std::string&) {}

bool has(std::string_view flags, char flag) { return flags.find(flag) != flags.npos; }

// A descriptor that becomes readable when this process is asked to end, which it is not by the signal itself any more.
Descriptor signals_to_end() {
    sigset_t set;
    sigemptyset(&set);
    for (const int number : {SIGHUP, SIGINT, SIGTERM}) sigaddset(&set, number);
    ::sigprocmask(SIG_BLOCK, &set, nullptr);
    return Descriptor(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

int signal_of(const Descriptor& signals) {
    signalfd_siginfo info{};
    return ::read(signals.get(), &info, sizeof info) == sizeof info ? static_cast<int>(info.ssi_signo) : 0;
}

int fail(const std::string& problem) {
    std::fprintf(stderr, "rcmd-server: %s\n", problem.c_str());
    return 1;
}

// By a signal: nobody need be told.
class Interrupted : public copy::Broken {
public:
    Interrupted() : Broken("interrupted") {}
};

// stdin and stdout.
class StandardStreams : public copy::Transport {
public:
    // `interrupt`: a descriptor, not owned, that becomes readable when this process is to end; -1: none.
    explicit StandardStreams(int interrupt) : interrupt_(interrupt) {}

    std::size_t read(std::span<std::byte> space) override {
        std::array<pollfd, 2> waits{{{in_.get(), POLLIN, 0}, {interrupt_, POLLIN, 0}}};
        if (interrupt_ >= 0) {
            while (::poll(waits.data(), waits.size(), -1) < 0 && errno == EINTR) {
            }
            if (waits[1].revents != 0) throw Interrupted();
        }
        ssize_t count = 0;
        do count = ::read(in_.get(), space.data(), space.size());
        while (count < 0 && errno == EINTR);
        if (count < 0) throw copy::Broken(std::string("the copy cannot be read: ") + std::strerror(errno));
        return static_cast<std::size_t>(count);
    }

    void write(std::span<const std::byte> bytes) override {
        const int error = write_all(out_.get(), bytes);
        if (error != 0) throw copy::Broken(std::string("nobody takes the copy any more: ") + std::strerror(error));
    }

    void close() override { out_.close(); }

private:
    Descriptor in_{STDIN_FILENO};
    Descriptor out_{STDOUT_FILENO};
    int interrupt_;
};

copy::Channel channel(int interrupt) { return copy::Channel(std::make_unique<StandardStreams>(interrupt)); }

int run(const std::function<void()>& copying) {
    std::signal(SIGPIPE, SIG_IGN); // to be told by write() instead
    std::signal(SIGXFSZ, SIG_IGN);
    try {
        copying();
        return 0;
    } catch (const Interrupted&) {
        return 1;
    } catch (const copy::Broken& broken) {
        return fail(broken.what());
    } catch (const Error& error) {
        return fail(error.what());
    }
}

} // namespace

int copy_send(int argc, char** argv) {
    if (argc <= first_word) return fail("copy-send needs flags and sources");
    copy::SendOptions options;
    options.recursive = has(argv[2], 'r');
    options.expand = true;
    options.sources.assign(argv + first_word, argv + argc);
    return run([&] {
        copy::Channel out = channel(-1);
        copy::Progress progress;
        copy::send(out, options, progress, ignore);
    });
}

int copy_receive(int argc, char** argv) {
    if (argc <= first_word + 1) return fail("copy-receive needs flags, a target and the names of the sources");
    const std::string_view flags = argv[2];
    copy::ReceiveOptions options;
    options.target = expand_home(argv[first_word]);
    options.into_folder = has(flags, 'd');
    options.recursive = has(flags, 'r');
    options.attributes = {has(flags, 'p'), copy::umask_of_process()};
    options.names.assign(argv + first_word + 1, argv + argc);
    const Descriptor signals = signals_to_end();
    const int status = run([&] {
        copy::Channel in = channel(signals.get());
        copy::Progress progress;
        copy::Receiver(in, options, progress, ignore).receive();
    });
    const int number = signal_of(signals);
    return number != 0 ? signalled + number : status;
}

} // namespace rc
