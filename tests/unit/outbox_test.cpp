// What one end of a connection sends, and in which order.
#include "common/outbox.hpp"

#include "tests/unit/outgoing.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rc {
namespace {

using enum StreamName;
using Lines = std::vector<std::string>;

constexpr std::size_t large = 1 << 20;

// A job of the server's with an open stdout and stdin.
struct Job {
    explicit Job(const std::string& id) : streams(id) {}

    JobStreams streams;
    SendStream& out = streams.open_sender(stdout_, large, large);
    RecvStream& in = streams.open_receiver(stdin_, 100);
};

// Everything there is to send, a line a message.
Lines all(Outbox& outbox, bool flush = false) {
    Lines lines;
    for (auto next = outbox.next(flush); next; next = outbox.next(flush)) {
        for (auto& message : messages_of(*next)) lines.push_back(std::move(message));
    }
    return lines;
}

TEST(Outbox, has_nothing_at_first) {
    Outbox outbox;
    EXPECT_FALSE(outbox.next(true));
    EXPECT_FALSE(outbox.patience());
    EXPECT_EQ(outbox.queued(), 0U);
    Job job("j");
    outbox.add(job.streams);
    EXPECT_FALSE(outbox.next(true));
    outbox.remove(job.streams);
}

TEST(Outbox, sends_control_messages_in_order_and_counts_them_until_then) {
    Outbox outbox;
    outbox.push(Ping{});
    const std::size_t one = outbox.queued();
    EXPECT_GT(one, 4U);
    outbox.push(Release{"j"});
    outbox.push(Ping{});
    EXPECT_GT(outbox.queued(), 2 * one);
    EXPECT_EQ(all(outbox), (Lines{"ping", "release j", "ping"}));
    EXPECT_EQ(outbox.queued(), 0U);
    EXPECT_FALSE(outbox.next(false));
}

TEST(Outbox, what_nobody_waits_for_goes_with_whatever_goes_first) {
    Outbox outbox;
    Job job("j");
    outbox.add(job.streams);
    const Started started{"j", 4711, {}};
    outbox.push_soon(started);
    EXPECT_EQ(outbox.patience(), limits::soon);
    EXPECT_EQ(all(outbox), Lines{});
    put(job.out, "abc");
    EXPECT_EQ(all(outbox), (Lines{"started j", "data j stdout 0 abc"}));
    EXPECT_FALSE(outbox.patience());
    outbox.push_soon(started);
    outbox.push(Ping{});
    outbox.push_soon(started);
    EXPECT_EQ(all(outbox), (Lines{"started j", "ping", "started j"}));
    outbox.push_soon(started);
    EXPECT_EQ(all(outbox), Lines{});
    job.out.close();
    EXPECT_EQ(all(outbox), (Lines{"started j", "eof j stdout 3"}));
    outbox.push_soon(started);
    EXPECT_EQ(all(outbox, true), Lines{"started j"});
    outbox.remove(job.streams);
}

TEST(Outbox, sends_a_pushed_message_with_its_body) {
    Outbox outbox;
    Exec exec;
    exec.job = "j";
    exec.client = "client";
    exec.words = 1;
    exec.generation = 1;
    exec.limits = {limits::window, limits::window};
    const std::string body("echo hi\0\0", 9);
    outbox.push(exec, body);
    EXPECT_GT(outbox.queued(), body.size());
    outbox.push(Ping{});
    EXPECT_EQ(all(outbox), (Lines{"exec j " + body, "ping"}));
    outbox.push(exec, std::string(limits::exec_body, 'x'));
    EXPECT_EQ(all(outbox), Lines{"exec j (262144)"});
}

TEST(Outbox, control_messages_go_before_data_whenever_they_come) {
    Outbox outbox;
    Job job("j");
    outbox.add(job.streams);
    put(job.out, std::string(3 * limits::data_body, 'x'));
    outbox.push(Ping{});
    EXPECT_EQ(sent(outbox.next(false)), "ping");
    EXPECT_EQ(sent(outbox.next(false)), "data j stdout 0 (65536)");
    outbox.push(Release{"k"});
    EXPECT_EQ(sent(outbox.next(false)), "release k");
    job.streams.stop_receiving(stdin_);
    EXPECT_EQ(sent(outbox.next(false)), "stop j stdin");
    EXPECT_EQ(sent(outbox.next(false)), "data j stdout 65536 (65536)");
    outbox.remove(job.streams);
}

TEST(Outbox, jobs_take_turns_frame_by_frame) {
    Outbox outbox;
    Job a("a"), b("b"), c("c");
    for (Job* job : {&a, &b, &c}) outbox.add(job->streams);
    put(a.out, std::string(4 * limits::data_body, 'x'));
    put(b.out, std::string(2 * limits::data_body, 'x'));
    put(c.out, "last");
    const Lines first{sent(outbox.next(false)), sent(outbox.next(false)), sent(outbox.next(false))};
    for (const auto* wanted : {"data a stdout 0 (65536)", "data b stdout 0 (65536)", "data c stdout 0 last"})
        EXPECT_NE(std::ranges::find(first, wanted), first.end()) << wanted;
    const Lines second{sent(outbox.next(false)), sent(outbox.next(false))};
    for (const auto* wanted : {"data a stdout 65536 (65536)", "data b stdout 65536 (65536)"})
        EXPECT_NE(std::ranges::find(second, wanted), second.end()) << wanted;
    // One that comes later need not wait for what the others still have.
    Job late("late");
    outbox.add(late.streams);
    put(late.out, "now");
    const Lines third{sent(outbox.next(false)), sent(outbox.next(false))};
    EXPECT_NE(std::ranges::find(third, "data late stdout 0 now"), third.end());
    EXPECT_EQ(all(outbox), Lines{"data a stdout 196608 (65536)"});
    for (Job* job : {&a, &b, &c, &late}) outbox.remove(job->streams);
}

TEST(Outbox, forgets_all_that_was_for_a_connection_that_is_gone) {
    Outbox outbox;
    JobStreams job("j");
    SendStream& stream = job.open_sender(StreamName::stdout_, 100, 100);
    outbox.add(job);
    outbox.push(Ping{});
    outbox.push_frames("frames");
    EXPECT_EQ(outbox.frames(), 6U);
    outbox.clear();
    EXPECT_EQ(outbox.queued() + outbox.frames(), 0U);
    stream.commit(stream.prepare().first(1).size());
    job.on_ready(); // goes nowhere
    EXPECT_FALSE(outbox.next(true));
    outbox.push_frames("frames");
    EXPECT_EQ(outbox.next(true)->frame, "frames");
}

TEST(Outbox, frames_of_jobs_elsewhere_go_behind_control_messages_and_are_none) {
    Outbox outbox;
    outbox.push_frames("frames ");
    outbox.push(Ping{});
    outbox.push_frames("and frames");
    const std::size_t ping = outbox.queued();
    EXPECT_EQ(outbox.frames(), 17U);
    EXPECT_EQ(messages_of(*outbox.next(false)), Lines{"ping"});
    EXPECT_EQ(outbox.next(false)->frame, "frames and frames");
    outbox.push_soon(Ping{});
    outbox.push_frames("more");
    EXPECT_EQ(outbox.next(false)->frame.size(), ping + 4);
    EXPECT_FALSE(outbox.next(true));
    EXPECT_EQ(outbox.frames(), 0U);
}

TEST(Outbox, acknowledgements_that_are_due_go_before_data_and_owed_ones_only_on_demand) {
    Outbox outbox;
    Job a("a"), b("b");
    outbox.add(a.streams);
    outbox.add(b.streams);
    for (Job* job : {&a, &b}) {
        job->in.data(0, as_bytes(std::string(50, 'i')));
        put(job->out, "o");
    }
    a.in.consume(30);
    b.in.consume(3);
    EXPECT_EQ(outbox.patience(), limits::ack_delay);
    EXPECT_EQ(sent(outbox.next(false)), "ack a stdin 30 130");
    EXPECT_EQ(outbox.patience(), limits::ack_delay);
    EXPECT_EQ(sent(outbox.next(true)), "ack b stdin 3 103");
    EXPECT_FALSE(outbox.patience());
    EXPECT_EQ(all(outbox).size(), 2U);
    b.in.consume(1);
    EXPECT_EQ(all(outbox, false), Lines{});
    EXPECT_EQ(all(outbox, true), Lines{"ack b stdin 4 104"});
    outbox.remove(a.streams);
    outbox.remove(b.streams);
}

TEST(Outbox, a_job_ends_with_its_closing_message) {
    Outbox outbox;
    Job job("j");
    outbox.add(job.streams);
    put(job.out, "abc");
    Exit exit;
    exit.job = "j";
    exit.code = 0;
    job.streams.finish_with(exit);
    EXPECT_EQ(all(outbox), Lines{"data j stdout 0 abc"});
    job.out.close();
    EXPECT_EQ(all(outbox), (Lines{"eof j stdout 3", "exit j"}));
    EXPECT_EQ(all(outbox), Lines{});
    outbox.remove(job.streams);
}

TEST(Outbox, nothing_comes_of_a_job_that_was_removed) {
    Outbox outbox;
    Job a("a"), b("b"), c("c");
    for (Job* job : {&a, &b, &c}) {
        outbox.add(job->streams);
        put(job->out, "x");
        job->in.data(0, as_bytes("abc"));
        job->in.consume(1);
        job->streams.stop_receiving(stdin_);
    }
    outbox.remove(b.streams);
    Lines lines = all(outbox, true);
    std::ranges::sort(lines);
    EXPECT_EQ(lines, (Lines{"data a stdout 0 x", "data c stdout 0 x", "stop a stdin", "stop c stdin"}));
    outbox.remove(c.streams);
    put(a.out, "y");
    put(c.out, "y");
    EXPECT_EQ(all(outbox), Lines{"data a stdout 1 y"});
    outbox.remove(a.streams);
    EXPECT_EQ(all(outbox), Lines{});
    EXPECT_FALSE(outbox.patience());
}

TEST(Outbox, tells_when_something_may_have_become_sendable) {
    Outbox outbox;
    int ready = 0;
    outbox.on_ready = [&] { ++ready; };
    const auto rang = [&] { return std::exchange(ready, 0) > 0; };
    outbox.push(Ping{});
    EXPECT_TRUE(rang());
    Job job("j");
    put(job.out, "x");
    outbox.add(job.streams);
    EXPECT_TRUE(rang()) << "it may have had something before";
    job.streams.stop_receiving(stdin_);
    EXPECT_TRUE(rang());
    job.streams.on_ready();
    EXPECT_TRUE(rang()) << "the producer has put something in";
    outbox.remove(job.streams);
    rang();
    job.streams.stop_receiving(stdin_);
    job.streams.on_ready();
    EXPECT_FALSE(rang()) << "it takes part no more";
}

} // namespace
} // namespace rc
