// What a line of authorized_keys says of its key beside the key itself: options as OpenSSH's file has them, with blanks between them.
#pragma once

#include "server/network.hpp"

#include <boost/describe/class.hpp>

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rc {

// What becomes of its requests.
struct Restrictions {
    std::optional<std::string> command;                  // command="…": runs instead of whatever is asked for
    std::optional<std::vector<std::string>> environment; // env=NAME,…: that a request may set, NAME* for all that begin so
    bool pty = true;                                     // no-pty
};
BOOST_DESCRIBE_STRUCT(Restrictions, (), (command, environment, pty))

struct KeyOptions {
    std::vector<std::string> users; // user=NAME,…: whom it may run commands as, the first by default; empty: none was named
    std::vector<Network> from;      // from=ADDRESS[/BITS],…: where it may come from; empty: from anywhere
    std::optional<std::chrono::system_clock::time_point> expires; // expires=DATE: from then on it opens nothing
    std::optional<std::size_t> max_jobs;                          // max-jobs=N: at a time
    Restrictions restrictions;
};

// The words of a line; a blank within double quotes separates nothing, and \" stands for a quote there. Throws Error{bad_message} for
// a quote that is not closed.
std::vector<std::string> split_line(std::string_view line);

// Adds an option, a word of split_line(). Throws Error{unsupported} for an unknown one, Error{bad_message} for a value that is none or
// an option that is there already.
void take_option(std::string_view option, KeyOptions& options);

// YYYY-MM-DD or YYYY-MM-DDTHH:MM[:SS], or the same without - T and : as OpenSSH has it; local time unless Z follows. A day begins at 0:00.
// Nothing if it is no such date.
std::optional<std::chrono::system_clock::time_point> parse_date(std::string_view text);

} // namespace rc
