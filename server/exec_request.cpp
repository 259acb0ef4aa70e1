#include "server/exec_request.hpp"

#include "common/bytes.hpp"
#include "common/described_json.hpp"

#include <string_view>

namespace rc {

namespace {

std::string take_string(std::string_view& rest) {
    const std::size_t end = rest.find('\0');
    if (end == std::string_view::npos) throw Error(ErrorCode::bad_message, "the body of exec has fewer strings than it says");
    std::string text(rest.substr(0, end));
    rest.remove_prefix(end + 1);
    return text;
}

bool valid_assignment(std::string_view text) {
    const std::size_t equals = text.find('=');
    return equals != std::string_view::npos && equals > 0;
}

} // namespace

ExecRequest read_exec_request(const Exec& exec, std::span<const std::byte> body) {
    std::string_view rest = as_text(body);
    ExecRequest request;
    for (std::uint64_t i = 0; i < exec.words; ++i) request.words.push_back(take_string(rest));
    request.directory = take_string(rest);
    while (!rest.empty()) {
        request.environment.push_back(take_string(rest));
        if (!valid_assignment(request.environment.back())) {
            throw Error(ErrorCode::bad_message, "an environment entry that is not NAME=VALUE");
        }
    }
    return request;
}

Digest digest_of(const Exec& exec, std::span<const std::byte> body) {
    std::string asked = exec.job;
    asked.append(1, '\0').append(to_string(exec.mode)).append(1, '\0');
    asked.append(std::to_string(exec.words)).append(1, '\0');
    if (exec.umask) asked.append(std::to_string(*exec.umask));
    for (const bool flag : {exec.stdin_, exec.combine, exec.state, exec.durable, exec.pty.has_value()})
        asked.append(1, '\0').append(1, flag ? 'y' : 'n');
    asked += as_text(body);
    return sha256(as_bytes(asked));
}

RequestedJob read_requested_job(const Exec& exec, std::span<const std::byte> body) {
    return {exec, std::string(as_text(body)), read_exec_request(exec, body), digest_of(exec, body)};
}

std::string one_line(const std::vector<std::string>& words) {
    std::string text;
    for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
    return text;
}

} // namespace rc
