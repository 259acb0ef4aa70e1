#include "client/completion.hpp"

#include "client/completion_word.hpp"
#include "client/job_io.hpp"
#include "common/bytes.hpp"

#include <memory>
#include <string>
#include <vector>

namespace rc {

namespace {

constexpr std::chrono::seconds patience{2};

std::string kind_name(CompletionKind kind) {
    switch (kind) {
    case CompletionKind::command: return "command";
    case CompletionKind::path: return "path";
    case CompletionKind::variable: return "variable";
    }
    return {};
}

// Those that can stand in a line: it is UTF-8.
std::vector<std::string> read_names(std::string_view answer) {
    std::vector<std::string> names;
    for (std::size_t end = 0; (end = answer.find('\0')) != answer.npos; answer.remove_prefix(end + 1)) {
        if (is_utf8(answer.substr(0, end))) names.emplace_back(answer.substr(0, end));
    }
    return names;
}

// Whatever becomes of the question, nothing of it is left behind.
class Question {
public:
    Question(Link& link, const asio::any_io_executor& executor, JobRequest request)
        : link_(link), job_(std::make_shared<RemoteJob>(executor, std::move(request))) {
        link_.jobs().start_or_fail(job_);
    }
    ~Question() { link_.jobs().release(*job_); }
    Question(const Question&) = delete;
    Question& operator=(const Question&) = delete;

    asio::awaitable<void> answer(std::string& text) { co_await deliver(*job_, collect_in(text), collect_in(nothing_)); }

private:
    Link& link_;
    std::shared_ptr<RemoteJob> job_;
    std::string nothing_;
};

void apply(LineEditor& editor, const std::string& before, const CompletionWord& word, const std::vector<std::string>& names) {
    if (names.empty()) {
        editor.refuse();
        return;
    }
    const bool only = names.size() == 1;
    const std::string text = quote_completion(common_prefix(names), word, only);
    const std::string_view typed = std::string_view(before).substr(word.start);
    if (!only && text == typed) editor.list(names);
    else editor.complete(typed.size(), text);
}

} // namespace

asio::awaitable<void> complete_word(Link& link, LineEditor& editor, JobRequest where) {
    const std::string before = editor.before_cursor();
    const CompletionWord word = completion_word(before);
    if (word.text.find('\0') != std::string::npos) {
        editor.refuse();
        co_return;
    }
    where.mode = ExecMode::subsystem;
    where.words = {"complete", kind_name(word.kind), word.text};
    where.combine = true;
    std::string answer;
    Question question(link, co_await asio::this_coro::executor, std::move(where));
    co_await with_deadline(question.answer(answer), patience);
    apply(editor, before, word, read_names(answer));
}

} // namespace rc
