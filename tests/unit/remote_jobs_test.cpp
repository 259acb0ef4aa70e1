// What a client says of its jobs, and what it makes of what it hears, over one connection after the other.
#include "client/remote_jobs.hpp"

#include "tests/unit/outgoing.hpp"

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

namespace rc {
namespace {

using Lines = std::vector<std::string>;

ServerRun run_of_server(const std::string& boot) { return {boot, 5, true}; }

class RemoteJobsTest : public testing::Test {
protected:
    std::shared_ptr<RemoteJob> make(const std::string& id, JobRequest request = {}) {
        request.id = id;
        request.words = {"a command of some length"};
        return std::make_shared<RemoteJob>(context.get_executor(), std::move(request));
    }

    std::shared_ptr<RemoteJob> started(const std::string& id, JobRequest request = {}) {
        const auto job = make(id, std::move(request));
        jobs.start(job);
        hear(Started{id, 17, {1000}});
        said();
        return job;
    }

    void hear(const Message& message, std::string_view body = {}) { jobs.take(message, as_bytes(body)); }

    // Since it was asked last.
    Lines said() {
        Lines lines;
        while (const auto outgoing = outbox.next(true)) {
            const auto more = messages_of(outgoing->frame + std::string(as_text(outgoing->body)),
                {"type", "job", "boot", "generation", "after", "number", "name", "stdout", "stderr", "seconds", "stream",
                    "offset"});
            lines.insert(lines.end(), more.begin(), more.end());
        }
        return lines;
    }

    Lines reconnect(const std::string& boot) {
        jobs.disconnect();
        outbox.clear();
        jobs.rejoin(run_of_server(boot));
        return said();
    }

