// Every way in which rcmd can refuse or fail, as one enum that the wire, the log and the user see alike.
#pragma once

#include <boost/describe/enum.hpp>

#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

// Everything is in namespace rc: <netdb.h> declares a function of the name rcmd.
namespace rc {

// The enumerators' names are the strings of `error.code` on the wire. "Ends" says what the error ends:
// an error that ends a job carries that job's id, one that ends the connection carries none.
BOOST_DEFINE_ENUM_CLASS(ErrorCode,
    // The connection ends.
    bad_frame,           // a header that is not one JSON object, or has a duplicate field
    too_large,           // a header or a body over the limit of its phase or message; for a job: a command too long to start
    bad_message,         // a field that is unknown, missing, mistyped or out of range
    unexpected_message,  // an unknown message, or one that this phase or direction does not allow
    bad_offset,          // a stream's offset or limit outside what was sent, acknowledged or granted
    unsupported_version, // hello and challenge have no version in common
    auth_failed,         // the proof is wrong: unknown key id, wrong key, or not the host it claims to be
    login_timeout,       // the client did not authenticate within the grace time
    busy,                // a limit of the server is reached; for a job: of this connection's windows or jobs
    penalty,             // too many proofs from this address were wrong; it must wait
    shutdown,            // the server is ending; for a job: it was not started for that reason

    // The job ends, or never starts; the connection goes on.
    forbidden,       // this key may not do that; for the connection: it opens nothing any more, or not from there
    unsupported,     // a part of the protocol that this server does not offer
    skipped,         // the job that it was to follow did not end well, or was given up: this one was not started
    conflict,        // the job id has been used
    restarted,       // the request was first sent to another run of the daemon: it may have been run there
    outcome_unknown, // the job was, or may have been, started; how far it came is not known
    expired,         // the job id is older than the server remembers: it may have been run
    no_such_job,     // this key has no job of that id
    no_directory,    // the directory to run in does not exist or may not be entered
    not_found,       // the program to run does not exist
    not_executable,  // the program to run may not be executed
    internal         // the operating system refused something that the server needs
)

// Thrown for a peer's violation of the protocol and for a request that is refused. `what()` is the text for
// a person: it names the thing; it is escaped by whoever shows it, not here.
class Error : public std::runtime_error {
public:
    // `retry_after`: it may be worth another try then.
    Error(ErrorCode code, const std::string& message, std::optional<std::chrono::seconds> retry_after = std::nullopt)
        : std::runtime_error(message), code_(code), retry_after_(retry_after) {}
    [[nodiscard]] ErrorCode code() const { return code_; }
    [[nodiscard]] std::optional<std::chrono::seconds> retry_after() const { return retry_after_; }

private:
    ErrorCode code_;
    std::optional<std::chrono::seconds> retry_after_;
};

} // namespace rc
