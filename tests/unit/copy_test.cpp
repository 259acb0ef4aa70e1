// The receiving end of a copy: what it writes, answers and refuses; and both ends together.
#include "common/copy/receiver.hpp"
#include "common/copy/sender.hpp"

#include "common/bytes.hpp"
#include "common/copy/block_digest.hpp"
#include "common/copy/extents.hpp"
#include "common/copy/names.hpp"
#include "common/described_json.hpp"
#include "common/error.hpp"
#include "tests/unit/scratch.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace rc::copy {
namespace {

using Words = std::vector<std::string>;

// Messages that were written down, and what is answered.
class Script : public Transport {
public:
    Script& say(const Message& message, const std::string& body = {}) {
        incoming_ += encode(message, body.size()) + body;
        return *this;
    }
    Script& file(const std::string& name, const std::string& content, std::uint64_t mode = 0644) {
        say(File{content.size(), mode, 0, 0, false}, name);
        if (!content.empty()) say(Data{}, content);
        BlockDigest digest;
        if (!content.empty()) digest.add(as_bytes(content));
        return say(End{}, std::string(as_text(digest.value())));
    }

    std::size_t read(std::span<std::byte> space) override {
        const std::size_t count = std::min(space.size(), incoming_.size() - taken_);
        std::ranges::copy(as_bytes(incoming_).subspan(taken_, count), space.begin());
        taken_ += count;
        return count;
    }
    void write(std::span<const std::byte> bytes) override { *answers_ += as_text(bytes); }
    void close() override {}

    std::shared_ptr<std::string> answers_ = std::make_shared<std::string>();

private:
    std::string incoming_;
    std::size_t taken_ = 0;
};

// What comes of a script: how it ended (empty: well), what was complained of.
struct Outcome {
    std::string end;
    Words complaints;
};

Outcome receive(const Script& script, const std::string& target, const Words& names, bool recursive = true, bool into = false) {
    Outcome outcome;
    Channel channel(std::make_unique<Script>(script));
    Progress progress;
    ReceiveOptions options{target, into, recursive, {}, names};
    try {
        Receiver(channel, options, progress, [&](const std::string& line) { outcome.complaints.push_back(line); }).receive();
    } catch (const Broken& broken) {
        outcome.end = "broken";
    } catch (const Error& error) {
        outcome.end = rc::to_string(error.code());
    }
    return outcome;
}

std::string content_of(const std::filesystem::path& file) {
    std::ifstream in(file, std::ios::binary);
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
}

Words entries(const std::filesystem::path& directory) {
    Words names;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory))
        names.push_back(entry.path().lexically_relative(directory));
    std::ranges::sort(names);
    return names;
}

mode_t mode_of(const std::filesystem::path& file) {
    struct stat status {};
    EXPECT_EQ(::lstat(file.c_str(), &status), 0) << file;
    return status.st_mode & 07777U;
}

TEST(CopyNames, the_last_part_of_a_path_is_the_name) {
    const std::vector<std::pair<std::string, std::string>> table = {{"a", "a"}, {"/a/b", "b"}, {"a/b/", "b"}, {"a//", "a"},
        {".", ""}, {"..", ""}, {"a/..", ""}, {"a/.", ""}, {"/", ""}, {"", ""}, {"~", ""}, {"~/a", "a"}, {"*.log", "*.log"},
        {"a\nb", "a\nb"}, {"...", "..."}};
    for (const auto& [path, name] : table) EXPECT_EQ(entry_name(path), name) << path;
}

TEST(CopyNames, only_one_entry_of_a_directory_is_valid) {
    for (const std::string name : {"a", "a b", "\n", "\xff", "...", "-r", "*"}) EXPECT_TRUE(valid_name(name)) << name;
    for (const std::string& name : {std::string(), std::string("."), std::string(".."), std::string("a/b"), std::string("/"),
             std::string("a\0b", 3), std::string(256, 'x')}) {
        EXPECT_FALSE(valid_name(name)) << name;
    }
}