    asio::io_context context;
    Outbox outbox;
    RemoteJobs jobs{outbox, run_of_server("first")};
};

Data output(const std::string& job, std::uint64_t offset) {
    Data data;
    data.job = job;
    data.stream = StreamName::stdout_;
    data.offset = offset;
    return data;
}

Exit end_of(const std::string& job, std::uint64_t bytes) {
    Exit exit;
    exit.job = job;
    exit.code = 0;
    exit.stdout_ = bytes;
    return exit;
}

Eof eof_of(const std::string& job, StreamName stream, std::uint64_t offset) {
    Eof eof;
    eof.job = job;
    eof.stream = stream;
    eof.offset = offset;
    return eof;
}

Attached attached(const std::string& job, std::uint64_t signals = 0, std::uint64_t bytes = 0) {
    Attached message;
    message.job = job;
    message.state = JobState::running;
    message.signals = signals;
    message.stdout_ = bytes;
    return message;
}

ErrorMessage refusal(const std::string& job, ErrorCode code) {
    ErrorMessage message;
    message.job = job;
    message.code = code;
    message.message = "no";
    return message;
}

TEST_F(RemoteJobsTest, a_request_without_an_answer_is_repeated_as_the_same_job_of_the_same_run) {
    const auto job = make("j");
    jobs.start(job);
    EXPECT_EQ(job->ran, Ran::unknown);
    EXPECT_EQ(said(), Lines{"exec j first 1 (26)"});
    EXPECT_EQ(reconnect("second"), Lines{"exec j first 2 (26)"});
}

TEST_F(RemoteJobsTest, a_job_that_runs_goes_on_at_the_byte) {
    const auto job = started("j");
    hear(output("j", 0), "abc");
    EXPECT_EQ(reconnect("first"), Lines{"attach j 2 3 0"});
    hear(attached("j", 0, 3));
    hear(output("j", 3), "def");
    EXPECT_EQ(job->streams.receiver(StreamName::stdout_)->received(), 6U);
}

TEST_F(RemoteJobsTest, a_server_that_goes_on_elsewhere_breaks_the_protocol) {
    started("j");
    hear(output("j", 0), "abc");
    reconnect("first");
    EXPECT_THROW(hear(attached("j", 0, 2)), Error);
}

TEST_F(RemoteJobsTest, after_a_restart_only_a_durable_job_is_there) {
    JobRequest durable;
    durable.durable = true;
    const auto kept = started("kept", durable);
    const auto gone = started("gone");
    EXPECT_EQ(reconnect("second"), Lines{"attach kept 2 0 0"});
    EXPECT_FALSE(kept->over());
    ASSERT_TRUE(gone->failure);
    EXPECT_EQ(gone->failure->code(), "restarted");
}

TEST_F(RemoteJobsTest, what_is_given_without_a_connection_is_asked_of_the_next_run) {
    jobs.disconnect();
    const auto job = make("j");
    jobs.start(job);
    EXPECT_EQ(said(), Lines{});
    EXPECT_EQ(job->ran, Ran::no);
    EXPECT_EQ(reconnect("second"), Lines{"exec j second 2 (26)"});
}

TEST_F(RemoteJobsTest, a_signal_before_it_is_asked_for_is_its_end) {
    jobs.disconnect();
    const auto job = make("j");
    jobs.start(job);
    jobs.signal(*job, "INT");
    ASSERT_TRUE(job->failure);
    EXPECT_EQ(job->failure->ran(), Ran::no);
    EXPECT_EQ(reconnect("second"), Lines{});
}

TEST_F(RemoteJobsTest, signals_that_were_not_taken_are_said_again) {
    const auto job = started("j");
    for (const auto* name : {"INT", "USR1", "TERM"}) jobs.signal(*job, name);
    EXPECT_EQ(said(), (Lines{"signal j 1 INT", "signal j 2 USR1", "signal j 3 TERM"}));
    reconnect("first");
    hear(attached("j", 1));
    EXPECT_EQ(said(), (Lines{"signal j 2 USR1", "signal j 3 TERM"}));
}

TEST_F(RemoteJobsTest, keep_is_said_again_as_it_was_said_last) {
    JobRequest request;
    request.keep = std::chrono::seconds(7);
    const auto job = started("j", request);
    EXPECT_EQ(reconnect("first"), Lines{"attach j 2 0 0"}) << "the request has said it";
    jobs.keep(std::chrono::hours(1));
    EXPECT_EQ(said(), Lines{"keep j 3600"});
    EXPECT_EQ(reconnect("first"), (Lines{"attach j 3 0 0", "keep j 3600"}));
    jobs.keep(std::nullopt);
    EXPECT_EQ(said(), Lines{"keep j 7"});
    EXPECT_EQ(reconnect("first"), (Lines{"attach j 4 0 0", "keep j 7"}));
}

TEST_F(RemoteJobsTest, one_that_follows_is_asked_again_when_its_turn_comes_after_all) {
    started("a");
    const auto next = make("b");
    next->after = After{"a", true};
    jobs.start(next);
    EXPECT_EQ(said(), Lines{R"(exec b first 1 {"job":"a","success":true} (26))"});
    hear(refusal("b", ErrorCode::skipped));
    EXPECT_FALSE(next->over());
    jobs.decide(*next, true);
    EXPECT_EQ(said(), Lines{"exec b first 1 (26)"});
}

TEST_F(RemoteJobsTest, one_that_follows_is_skipped_when_its_turn_does_not_come) {
    started("a");
    const auto next = make("b");
    next->after = After{"a", true};
    jobs.start(next);
    jobs.decide(*next, false);
    hear(refusal("b", ErrorCode::skipped));
    ASSERT_TRUE(next->failure);
    EXPECT_EQ(next->failure->ran(), Ran::no);
}

TEST_F(RemoteJobsTest, one_that_must_not_begin_is_asked_for_before_what_it_follows) {
    const auto first = make("a");
    jobs.start(first);
    const auto next = make("b");
    next->after = After{"a", false};
    jobs.start(next);
    said();
    jobs.decide(*next, false);
    EXPECT_EQ(reconnect("first"), (Lines{R"(exec b first 2 {"job":"a","success":true} (26))", "exec a first 2 (26)"}));
}

TEST_F(RemoteJobsTest, one_whose_turn_is_not_settled_waits_for_that_on_the_next_connection_too) {
    const auto first = started("a");
    const auto next = make("b");
    next->after = After{"a", true};
    jobs.start(next);
    jobs.release(*first);
    EXPECT_EQ(reconnect("first"), Lines{});
    jobs.decide(*next, true);
    EXPECT_EQ(said(), Lines{"exec b first 2 (26)"});
}

TEST_F(RemoteJobsTest, input_goes_on_where_the_server_says) {
    JobRequest request;
    request.input = true;
    const auto job = started("j", request);
    put(*job->streams.sender(StreamName::stdin_), "abcdef");
    EXPECT_EQ(said(), Lines{"data j stdin 0 abcdef"});
    reconnect("first");
    Attached back = attached("j");
    back.stdin_ = 4;
    back.limits.stdin_ = 1000;
    hear(back);
    EXPECT_EQ(said(), Lines{"data j stdin 4 ef"});
}

TEST_F(RemoteJobsTest, a_job_that_has_finished_takes_no_more_input) {
    JobRequest request;
    request.input = true;
    const auto job = started("j", request);
    put(*job->streams.sender(StreamName::stdin_), "abc");
    reconnect("first");
    Attached back = attached("j");
    back.state = JobState::finished;
    hear(back);
    EXPECT_EQ(said(), Lines{});
    EXPECT_TRUE(job->streams.sender(StreamName::stdin_)->stopped());
}

TEST_F(RemoteJobsTest, a_server_that_does_not_know_after_is_asked_without_it) {
    RemoteJobs old(outbox, {"first", 5, false});
    const auto job = make("b");
    job->after = After{"a", false};
    old.start(job);
    EXPECT_EQ(said(), Lines{"exec b first 1 (26)"});
}

TEST_F(RemoteJobsTest, all_are_released_from_the_last_to_the_first) {
    started("a");
    started("c");
    started("b");
    jobs.abandon();
    EXPECT_EQ(said(), (Lines{"release b", "release c", "release a"}));
    hear(output("a", 0), "late, not wrong");
}

TEST_F(RemoteJobsTest, without_another_connection_each_is_told_what_is_known) {
    const auto runs = started("runs");
    const auto asked = make("asked");
    jobs.start(asked);
    jobs.disconnect();
    const auto given = make("given");
    jobs.start(given);
    jobs.lose(Failure("lost", "gone", Ran::unknown));
    const auto later = make("later");
    jobs.start(later);
    EXPECT_EQ(runs->failure->ran(), Ran::yes);
    EXPECT_EQ(asked->failure->ran(), Ran::unknown);
    EXPECT_EQ(given->failure->ran(), Ran::no);
    EXPECT_EQ(later->failure->ran(), Ran::no);
}

TEST_F(RemoteJobsTest, an_end_counts_only_with_all_bytes_before_it) {
    for (const std::uint64_t total : {2U, 3U, 4U}) {
        const std::string id = std::to_string(total);
        const auto job = started(id);
        hear(output(id, 0), "abc");
        hear(eof_of(id, StreamName::stdout_, 3));
        hear(eof_of(id, StreamName::stderr_, 0));
        hear(end_of(id, total));
        EXPECT_EQ(job->exit.has_value(), total == 3) << total;
        EXPECT_EQ(job->failure ? job->failure->code() : "", total == 3 ? "" : "protocol");
    }
}

TEST_F(RemoteJobsTest, what_must_not_come_breaks_the_protocol) {
    const auto over = started("over");
    hear(eof_of("over", StreamName::stdout_, 0));
    hear(eof_of("over", StreamName::stderr_, 0));
    hear(end_of("over", 0));
    ASSERT_TRUE(over->exit);
    jobs.start(make("asked"));
    started("runs");
    const std::vector<Message> wrong{Started{"runs", 18, {1000}}, Started{"over", 18, {1000}}, attached("asked"),
        end_of("asked", 0), end_of("over", 0), output("over", 0), Welcome{}};
    for (std::size_t i = 0; i < wrong.size(); ++i) EXPECT_THROW(hear(wrong[i], "x"), Error) << i;
}

TEST_F(RemoteJobsTest, of_a_job_that_is_there_only_the_oldest_kept_is_asked_for) {
    JobRequest request;
    request.watch = Watch{};
    const auto job = make("j", request);
    jobs.watch(job);
    EXPECT_EQ(said(), Lines{"attach j 1"});
    hear(attached("j", 3, 100));
    EXPECT_EQ(job->first_stdout, 100U);
    jobs.keep(std::chrono::hours(1));
    EXPECT_EQ(said(), Lines{}) << "that is for whoever started it to say";
}

} // namespace
} // namespace rc
