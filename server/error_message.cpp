#include "server/error_message.hpp"

#include <utility>

namespace rc {

ErrorMessage to_message(const Error& error, std::optional<std::string> job) {
    ErrorMessage message;
    message.job = std::move(job);
    message.code = error.code();
    message.message = error.what();
    if (error.retry_after()) message.retry_after = static_cast<std::uint64_t>(error.retry_after()->count());
    return message;
}

} // namespace rc
