// From what the server said to the client's exit status and to the failure that is shown.
#include "client/exit_status.hpp"

#include "common/described_json.hpp"
#include "common/signal_name.hpp"

#include <boost/describe/enumerators.hpp>
#include <boost/mp11/algorithm.hpp>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <string>
#include <string_view>
#include <vector>

namespace rc {
namespace {

using namespace std::string_literals;

Exit exited(std::uint64_t code, ExitReason reason = ExitReason::exited) {
    Exit exit;
    exit.reason = reason;
    exit.code = code;
    return exit;
}

Exit signalled(const std::string& signal, ExitReason reason = ExitReason::exited) {
    Exit exit;
    exit.reason = reason;
    exit.signal = signal;
    return exit;
}

ErrorMessage refusing(ErrorCode code, bool of_job = true) {
    ErrorMessage error;
    if (of_job) error.job = "j";
    error.code = code;
    error.message = "why";
    return error;
}

std::vector<ErrorCode> all_codes() {
    std::vector<ErrorCode> codes;
    boost::mp11::mp_for_each<boost::describe::describe_enumerators<ErrorCode>>([&](auto d) { codes.push_back(d.value); });
    return codes;
}

TEST(ExitStatus, is_the_commands_own) {
    for (std::uint64_t code = 0; code <= 255; ++code) EXPECT_EQ(exit_status(exited(code)), static_cast<int>(code));
}

TEST(ExitStatus, of_a_signal_is_128_more) {
    struct Case {
        std::string_view name;
        int status;
    };
    for (const auto& [name, status] :
        {Case{"HUP", 129}, Case{"INT", 130}, Case{"QUIT", 131}, Case{"ABRT", 134}, Case{"KILL", 137}, Case{"SEGV", 139},
            Case{"PIPE", 141}, Case{"TERM", 143}, Case{"34", 162}, Case{"50", 178}, Case{"64", 192}}) {
        EXPECT_EQ(exit_status(signalled(std::string(name))), status) << name;
    }
    for (int number = 1; number < NSIG; ++number) EXPECT_EQ(exit_status(signalled(signal_name(number))), 128 + number);
    EXPECT_EQ(exit_status(signalled(signal_name(SIGRTMIN))), 128 + SIGRTMIN);
    EXPECT_EQ(exit_status(signalled(signal_name(SIGRTMAX))), 128 + SIGRTMAX);
}

TEST(ExitStatus, of_a_job_that_the_server_ended_is_its_signal) {
    EXPECT_EQ(exit_status(signalled("HUP", ExitReason::abandoned)), 129);
    EXPECT_EQ(exit_status(signalled("TERM", ExitReason::shutdown)), 143);
    EXPECT_EQ(exit_status(exited(3, ExitReason::shutdown)), 3);
}

TEST(ExitStatus, of_a_signal_that_is_not_known_is_no_success) {
    for (const auto* name : {"", "NOSUCH", "SIGTERM", "0", "-1", "128", "99999999999999999999"})
        EXPECT_EQ(exit_status(signalled(name)), 255) << name;
}

TEST(ExitStatus, of_a_timeout_is_124_however_the_command_ended) {
    for (const std::uint64_t code : {0U, 1U, 7U, 143U, 255U}) EXPECT_EQ(exit_status(exited(code, ExitReason::timeout)), 124);
    for (const auto* name : {"TERM", "KILL", "INT", "64", "NOSUCH"})
        EXPECT_EQ(exit_status(signalled(name, ExitReason::timeout)), 124);
}

TEST(ToFailure, has_the_code_of_the_wire) {
    for (const ErrorCode code : all_codes()) {
        for (const bool of_job : {false, true}) {
            const Failure failure = to_failure(refusing(code, of_job), Ran::no);
            EXPECT_EQ(failure.code(), to_string(code));
            EXPECT_NE(std::string(failure.what()).find("why"), std::string::npos) << to_string(code);
        }
    }
}

TEST(ToFailure, of_a_job_has_the_status_that_a_shell_gives) {
    for (const ErrorCode code : all_codes()) {
        const int status = code == ErrorCode::not_found                                        ? 127
                           : code == ErrorCode::not_executable || code == ErrorCode::too_large ? 126
                                                                                               : 255;
        for (const Ran ran : {Ran::no, Ran::unknown})
            EXPECT_EQ(to_failure(refusing(code), ran).status(), status) << to_string(code);
    }
}

TEST(ToFailure, of_the_connection_is_255) {
    for (const ErrorCode code : all_codes()) {
        for (const Ran ran : {Ran::no, Ran::yes, Ran::unknown})
            EXPECT_EQ(to_failure(refusing(code, false), ran).status(), 255) << to_string(code);
    }
}

TEST(ToFailure, of_the_connection_says_nothing_new_of_the_command) {
    for (const ErrorCode code : all_codes()) {
        for (const Ran ran : {Ran::no, Ran::yes, Ran::unknown})
            EXPECT_EQ(to_failure(refusing(code, false), ran).ran(), ran) << to_string(code);
    }
}

// The request was on its way when the refusal came.
TEST(ToFailure, of_a_job_that_was_not_started_says_so) {
    using enum ErrorCode;
    for (const ErrorCode code :
        {too_large, busy, shutdown, forbidden, unsupported, no_directory, not_found, not_executable, internal}) {
        EXPECT_EQ(to_failure(refusing(code), Ran::no).ran(), Ran::no) << to_string(code);
        EXPECT_EQ(to_failure(refusing(code), Ran::unknown).ran(), Ran::no) << to_string(code);
    }
}

TEST(ToFailure, of_an_id_that_was_used_says_that_it_may_have_run) {
    using enum ErrorCode;
    for (const ErrorCode code : {conflict, restarted, expired}) {
        EXPECT_EQ(to_failure(refusing(code), Ran::unknown).ran(), Ran::unknown) << to_string(code);
        EXPECT_EQ(to_failure(refusing(code), Ran::unknown).status(), 255) << to_string(code);
    }
}

TEST(ToFailure, of_a_started_job_says_that_it_ran) {
    for (const ErrorCode code : all_codes()) EXPECT_EQ(to_failure(refusing(code), Ran::yes).ran(), Ran::yes) << to_string(code);
}

TEST(ToFailure, says_when_to_try_again) {
    ErrorMessage error = refusing(ErrorCode::busy, false);
    EXPECT_EQ(std::string(to_failure(error, Ran::no).what()).find("4711"), std::string::npos);
    error.retry_after = 4711;
    EXPECT_NE(std::string(to_failure(error, Ran::no).what()).find("4711"), std::string::npos);
    error.job = "j";
    EXPECT_NE(std::string(to_failure(error, Ran::no).what()).find("4711"), std::string::npos);
}

TEST(ToFailure, escapes_the_text_of_the_peer) {
    ErrorMessage error = refusing(ErrorCode::internal, false);
    error.message = "a\nb\r\x1b]0;title\x07\x7f\0\xC2\x9B\xE2\x80\xA8\xFF"s;
    const std::string text = to_failure(error, Ran::no).what();
    EXPECT_TRUE(std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; })) << text;
    EXPECT_EQ(text.find("\xC2\x9B"), std::string::npos);
    EXPECT_EQ(text.find("\xE2\x80\xA8"), std::string::npos);
    EXPECT_NE(text.find("a\\nb\\r\\x1b]0;title"), std::string::npos) << text;
    error.message = std::string(60000, 'x');
    EXPECT_LT(std::string(to_failure(error, Ran::no).what()).size(), 10000U) << "one line for a person";
}

} // namespace
} // namespace rc
