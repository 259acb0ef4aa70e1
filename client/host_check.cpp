#include "client/host_check.hpp"

#include "client/connect.hpp"
#include "client/failure.hpp"
#include "client/reporter.hpp"
#include "common/bytes.hpp"

#include <chrono>
#include <exception>

namespace rc {

namespace {

constexpr std::chrono::seconds lock_patience{5}; // each holds the lock for less than a millisecond
constexpr std::chrono::milliseconds lock_pause{5};

// What removes the lines of one file.
std::string removal(const std::vector<KnownHost>& lines) {
    const std::filesystem::path& file = lines.front().file;
    std::string command = "sed -i";
    for (const KnownHost& line : lines) {
        if (line.file == file) command.append(" -e ").append(std::to_string(line.line)).append(1, 'd');
    }
    return command.append(1, ' ').append(shell_word(file.string()));
}

std::string place(const KnownHost& line) { return escape(line.file.string()) + ':' + std::to_string(line.line); }

} // namespace

HostCheck::HostCheck(const ClientOptions& options)
    : options_(options), name_(options.host_key_alias.empty() ? host_and_port(options) : escape(options.host_key_alias)) {}

void HostCheck::check(const Fingerprint& shown) {
    shown_ = shown;
    lookup_ = {};
    if (proven_ == shown) return;
    lookup_ = look_up(read_known_hosts(options_.known_hosts), name_, shown);
    if (lookup_.known || options_.host_checking == HostChecking::off) return;
    if (!lookup_.others.empty()) refuse_or_warn();
    if (proven_) {
        throw Failure("host_changed", "another server answers on " + name_ + " than before: it shows " + to_text(shown) +
                                          ", before it was " + to_text(*proven_) + "; nothing was said to it");
    }
    if (options_.host_checking == HostChecking::strict) refuse_unknown();
}

void HostCheck::refuse_unknown() const {
    const std::string problem = "the host is not known, and StrictHostKeyChecking=yes takes known ones only; ";
    if (file() == no_file) throw Failure("unknown_host", problem + "no file is named that could know it");
    std::string line = known_hosts_line(name_, shown_);
    line.pop_back();
    throw Failure("unknown_host", problem +
                                      "if the server says the same fingerprint in its log when it starts, add this line to " +
                                      escape(file().string()) + ": " + line);
}

asio::awaitable<void> HostCheck::keep() {
    if (proven_ == shown_) co_return;
    const bool is_new = !lookup_.known && lookup_.others.empty();
    if (is_new && file() != no_file) co_await write();
    if (!lookup_.known && !lookup_.others.empty()) refuse_or_warn();
    proven_ = shown_;
}

asio::awaitable<void> HostCheck::write() {
    const auto deadline = Clock::now() + lock_patience;
    while (!try_to_write()) {
        if (Clock::now() > deadline) {
            warn("the host is not kept: others write " + escape(file().string()) + " all the time");
            co_return;
        }
        co_await sleep_for(lock_pause);
    }
}

// False: another process is writing the file.
bool HostCheck::try_to_write() {
    try {
        const std::optional<Lookup> now = add_known_host(file(), name_, shown_);
        if (!now) return false;
        lookup_ = *now;
        return true;
    } catch (const Failure&) {
        throw;
    } catch (const std::exception& problem) {
        warn(std::string("the host is not kept, so that the next time it is new again: ") + escape(problem.what()));
        return true;
    }
}

// With StrictHostKeyChecking=no it is only called when the server has proved that it knows the key.
void HostCheck::refuse_or_warn() const {
    const KnownHost& line = lookup_.others.front();
    const std::string change = "the server on " + name_ + " is not the one that it was: it shows " + to_text(shown_) + ", but " +
                               place(line) + " has " + to_text(line.fingerprint);
    if (options_.host_checking == HostChecking::off) {
        warn(change + "; StrictHostKeyChecking=no takes it all the same");
        return;
    }
    throw Failure(
        "host_changed", change + "; somebody may be in between, or it was reinstalled: then run: " + removal(lookup_.others));
}

void HostCheck::warn(const std::string& text) const {
    if (!options_.quiet) print_error(escape(options_.target.host) + ": " + text);
}

} // namespace rc
