// Writing what an outbox holds, and waiting until little is left.
#include "common/sender.hpp"

#include "tests/unit/outgoing.hpp"

#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace rc {
namespace {

struct Written : FrameSink {
    std::string bytes;

    void put(std::string_view more) override { bytes += more; }
    asio::awaitable<void> flush() override { co_return; }
};

asio::awaitable<void> leave_when_there_is_room(Sender& sender, int& left) {
    co_await sender.room();
    ++left;
}

asio::awaitable<void> leave_when_there_is_room_for_frames(Sender& sender, int& left) {
    co_await sender.room_for_frames();
    ++left;
}

// As far as it comes: coroutines that wake one another for nothing would do so for ever.
void run_some(asio::io_context& context) {
    for (int handlers = 0; handlers < 1000; ++handlers) context.poll_one();
}

// A session waits twice: with what it reads from its client, and with what it takes from jobs on other threads.
TEST(Sender, everyone_who_waits_for_room_learns_of_it) {
    asio::io_context context;
    Outbox outbox;
    Written sink;
    Sender sender(sink, outbox, context.get_executor());
    const std::string frames(1024 * 1024, 'f');
    outbox.push_frames(frames);
    int left = 0;
    int answered = 0;
    for (int i = 0; i < 2; ++i) asio::co_spawn(context, leave_when_there_is_room_for_frames(sender, left), asio::detached);
    asio::co_spawn(context, leave_when_there_is_room(sender, answered), asio::detached);
    run_some(context);
    EXPECT_EQ(left, 0);
    EXPECT_EQ(answered, 1) << "they hold up nobody else";
    asio::co_spawn(context, sender.run(), asio::detached);
    sender.finish();
    run_some(context);
    EXPECT_EQ(left, 2);
    EXPECT_EQ(sink.bytes, frames);
}

TEST(Sender, who_answers_waits_while_many_answers_do) {
    asio::io_context context;
    Outbox outbox;
    Written sink;
    Sender sender(sink, outbox, context.get_executor());
    for (int i = 0; i < 10'000; ++i) outbox.push(Ping{});
    int left = 0;
    for (int i = 0; i < 2; ++i) asio::co_spawn(context, leave_when_there_is_room(sender, left), asio::detached);
    run_some(context);
    EXPECT_EQ(left, 0);
    asio::co_spawn(context, sender.run(), asio::detached);
    sender.finish();
    run_some(context);
    EXPECT_EQ(left, 2);
}

TEST(Sender, what_nobody_waits_for_goes_all_the_same) {
    asio::io_context context;
    Outbox outbox;
    Written sink;
    Sender sender(sink, outbox, context.get_executor());
    asio::co_spawn(context, sender.run(), asio::detached);
    outbox.push_soon(Ping{});
    run_some(context);
    while (sink.bytes.empty()) context.run_one();
    EXPECT_EQ(messages_of(sink.bytes), std::vector<std::string>{"ping"});
    sender.finish();
    run_some(context);
}

} // namespace
} // namespace rc