TEST(CopyNames, what_was_asked_for_is_wanted) {
    EXPECT_TRUE(is_wanted({"a", "b"}, "b"));
    EXPECT_FALSE(is_wanted({"a", "b"}, "c"));
    EXPECT_TRUE(is_wanted({"*.log"}, "x.log"));
    EXPECT_FALSE(is_wanted({"*.log"}, ".x.log"));
    EXPECT_FALSE(is_wanted({"*"}, ".bashrc"));
    EXPECT_TRUE(is_wanted({"a[1]"}, "a[1]"));
    EXPECT_TRUE(is_wanted({""}, ""));
    EXPECT_FALSE(is_wanted({"*"}, ""));
    EXPECT_FALSE(is_wanted({}, "a"));
}

TEST(CopyDigest, a_hole_is_zeros) {
    const std::vector<std::byte> zeros(2 * block_size + 5);
    BlockDigest data;
    data.add(std::span(zeros).first(block_size));
    data.add(std::span(zeros).first(block_size));
    data.add(std::span(zeros).first(5));
    BlockDigest hole;
    hole.add_zeros(zeros.size());
    EXPECT_EQ(data.value(), hole.value());
    hole.add_zeros(block_size);
    EXPECT_NE(data.value(), hole.value());
}

TEST(CopyDigest, of_a_file_with_holes_is_that_of_its_content) {
    const Scratch scratch;
    const auto file = scratch / "f";
    const std::string text(block_size + 7, 'x');
    const int fd = ::open(file.c_str(), O_RDWR | O_CREAT, 0600);
    ASSERT_EQ(::pwrite(fd, text.data(), text.size(), 10 * block_size), static_cast<ssize_t>(text.size()));
    ASSERT_EQ(::ftruncate(fd, 20 * block_size + 3), 0);
    BlockDigest whole;
    EXPECT_EQ(add_file(whole, fd, 20 * block_size + 3), 0);
    EXPECT_NE(add_file(whole, fd, 21 * block_size), 0); // it is shorter
    const std::string content = content_of(file);
    BlockDigest expected;
    for (std::size_t at = 0; at < content.size(); at += block_size)
        expected.add(as_bytes(content).subspan(at, std::min(block_size, content.size() - at)));
    BlockDigest again;
    EXPECT_EQ(add_file(again, fd, content.size()), 0);
    EXPECT_EQ(again.value(), expected.value());
    ::close(fd);
}

TEST(CopyReceiver, files_go_into_a_directory_or_to_a_new_name) {
    const Scratch scratch;
    Script script;
    script.say(Total{1, 5}).file("a", "hello", 04755).say(Finish{});
    EXPECT_EQ(receive(script, scratch.path(), {"a"}).end, "");
    EXPECT_EQ(content_of(scratch / "a"), "hello");
    EXPECT_EQ(mode_of(scratch / "a"), 0755U); // no set-id bit
    EXPECT_EQ(receive(script, scratch / "b", {"a"}).end, "");
    EXPECT_EQ(content_of(scratch / "b"), "hello");
    EXPECT_EQ(entries(scratch.path()), (Words{"a", "b"}));
}

TEST(CopyReceiver, a_replaced_file_keeps_its_mode_and_a_link_is_not_followed) {
    const Scratch scratch;
    scratch.file("old", "old", 0640);
    scratch.file("elsewhere", "untouched");
    std::filesystem::create_directory(scratch / "d");
    std::filesystem::create_symlink("../elsewhere", scratch / "d/l");
    Script script;
    script.file("old", "new", 0777).say(Finish{});
    EXPECT_EQ(receive(script, scratch.path(), {"old"}).end, "");
    EXPECT_EQ(content_of(scratch / "old"), "new");
    EXPECT_EQ(mode_of(scratch / "old"), 0640U);
    Script over_link;
    over_link.file("l", "new").say(Finish{});
    EXPECT_EQ(receive(over_link, scratch / "d", {"l"}).end, "");
    EXPECT_FALSE(std::filesystem::is_symlink(scratch / "d/l"));
    EXPECT_EQ(content_of(scratch / "elsewhere"), "untouched");
}

