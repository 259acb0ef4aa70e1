// Moving a job's bytes between the link and this side.
#pragma once

#include "client/link.hpp"
#include "client/local_io.hpp"
#include "client/remote_job.hpp"

#include <cstddef>
#include <functional>
#include <span>
#include <string>

namespace rc {

// Takes bytes of an output stream; when it ends they have been written. Throws Failure if they cannot be.
using Sink = std::function<asio::awaitable<void>(std::span<const std::byte>)>;

// To a descriptor; `name` is for the error. A reader that went away ends this program by SIGPIPE, as it does any other.
Sink write_to(Output& output, std::string name);
// To memory, for --json; fails beyond limits of its own (64 MiB).
Sink collect_in(std::string& text);

// Ends when the job has been started, or attached to, or is over.
asio::awaitable<void> await_start(RemoteJob& job);

// Hands the job's output to the sinks until the job is over and all that came has been taken. A sink that fails makes the job fail.
asio::awaitable<void> deliver(RemoteJob& job, Sink out, Sink err);

// Sends what `input` has to the job's stdin, then its end. Runs until it is cancelled. An input that cannot be read makes the job
// fail: its end would pass for the end of what it has.
asio::awaitable<void> feed(RemoteJob& job, Source& input);

} // namespace rc
