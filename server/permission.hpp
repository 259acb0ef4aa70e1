// What a key may do: the one place where the options of its line are enforced.
#pragma once

#include "server/exec_request.hpp"
#include "server/key_options.hpp"

#include <boost/asio/ip/address.hpp>

#include <chrono>

namespace rc {

// Throws Error{forbidden} if the key opens nothing for that address, or not any more.
void check_usable(const KeyOptions& key, const boost::asio::ip::address& address, std::chrono::system_clock::time_point now);

// A request as it is run.
struct Grant {
    Exec exec;
    ExecRequest request;
};

// A forced command takes the place of what was asked for, in the home directory and without a former command's state; the names that the
// key may not set are left out. Throws Error{forbidden} for what it may not have at all: a terminal, or a subsystem beside a forced command.
Grant grant(const Restrictions& key, const Exec& exec, const ExecRequest& request);

} // namespace rc