TEST(CopyReceiver, directories_links_and_empty_names) {
    const Scratch scratch;
    Script script;
    script.say(Directory{0755, 0, 0}, "d")
        .file("f", "1")
        .say(Directory{0500, 0, 0}, "e")
        .say(Leave{})
        .say(Link{}, std::string("l\0f", 3))
        .say(Leave{})
        .say(Finish{});
    EXPECT_EQ(receive(script, scratch.path(), {"d"}).end, "");
    EXPECT_EQ(entries(scratch.path()), (Words{"d", "d/e", "d/f", "d/l"}));
    EXPECT_EQ(std::filesystem::read_symlink(scratch / "d/l"), "f");
    Script content;
    content.say(Directory{0755, 0, 0}, "").file("g", "2").say(Leave{}).say(Finish{});
    EXPECT_EQ(receive(content, scratch / "d", {""}).end, "");
    EXPECT_EQ(content_of(scratch / "d/g"), "2");
}

// Each is what a server could send to a client that asked for `rcmd cp -r h:d TARGET`. Nothing may appear beside the target.
TEST(CopyReceiver, refuses_what_was_not_asked_for_or_leads_outside) {
    const auto name = [](const std::string& text) { return Script().file(text, "x").say(Finish{}); };
    const auto in_d = [](const std::function<void(Script&)>& what) {
        Script script;
        script.say(Directory{0755, 0, 0}, "d");
        what(script);
        return script.say(Leave{}).say(Finish{});
    };
    const std::string block(block_size, 'x');
    const std::vector<std::pair<std::string, Script>> table = {
        {"bad_message", name("..")},
        {"bad_message", name(".")},
        {"bad_message", name("")},
        {"bad_message", name("../d")},
        {"bad_message", name("/d")},
        {"bad_message", name("other")},
        {"bad_message", in_d([](Script& s) { s.file("..", "x"); })},
        {"bad_message", in_d([](Script& s) { s.file("../x", "x"); })},
        {"bad_message", in_d([](Script& s) { s.file("a/b", "x"); })},
        {"bad_message", in_d([](Script& s) {
             s.say(Directory{0755, 0, 0}, "..");
         })},
        {"bad_message", in_d([](Script& s) {
             s.say(Directory{0755, 0, 0}, "");
         })},
        {"bad_message", in_d([](Script& s) { s.say(Link{}, std::string("..\0x", 4)); })},
        {"bad_message", in_d([](Script& s) { s.say(Link{}, "no target"); })},
        {"bad_message", in_d([](Script& s) { s.say(Link{}, std::string("l\0", 2)); })},
        {"unexpected_message", Script().say(Leave{}).say(Finish{})},
        {"unexpected_message", Script().say(Data{}, "x")},
        {"unexpected_message", Script().say(End{}, std::string(32, 'x'))},
        {"unexpected_message", Script().say(From{0})},
        {"unexpected_message", Script().say(Stored{}, std::string(32, 'x'))},
        {"unexpected_message", Script().say(Directory{0755, 0, 0}, "d").say(Finish{})},
        {"unexpected_message", Script().say(File{5, 0644, 0, 0, false}, "d").say(Finish{})},
        {"unexpected_message", Script().say(File{5, 0644, 0, 0, false}, "d").say(Data{}, "123456")},
        {"unexpected_message", Script().say(File{5, 0644, 0, 0, false}, "d").say(Data{}, "123")},
        {"unexpected_message", Script().say(File{5, 0644, 0, 0, false}, "d").say(Hole{6})},
        {"unexpected_message", Script().say(File{5, 0644, 0, 0, false}, "d").say(Hole{0})},
        {"unexpected_message", Script().say(File{5, 0644, 0, 0, false}, "d").say(End{}, std::string(32, 'x'))},
        {"unexpected_message", Script().say(File{5, 0644, 0, 0, false}, "d").say(File{5, 0644, 0, 0, false}, "d")},
        {"unexpected_message", Script().say(File{5, 0644, 0, 0, true}, "d").say(Data{}, "12345")},
        {"unexpected_message", Script().say(File{5, 0644, 0, 0, true}, "d").say(From{1})},
        {"broken", Script().say(File{5, 0644, 0, 0, false}, "d").say(Data{}, "12345")},
        {"broken", Script()},
    };
    for (std::size_t i = 0; i < table.size(); ++i) {
        SCOPED_TRACE(i);
        const Scratch scratch;
        std::filesystem::create_directory(scratch / "target");
        EXPECT_EQ(receive(table[i].second, scratch / "target", {"d"}).end, table[i].first);
        EXPECT_EQ(std::distance(std::filesystem::directory_iterator(scratch.path()), {}), 1);
        for (const std::string& entry : entries(scratch / "target")) EXPECT_EQ(entry, "d"); // and no part of a file
    }
}

