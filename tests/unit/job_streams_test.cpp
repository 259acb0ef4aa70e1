// One end of a job on the wire: whose turn it is, acknowledgements, stops, ends, and what is refused.
#include "common/job_streams.hpp"

#include "tests/unit/outgoing.hpp"
#include "tests/unit/refusal.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace rc {
namespace {

using enum StreamName;
using Lines = std::vector<std::string>;

constexpr std::size_t large = 1 << 20;

void take_data(JobStreams& job, StreamName stream, std::uint64_t offset, std::string_view bytes) {
    const Data data{"j", stream, offset};
    job.take(data, as_bytes(bytes));
}

Message exit_of(const std::string& job) {
    Exit exit;
    exit.job = job;
    exit.code = 0;
    exit.boot = job;
    return exit;
}

Message release_of(const std::string& job) { return Release{job}; }

// All that it has to send of data, ends and closing message.
Lines all_data(JobStreams& job) {
    Lines lines;
    for (auto next = job.next_data(); next; next = job.next_data()) lines.push_back(sent(next));
    return lines;
}

// The server's end: sends stdout and stderr, receives stdin.
class JobStreamsTest : public testing::Test {
protected:
    JobStreams job{"j"};
    SendStream& out = job.open_sender(stdout_, large, large);
    SendStream& error = job.open_sender(stderr_, large, large);
    RecvStream& in = job.open_receiver(stdin_, 100);
};

TEST_F(JobStreamsTest, knows_the_streams_that_were_opened) {
    EXPECT_EQ(job.job(), "j");
    EXPECT_EQ(job.sender(stdout_), &out);
    EXPECT_EQ(job.sender(stderr_), &error);
    EXPECT_EQ(job.receiver(stdin_), &in);
    EXPECT_EQ(job.sender(stdin_), nullptr);
    EXPECT_EQ(job.receiver(stdout_), nullptr);
    EXPECT_EQ(job.receiver(stderr_), nullptr);
}

TEST_F(JobStreamsTest, has_nothing_to_say_at_first) {
    EXPECT_FALSE(job.next_control(true));
    EXPECT_FALSE(job.next_data());
    EXPECT_FALSE(job.ack_owed());
}

TEST_F(JobStreamsTest, sends_data_then_the_ends_then_the_closing_message) {
    put(out, "abc");
    put(error, "E");
    EXPECT_EQ(all_data(job).size(), 2U);
    put(out, "de");
    EXPECT_EQ(all_data(job), Lines{"data j stdout 3 de"});
    out.close();
    EXPECT_EQ(all_data(job), Lines{"eof j stdout 5"});
    job.finish_with(exit_of("j"));
    EXPECT_EQ(all_data(job), Lines{}) << "stderr goes on";
    put(error, "F");
    error.close();
    EXPECT_EQ(all_data(job), (Lines{"data j stderr 1 F", "eof j stderr 2", "exit j"}));
    EXPECT_EQ(all_data(job), Lines{}) << "once";
}

TEST_F(JobStreamsTest, streams_take_turns_frame_by_frame) {
    put(out, std::string(3 * limits::data_body + 5, 'o'));
    put(error, std::string(2 * limits::data_body, 'e'));
    const Lines lines = all_data(job);
    ASSERT_EQ(lines.size(), 6U);
    for (std::size_t i = 1; i < 4; ++i) EXPECT_NE(lines[i].substr(0, 13), lines[i - 1].substr(0, 13)) << "the same stream twice";
    Lines of_out;
    for (const auto& line : lines)
        if (line.find("stdout") != std::string::npos) of_out.push_back(line);
    EXPECT_EQ(of_out, (Lines{"data j stdout 0 (65536)", "data j stdout 65536 (65536)", "data j stdout 131072 (65536)",
                          "data j stdout 196608 ooooo"}));
}

TEST_F(JobStreamsTest, sends_no_more_than_the_window_until_it_is_acknowledged) {
    JobStreams small("j");
    SendStream& stream = small.open_sender(stdout_, 4, 8);
    put(stream, "abcd");
    EXPECT_TRUE(stream.prepare().empty());
    EXPECT_EQ(all_data(small), Lines{"data j stdout 0 abcd"});
    small.take(Ack{"j", stdout_, 2, 6});
    put(stream, "ef");
    EXPECT_TRUE(stream.prepare().empty());
    EXPECT_EQ(all_data(small), Lines{"data j stdout 4 ef"});
}

TEST_F(JobStreamsTest, acknowledges_when_a_quarter_of_the_window_is_written) {
    take_data(job, stdin_, 0, std::string(60, 'i'));
    EXPECT_FALSE(job.ack_owed()) << "received is not written";
    EXPECT_FALSE(job.next_control(true));
    in.consume(24);
    EXPECT_TRUE(job.ack_owed());
    EXPECT_FALSE(job.next_control(false)) << "not due yet";
    in.consume(1);
    EXPECT_EQ(sent(job.next_control(false)), "ack j stdin 25 125");
    EXPECT_FALSE(job.ack_owed());
    EXPECT_FALSE(job.next_control(true));
    in.consume(1);
    EXPECT_FALSE(job.next_control(false));
    EXPECT_EQ(sent(job.next_control(true)), "ack j stdin 26 126") << "owed, and asked for";
    EXPECT_FALSE(job.next_control(true));
}

TEST_F(JobStreamsTest, owes_no_acknowledgement_after_the_end) {
    take_data(job, stdin_, 0, std::string(60, 'i'));
    in.consume(30);
    EXPECT_TRUE(job.ack_owed());
    job.take(Eof{"j", stdin_, 60});
    in.consume(30);
    EXPECT_FALSE(job.ack_owed());
    EXPECT_FALSE(job.next_control(true));
    EXPECT_TRUE(in.drained());
}

TEST_F(JobStreamsTest, says_once_that_it_wants_no_more) {
    take_data(job, stdin_, 0, "abc");
    in.consume(1);
    job.stop_receiving(stdin_);
    EXPECT_EQ(sent(job.next_control(false)), "stop j stdin");
    EXPECT_FALSE(job.next_control(true));
    job.stop_receiving(stdin_);
    EXPECT_FALSE(job.next_control(true));
    take_data(job, stdin_, 3, "under way");
    EXPECT_TRUE(in.readable().empty());
    EXPECT_FALSE(job.ack_owed());
    EXPECT_EQ(refusal([&] { take_data(job, stdin_, 12, std::string(100, 'x')); }), "bad_offset") << "the limit stands";
}

TEST_F(JobStreamsTest, what_may_have_been_lost_is_said_again_on_a_new_connection) {
    put(out, "abcdef");
    out.close();
    error.close();
    job.finish_with(exit_of("j"));
    take_data(job, stdin_, 0, std::string(60, 'i'));
    in.consume(30);
    EXPECT_EQ(sent(job.next_control(true)), "ack j stdin 30 130");
    const Lines all = all_data(job);
    EXPECT_EQ(all.back(), "exit j");
    EXPECT_EQ(all_data(job), Lines{});

    job.resume();
    out.resume(2);
    error.resume(0);
    EXPECT_EQ(sent(job.next_control(true)), "ack j stdin 30 130");
    EXPECT_FALSE(job.next_control(true));
    Lines again = all_data(job);
    EXPECT_EQ(again.back(), "exit j") << "last, as ever";
    std::ranges::sort(again);
    EXPECT_EQ(again, (Lines{"data j stdout 2 cdef", "eof j stderr 0", "eof j stdout 6", "exit j"}));
}

TEST_F(JobStreamsTest, a_stop_is_said_again_on_a_new_connection_and_nothing_that_was_never_owed) {
    job.resume();
    EXPECT_FALSE(job.next_control(true));
    job.stop_receiving(stdin_);
    EXPECT_EQ(sent(job.next_control(true)), "stop j stdin");
    job.resume();
    EXPECT_EQ(sent(job.next_control(true)), "stop j stdin");
    EXPECT_FALSE(job.next_control(true));
}

TEST_F(JobStreamsTest, stops_and_acknowledgements_of_several_streams_all_come) {
    JobStreams client("j");
    client.open_receiver(stdout_, 100);
    client.open_receiver(stderr_, 100);
    for (const StreamName stream : {stdout_, stderr_}) {
        take_data(client, stream, 0, std::string(50, 'x'));
        client.receiver(stream)->consume(40);
    }
    Lines lines{sent(client.next_control(false)), sent(client.next_control(false))};
    std::ranges::sort(lines);
    EXPECT_EQ(lines, (Lines{"ack j stderr 40 140", "ack j stdout 40 140"}));
    client.stop_receiving(stderr_);
    client.receiver(stdout_)->consume(10);
    lines = {sent(client.next_control(true)), sent(client.next_control(true))};
    std::ranges::sort(lines);
    EXPECT_EQ(lines, (Lines{"ack j stdout 50 150", "stop j stderr"}));
}

TEST_F(JobStreamsTest, a_stopped_stream_sends_nothing_more_and_counts_as_finished) {
    put(out, "abc");
    put(error, "E");
    job.finish_with(exit_of("j"));
    job.take(Stop{"j", stdout_});
    EXPECT_TRUE(out.stopped());
    EXPECT_EQ(all_data(job), Lines{"data j stderr 0 E"});
    out.close();
    error.close();
    EXPECT_EQ(all_data(job), (Lines{"eof j stderr 1", "exit j"})) << "no end of a stream that was stopped";
}

TEST_F(JobStreamsTest, the_closing_message_waits_for_no_stream_that_it_receives) {
    JobStreams client("j");
    client.open_receiver(stdout_, 100);
    EXPECT_FALSE(client.next_data());
    client.finish_with(release_of("j"));
    EXPECT_EQ(all_data(client), Lines{"release j"});
}

TEST_F(JobStreamsTest, a_job_without_streams_is_closed_at_once) {
    JobStreams none("j");
    EXPECT_FALSE(none.next_data());
    none.finish_with(exit_of("j"));
    EXPECT_EQ(all_data(none), Lines{"exit j"});
}

TEST_F(JobStreamsTest, streams_that_are_not_open_are_refused) {
    for (const StreamName stream : {stdout_, stderr_}) {
        EXPECT_EQ(refusal([&] { take_data(job, stream, 0, "x"); }), "bad_offset");
        EXPECT_EQ(refusal([&] { job.take(Eof{"j", stream, 0}); }), "bad_offset");
    }
    EXPECT_EQ(refusal([&] { job.take(Ack{"j", stdin_, 0, 100}); }), "bad_offset");
    EXPECT_EQ(refusal([&] { job.take(Stop{"j", stdin_}); }), "bad_offset");
    JobStreams none("j");
    for (const StreamName stream : {stdin_, stdout_, stderr_}) {
        EXPECT_EQ(refusal([&] { take_data(none, stream, 0, "x"); }), "bad_offset");
        EXPECT_EQ(refusal([&] { none.take(Eof{"j", stream, 0}); }), "bad_offset");
        EXPECT_EQ(refusal([&] { none.take(Ack{"j", stream, 0, 0}); }), "bad_offset");
        EXPECT_EQ(refusal([&] { none.take(Stop{"j", stream}); }), "bad_offset");
    }
}

TEST_F(JobStreamsTest, what_a_stream_refuses_is_refused) {
    put(out, "abcdef");
    EXPECT_EQ(sent(job.next_data()), "data j stdout 0 abcdef");
    take_data(job, stdin_, 0, "abc");
    EXPECT_EQ(refusal([&] { job.take(Ack{"j", stdout_, 7, large}); }), "bad_offset");
    EXPECT_EQ(refusal([&] { job.take(Ack{"j", stdout_, 0, large - 1}); }), "bad_offset");
    EXPECT_EQ(refusal([&] { job.take(Ack{"j", stderr_, 1, large}); }), "bad_offset");
    for (const std::uint64_t offset : {std::uint64_t{0}, std::uint64_t{2}, std::uint64_t{4}, ~std::uint64_t{0}})
        EXPECT_EQ(refusal([&] { take_data(job, stdin_, offset, "x"); }), "bad_offset") << offset;
    EXPECT_EQ(refusal([&] { take_data(job, stdin_, 3, std::string(98, 'x')); }), "bad_offset");
    EXPECT_EQ(refusal([&] { job.take(Eof{"j", stdin_, 2}); }), "bad_offset");
    EXPECT_EQ(refusal([&] { job.take(Eof{"j", stdin_, 4}); }), "bad_offset");
    job.take(Eof{"j", stdin_, 3});
    EXPECT_EQ(refusal([&] { take_data(job, stdin_, 3, "x"); }), "bad_offset") << "behind the end";
}

TEST_F(JobStreamsTest, tells_when_something_may_have_become_sendable) {
    int ready = 0;
    job.on_ready = [&] { ++ready; };
    const auto rang = [&] { return std::exchange(ready, 0) > 0; };
    job.stop_receiving(stdin_);
    EXPECT_TRUE(rang());
    job.finish_with(exit_of("j"));
    EXPECT_TRUE(rang());
    job.take(Stop{"j", stdout_});
    job.take(Stop{"j", stderr_});
    EXPECT_TRUE(rang()) << "the closing message waits for nothing any more";
    EXPECT_EQ(all_data(job), Lines{"exit j"});
}

} // namespace
} // namespace rc
