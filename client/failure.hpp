// What went wrong, for the user and for scripts: rcmd itself failed, or could not learn how the command ended.
#pragma once

#include "common/error.hpp"

#include <boost/describe/enum.hpp>

#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>

namespace rc {

// Whether the command was started. `no`: certainly not, it may be run again without harm.
enum class Ran { no, yes, unknown };

class Failure : public std::runtime_error {
public:
    // `code`: for scripts, one of the protocol's error codes or of those that README lists. `status`: of the client's exit. `retry_after`:
    // the server asks not to come back earlier.
    Failure(std::string code, const std::string& message, Ran ran = Ran::no, int status = 255,
        std::optional<std::chrono::seconds> retry_after = std::nullopt)
        : std::runtime_error(message), code_(std::move(code)), ran_(ran), status_(status), retry_after_(retry_after) {}

    [[nodiscard]] const std::string& code() const { return code_; }
    [[nodiscard]] Ran ran() const { return ran_; }
    [[nodiscard]] int status() const { return status_; }
    [[nodiscard]] std::optional<std::chrono::seconds> retry_after() const { return retry_after_; }

private:
    std::string code_;
    Ran ran_;
    int status_;
    std::optional<std::chrono::seconds> retry_after_;
};

} // namespace rc