TEST(CopyReceiver, does_not_go_through_a_link_that_came_with_the_copy) {
    const Scratch scratch;
    std::filesystem::create_directories(scratch / "target");
    std::filesystem::create_directories(scratch / "outside");
    Script script;
    script.say(Directory{0755, 0, 0}, "d")
        .say(Link{}, std::string("l\0../../outside", 15))
        .say(Directory{0755, 0, 0}, "l")
        .file("x", "x")
        .say(Leave{});
    script.say(Leave{}).say(Finish{});
    const Outcome outcome = receive(script, scratch / "target", {"d"});
    EXPECT_EQ(outcome.end, "");
    EXPECT_EQ(outcome.complaints.size(), 2U); // the directory, and the file in it
    EXPECT_TRUE(entries(scratch / "outside").empty());
}

TEST(CopyReceiver, directories_only_if_asked_for) {
    const Scratch scratch;
    EXPECT_EQ(receive(Script().say(Directory{0755, 0, 0}, "d"), scratch.path(), {"d"}, false).end, "bad_message");
    EXPECT_EQ(receive(Script().say(Link{}, std::string("d\0x", 3)), scratch.path(), {"d"}, false).end, "bad_message");
    EXPECT_TRUE(entries(scratch.path()).empty());
}

TEST(CopyReceiver, a_wrong_digest_leaves_the_old_file) {
    const Scratch scratch;
    scratch.file("a", "old");
    Script script;
    script.say(File{3, 0644, 0, 0, false}, "a").say(Data{}, "new").say(End{}, std::string(32, 'x')).say(Finish{});
    const Outcome outcome = receive(script, scratch.path(), {"a"});
    EXPECT_EQ(outcome.end, "");
    ASSERT_EQ(outcome.complaints.size(), 1U);
    EXPECT_NE(outcome.complaints[0].find("digests differ"), std::string::npos);
    EXPECT_EQ(content_of(scratch / "a"), "old");
    EXPECT_EQ(entries(scratch.path()), Words{"a"});
}

TEST(CopyReceiver, a_target_that_cannot_be_is_said_at_once) {
    const Scratch scratch;
    scratch.file("file", "x");
    const Script script = Script().file("a", "x").say(Finish{});
    for (const std::filesystem::path& target : {scratch / "no/such", scratch / "file/x", scratch / "file/", scratch / "new/"}) {
        const Outcome outcome = receive(script, target, {"a"}, false);
        EXPECT_EQ(outcome.end, "") << target;
        EXPECT_EQ(outcome.complaints.size(), 1U) << target;
    }
    EXPECT_EQ(receive(script, scratch / "file", {"a"}, false, true).complaints.size(), 1U);
    EXPECT_EQ(entries(scratch.path()), Words{"file"});
}

