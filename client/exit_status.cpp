#include "client/exit_status.hpp"

#include "common/bytes.hpp"
#include "common/described_json.hpp"
#include "common/signal_name.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>

namespace rc {

namespace {

constexpr int timed_out = 124;
constexpr int not_executable = 126;
constexpr int not_found = 127;
constexpr int failed = 255;
constexpr std::uint64_t longest_pause = 365ULL * 24 * 60 * 60; // seconds

int status_of(ErrorCode code) {
    switch (code) {
    case ErrorCode::not_found: return not_found;
    case ErrorCode::not_executable:
    case ErrorCode::too_large: return not_executable;
    default: return failed;
    }
}

// What an error that refuses a request says of whether the command ran.
Ran ran_if_refused(ErrorCode code) {
    switch (code) {
    case ErrorCode::conflict:
    case ErrorCode::restarted:
    case ErrorCode::outcome_unknown:
    case ErrorCode::expired: return Ran::unknown;
    default: return Ran::no;
    }
}

} // namespace

int exit_status(const Exit& exit) {
    if (exit.reason == ExitReason::timeout) return timed_out;
    if (exit.code) return static_cast<int>(*exit.code);
    const auto number = signal_number(*exit.signal);
    return number ? signalled + *number : failed;
}

Failure to_failure(const ErrorMessage& error, Ran ran) {
    std::string text = escape(error.message, 1024);
    std::optional<std::chrono::seconds> pause;
    if (error.retry_after) pause = std::chrono::seconds(std::min(*error.retry_after, longest_pause));
    if (error.retry_after) text += "; try again in " + std::to_string(*error.retry_after) + " s";
    const std::string code(to_string(error.code));
    if (!error.job) return Failure(code, text, ran, failed, pause);
    return Failure(code, text, ran == Ran::yes ? ran : ran_if_refused(error.code), status_of(error.code));
}

Failure protocol_failure(const Error& error, Ran ran) {
    return {"protocol", std::string("the server broke the protocol: ") + escape(error.what(), 1024), ran};
}

} // namespace rc
