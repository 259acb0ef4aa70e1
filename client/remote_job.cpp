#include "client/remote_job.hpp"

#include "common/auth.hpp"
#include "common/bytes.hpp"

namespace rc {

namespace {

std::string join_words(const std::vector<std::string>& words) {
    std::string line;
    for (std::size_t i = 0; i < words.size(); ++i) line += (i == 0 ? "" : " ") + words[i];
    return line;
}

void append_string(std::string& body, const std::string& text) {
    if (text.find('\0') != std::string::npos) throw Failure("usage", "a command cannot hold a NUL byte");
    body += text;
    body += '\0';
}

} // namespace

RemoteJob::RemoteJob(const asio::any_io_executor& executor, JobRequest what)
    : request(std::move(what)), streams(request.id.empty() ? to_hex(make_random<Salt>()) : request.id),
      durable(request.durable || request.watch.has_value()), output(executor), error(executor), input(executor), end(executor) {
    if (request.watch) return; // then the server says where they begin
    streams.open_receiver(StreamName::stdout_, request.window);
    if (!request.combine) streams.open_receiver(StreamName::stderr_, request.window);
}

void RemoteJob::fail(const Failure& why) {
    if (over()) return;
    failure = why;
    wake();
}

void RemoteJob::fail_here(const Failure& why) {
    exit.reset();
    failure = why;
    wake();
}

void RemoteJob::wake() {
    output.notify();
    error.notify();
    input.notify();
    end.notify();
}

ExecFrame make_exec(const RemoteJob& job) {
    const JobRequest& request = job.request;
    const bool shell = request.mode == ExecMode::shell;
    const std::vector<std::string> words = shell ? std::vector{join_words(request.words)} : request.words;
    ExecFrame frame;
    for (const std::string& word : words) append_string(frame.body, word);
    append_string(frame.body, request.directory);
    for (const std::string& assignment : request.environment) append_string(frame.body, assignment);
    if (frame.body.size() > limits::exec_body) {
        throw Failure("too_large",
            "the command with its environment takes more than " + std::to_string(limits::exec_body) +
                " bytes; send it on stdin to a remote 'sh -s'",
            Ran::no, 126);
    }
    Exec& exec = frame.header;
    exec.job = job.id();
    exec.mode = request.mode;
    exec.words = words.size();
    exec.stdin_ = request.input;
    exec.combine = request.combine;
    exec.wait_eof = request.wait_eof;
    exec.pty = request.pty;
    exec.state = request.state;
    exec.umask = request.umask;
    exec.keep = static_cast<std::uint64_t>(request.keep.count());
    if (request.timeout) exec.timeout = static_cast<std::uint64_t>(request.timeout->count());
    exec.durable = request.durable;
    exec.detach = request.detach;
    exec.after = job.after;
    exec.limits = {request.window, request.combine ? 0 : request.window};
    return frame;
}

} // namespace rc