TEST(CopyReceiver, only_one_source_can_have_the_targets_name) {
    const Scratch scratch;
    const Outcome outcome = receive(Script().file("a1", "1").file("a2", "2").say(Finish{}), scratch / "new", {"a*"});
    EXPECT_EQ(outcome.complaints.size(), 1U);
    EXPECT_EQ(content_of(scratch / "new"), "1");
}

TEST(CopyReceiver, what_was_complete_when_the_sender_vanished_is_in_place) {
    const Scratch scratch;
    Script script;
    script.file("a", "whole").say(File{5, 0644, 0, 0, false}, "b").say(Data{}, "12345");
    EXPECT_EQ(receive(script, scratch.path(), {"a", "b"}).end, "broken");
    EXPECT_EQ(entries(scratch.path()), Words{"a"});
}

// Two ends on a socket pair.
class Socket : public Transport {
public:
    explicit Socket(int fd) : fd_(fd) {}
    ~Socket() override { ::close(fd_); }
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;
    std::size_t read(std::span<std::byte> space) override {
        return static_cast<std::size_t>(std::max<ssize_t>(0, ::read(fd_, space.data(), space.size())));
    }
    void write(std::span<const std::byte> bytes) override {
        if (::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(bytes.size())) throw Broken("gone");
    }
    void close() override { ::shutdown(fd_, SHUT_WR); }

private:
    int fd_;
};

struct Copied {
    Words complaints_of_sender;
    Words complaints_of_receiver;
    Progress::State sent;
};

Copied copy(const Words& sources, const std::string& target, const Words& names) {
    std::array<int, 2> ends{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()), 0);
    Copied copied;
    Progress sent;
    std::thread receiver([&] {
        Channel channel(std::make_unique<Socket>(ends[1]));
        Progress received;
        Receiver(channel, {target, false, true, {true, 022}, names}, received, [&](const std::string& line) {
            copied.complaints_of_receiver.push_back(line);
        }).receive();
    });
    {
        Channel channel(std::make_unique<Socket>(ends[0]));
        send(
            channel, {sources, true, false}, sent, [&](const std::string& line) { copied.complaints_of_sender.push_back(line); });
    }
    receiver.join();
    copied.sent = sent.state();
    return copied;
}

TEST(Copy, a_file_that_is_partly_there_goes_on) {
    const Scratch scratch;
    const std::string content(2 * 1024 * 1024 + 17, 'y');
    const auto source = scratch.file("source", content);
    struct stat status {};
    ASSERT_EQ(::stat(source.c_str(), &status), 0);
    const File about{content.size(), status.st_mode, static_cast<std::uint64_t>(status.st_mtim.tv_sec),
        static_cast<std::uint64_t>(status.st_mtim.tv_nsec), true};
    std::filesystem::create_directory(scratch / "d");
    struct Case {
        std::string there;
        std::uint64_t moved;
    };
    const std::vector<Case> table = {{"", content.size()}, {content, 0},
        {content.substr(0, block_size + 5), content.size() - block_size}, {std::string(block_size, 'z'), content.size()},
        {content + "more", 0}};
    for (const auto& [there, moved] : table) {
        SCOPED_TRACE(there.size());
        scratch.file("d/" + partial_name("target", about), there);
        const Copied copied = copy({source}, scratch / "d/target", {"source"});
        EXPECT_TRUE(copied.complaints_of_sender.empty() && copied.complaints_of_receiver.empty());
        EXPECT_EQ(copied.sent.bytes_moved, moved);
        EXPECT_TRUE(content_of(scratch / "d/target") == content);
        EXPECT_EQ(entries(scratch / "d"), Words{"target"});
        std::filesystem::remove(scratch / "d/target");
    }
}

TEST(Copy, a_problem_is_known_at_both_ends) {
    const Scratch scratch;
    const Copied copied = copy({scratch / "missing"}, scratch.path(), {"missing"});
    EXPECT_EQ(copied.complaints_of_sender.size(), 1U);
    EXPECT_EQ(copied.complaints_of_receiver, copied.complaints_of_sender);
}

} // namespace
} // namespace rc::copy
