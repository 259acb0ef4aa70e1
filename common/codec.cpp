#include "common/codec.hpp"

#include "common/bytes.hpp"
#include "common/described_json.hpp"
#include "common/header_memory.hpp"
#include "common/typed_header.hpp"

#include <algorithm>
#include <string_view>
#include <type_traits>

namespace rc {

namespace json = boost::json;

namespace {

bool sent_by(From from, Peer sender) { return from == From::either || (from == From::client) == (sender == Peer::client); }

bool legal_in(In in, Phase phase) {
    switch (in) {
    case In::greeting: return phase == Phase::greeting;
    case In::proof: return phase == Phase::proof;
    case In::open: return phase == Phase::open;
    case In::any: return true;
    }
    return false;
}

bool valid_name(std::string_view name, std::size_t longest, std::string_view punctuation) {
    const auto good = [&](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               punctuation.find(c) != punctuation.npos;
    };
    return !name.empty() && name.size() <= longest && name.front() != '.' && std::ranges::all_of(name, good);
}

// Rules that no single field shows.
template <class T>
void check_meaning(const T&) {}

void check_meaning(const Hello& hello) {
    if (!valid_key_id(hello.key_id)) throw Error(ErrorCode::bad_message, "field 'key_id' is not a key id");
}

void check_size(const auto& window) {
    if (window.rows > limits::terminal_size || window.columns > limits::terminal_size) {
        throw Error(
            ErrorCode::bad_message, "a terminal has at most " + std::to_string(limits::terminal_size) + " rows or columns");
    }
}

void check_terminal(const Exec& exec) {
    if (exec.state && !exec.pty) throw Error(ErrorCode::bad_message, "field 'state' needs 'pty'");
    if (!exec.pty) return;
    check_size(*exec.pty);
    if (!exec.combine) throw Error(ErrorCode::bad_message, "field 'combine' must be true with 'pty'");
    if (!exec.pty->term.empty() && !valid_name(exec.pty->term, limits::term_length, "._+-")) {
        throw Error(ErrorCode::bad_message, "field 'term' is not the name of a kind of terminal");
    }
    if (exec.pty->typed > limits::typed_ahead || (exec.pty->typed > 0 && !exec.stdin_)) {
        throw Error(ErrorCode::bad_message, "field 'typed' is more than a terminal takes");
    }
}

void check_client(const auto& claim) {
    if (!valid_job_id(claim.client)) throw Error(ErrorCode::bad_message, "field 'client' is not the name of a client");
    if (claim.generation == 0) throw Error(ErrorCode::bad_message, "field 'generation' begins at 1");
}

void check_after(const Exec& exec) {
    if (!exec.after) return;
    if (!valid_job_id(exec.after->job)) throw Error(ErrorCode::bad_message, "field 'after' does not name a job");
    if (exec.after->job == exec.job) throw Error(ErrorCode::bad_message, "a job cannot follow itself");
    if (exec.durable) throw Error(ErrorCode::bad_message, "a durable job follows no other");
}

void check_meaning(const Exec& exec) {
    const bool right = exec.mode == ExecMode::shell ? exec.words == 1 : exec.words > 0;
    if (!right) throw Error(ErrorCode::bad_message, "field 'words' does not fit the mode");
    check_client(exec);
    const bool small =
        exec.limits.stdout_ < limits::smallest_window || (!exec.combine && exec.limits.stderr_ < limits::smallest_window);
    if (small) throw Error(ErrorCode::bad_message, "a first limit is at least " + std::to_string(limits::smallest_window));
    if (exec.umask.value_or(0) > limits::umask) throw Error(ErrorCode::bad_message, "field 'umask' must be at most 511");
    check_terminal(exec);
    check_after(exec);
}

void check_meaning(const Attach& attach) {
    check_client(attach);
    if (attach.pty) check_size(*attach.pty);
}

void check_meaning(const Resize& resize) { check_size(resize); }

void check_meaning(const Listed& job) {
    if (job.code.has_value() && job.signal.has_value()) {
        throw Error(ErrorCode::bad_message, "listed has at most one of 'code' and 'signal'");
    }
}

void check_meaning(const Exit& exit) {
    if (exit.code.has_value() == exit.signal.has_value()) {
        throw Error(ErrorCode::bad_message, "exit needs one of 'code' and 'signal'");
    }
    if (exit.code.value_or(0) > 255) throw Error(ErrorCode::bad_message, "field 'code' must be at most 255");
}

void check_job_id(const std::string& id) {
    if (!valid_job_id(id)) throw Error(ErrorCode::bad_message, "field 'job' is not a job id");
}

void check_job_id(const std::optional<std::string>& id) {
    if (id) check_job_id(*id);
}

template <class T>
void check_names(const T& message) {
    if constexpr (requires { message.job; }) check_job_id(message.job);
}

template <class T>
Message read_message(const MessageRow<T>& row, const json::object& fields, std::optional<std::uint64_t> body_size) {
    check_body(row.name, row.body, body_size);
    if (std::is_same_v<T, Data> && body_size == 0U) throw Error(ErrorCode::bad_message, "data without a byte");
    T message;
    read_fields(fields, message);
    check_names(message);
    check_meaning(message);
    return message;
}

} // namespace

bool valid_job_id(std::string_view id) { return valid_name(id, limits::job_id_length, "._-"); }
bool valid_key_id(std::string_view id) { return valid_name(id, limits::key_id_length, "._-@"); }

Message decode_message(json::object header, std::optional<std::uint64_t> body_size, Peer sender, Phase phase) {
    const std::string type = take_type(header);
    std::optional<Message> message;
    const auto try_row = [&](const auto& row) {
        if (row.name != type || !sent_by(row.from, sender) || !legal_in(row.phase, phase)) return false;
        message = read_message(row, header, body_size);
        return true;
    };
    const bool found = std::apply([&](const auto&... row) { return (try_row(row) || ...); }, message_table);
    if (!found) throw Error(ErrorCode::unexpected_message, "message '" + escape(type, longest_quote) + "' is not allowed here");
    return std::move(*message);
}

std::string encode_message(const Message& message, std::size_t body_size) {
    return std::visit(
        [&](const auto& value) {
            using T = std::remove_cvref_t<decltype(value)>;
            constexpr auto& row = std::get<MessageRow<T>>(message_table);
            HeaderMemory memory;
            json::object header(memory.storage());
            header.emplace("type", row.name);
            append_fields(value, header);
            return encode_frame(std::move(header), row.body ? std::optional(body_size) : std::nullopt);
        },
        message);
}

} // namespace rc
