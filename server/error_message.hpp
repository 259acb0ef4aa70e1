// What an error says to a client.
#pragma once

#include "common/error.hpp"
#include "common/message.hpp"

#include <optional>
#include <string>

namespace rc {

// `job`: the one that it is about; none: it is the connection's, and the last word there.
ErrorMessage to_message(const Error& error, std::optional<std::string> job = {});

} // namespace rc
