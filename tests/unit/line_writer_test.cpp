// Lines that nobody reads for a while, or ever.
#include "client/line_writer.hpp"

#include "common/descriptor.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <string>

namespace rc {
namespace {

struct Pipe {
    Pipe() {
        std::array<int, 2> ends{};
        EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
        reader = Descriptor(ends[0]);
        writer = Descriptor(ends[1]);
        ::fcntl(writer.get(), F_SETPIPE_SZ, 4096);
        std::signal(SIGPIPE, SIG_IGN); // as in rcmd
    }

    Descriptor reader;
    Descriptor writer;
};

std::string read_bytes(int fd, std::size_t count) {
    std::string text(count, '\0');
    std::size_t done = 0;
    while (done < count) {
        const ssize_t taken = ::read(fd, text.data() + done, count - done);
        if (taken <= 0) break;
        done += static_cast<std::size_t>(taken);
    }
    return text.substr(0, done);
}

TEST(LineWriter, writes_at_once_what_there_is_room_for) {
    Pipe pipe;
    LineWriter lines(pipe.writer.get());
    lines.write("one\n");
    EXPECT_FALSE(lines.keeps_many());
    EXPECT_EQ(read_bytes(pipe.reader.get(), 4), "one\n");
    EXPECT_EQ(lines.finish(), 0);
}

TEST(LineWriter, keeps_what_there_is_no_room_for_in_its_order) {
    Pipe pipe;
    LineWriter lines(pipe.writer.get());
    std::string all;
    for (int i = 0; i < 10'000; ++i) {
        const std::string line = "line " + std::to_string(i) + '\n';
        lines.write(line);
        all += line;
    }
    EXPECT_TRUE(lines.keeps_many());
    EXPECT_EQ(read_bytes(pipe.reader.get(), all.size()), all);
    EXPECT_EQ(lines.finish(), 0);
    EXPECT_FALSE(lines.keeps_many());
}

TEST(LineWriter, does_not_wait_with_a_line_that_is_larger_than_any_room) {
    Pipe pipe;
    LineWriter lines(pipe.writer.get());
    const std::string line = std::string(100'000, 'a') + '\n';
    lines.write(line);
    EXPECT_TRUE(lines.keeps_many());
    EXPECT_EQ(read_bytes(pipe.reader.get(), line.size()), line);
}

TEST(LineWriter, says_that_the_reader_has_gone_and_writes_no_more) {
    Pipe pipe;
    LineWriter lines(pipe.writer.get());
    pipe.reader.close();
    lines.write("one\n");
    EXPECT_EQ(lines.finish(), EPIPE);
    lines.write("two\n");
    EXPECT_EQ(lines.finish(), EPIPE);
}

TEST(LineWriter, says_that_the_reader_has_gone_before_it_took_what_was_kept) {
    Pipe pipe;
    LineWriter lines(pipe.writer.get());
    lines.write(std::string(100'000, 'a'));
    pipe.reader.close();
    EXPECT_EQ(lines.finish(), EPIPE);
    EXPECT_FALSE(lines.keeps_many());
}

} // namespace
} // namespace rc
