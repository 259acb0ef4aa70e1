#include "client/line_editor.hpp"

#include "client/terminal.hpp"
#include "common/bytes.hpp"
#include "common/descriptor.hpp"
#include "common/limits.hpp"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <clocale>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <cwchar>
#include <semaphore>
#include <stdexcept>
#include <thread>

#include <histedit.h>
#include <langinfo.h>

namespace rc {

namespace {

constexpr int most_entries = 10'000;

void use_utf8() {
    std::setlocale(LC_CTYPE, "");
    if (std::strcmp(::nl_langinfo(CODESET), "UTF-8") != 0) std::setlocale(LC_CTYPE, "C.UTF-8");
}

struct CloseFile {
    void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

File open_file(int fd, const char* mode) {
    const int copy = ::fcntl(fd, F_DUPFD_CLOEXEC, 0);
    std::FILE* file = copy < 0 ? nullptr : ::fdopen(copy, mode);
    if (file == nullptr) throw std::runtime_error("the line editor cannot use the terminal");
    return File(file);
}

std::size_t characters_of(std::string_view utf8) {
    return static_cast<std::size_t>(
        std::ranges::count_if(utf8, [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0U) != 0x80U; }));
}

// Places on the screen.
std::size_t width_of(std::string_view utf8) {
    std::size_t width = 0;
    std::mbstate_t state{};
    while (!utf8.empty()) {
        wchar_t character = 0;
        const std::size_t size = std::mbrtowc(&character, utf8.data(), utf8.size(), &state);
        if (size == 0 || size > utf8.size()) break;
        width += static_cast<std::size_t>(std::max(::wcwidth(character), 0));
        utf8.remove_prefix(size);
    }
    return width;
}

// In columns of equal width, read downwards; at most `rows` of them.
std::string arrange(const std::vector<std::string>& names, std::size_t rows, std::size_t columns) {
    std::size_t widest = 0;
    for (const std::string& name : names) widest = std::max(widest, width_of(escape(name)));
    const std::size_t across = std::max<std::size_t>(columns / (widest + 2), 1);
    const std::size_t needed = (names.size() + across - 1) / across;
    std::string text;
    for (std::size_t row = 0; row < std::min(needed, rows); ++row) {
        for (std::size_t index = row; index < names.size(); index += needed) {
            const std::string name = escape(names[index]);
            text += name;
            if (index + needed < names.size()) text.append(widest + 2 - width_of(name), ' ');
        }
        text += "\r\n";
    }
    if (needed > rows) text.append("(").append(std::to_string(names.size())).append(" in all)\r\n");
    return text;
}

} // namespace

class LineEditor::Impl {
public:
    Impl(int in, int out);
    ~Impl();
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;

    void add_to_history(const std::string& entry) {
        HistEvent event;
        ::history(history_.get(), &event, H_ENTER, entry.c_str());
    }

    void begin(const std::string& prompt) {
        prompt_ = prompt;
        state = State::editing;
        cancelled_ = false;
        run_editor();
    }

    std::size_t feed(std::string_view keys) {
        keys_ = keys;
        if (state == State::completing) refuse();
        if (state == State::editing && !keys_.empty()) run_editor();
        const std::size_t left = keys_.size();
        keys_ = {};
        return keys.size() - left;
    }

    std::string before_cursor() {
        const LineInfo* info = ::el_line(editor_.get());
        return {info->buffer, info->cursor};
    }

    void complete(std::size_t remove, const std::string& text) {
        const std::string before = before_cursor();
        ::el_deletestr(editor_.get(), static_cast<int>(characters_of(std::string_view(before).substr(before.size() - remove))));
        ::el_insertstr(editor_.get(), text.c_str());
        answer(CC_REFRESH);
    }

    void list(const std::vector<std::string>& names) {
        hide();
        winsize size{};
        ::ioctl(out_, TIOCGWINSZ, &size);
        const std::size_t rows = size.ws_row > 4 ? size.ws_row - 3U : 1U;
        write(arrange(names, rows, size.ws_col > 0 ? size.ws_col : 80U));
        answer(CC_REDISPLAY);
    }

    void refuse() { answer(CC_NORM); }

    void hide() { write(is_plain_terminal() ? "\r\n" : "\r\n\x1b[J"); }

    void show() {
        if (state == State::editing || state == State::completing) ::el_set(editor_.get(), EL_REFRESH);
    }

    void resize() {
        if (state != State::editing && state != State::completing) return;
        ::el_resize(editor_.get());
        if (is_plain_terminal()) write("\r\n");
        else write(to_first_row().append("\r\x1b[J"));
        show();
    }

    void cancel() {
        if (state != State::editing && state != State::completing) return;
        cancelled_ = true;
        verdict_ = CC_NORM;
        run_editor();
        state = State::idle;
    }

    State state = State::idle;
    std::string line;

private:
    struct EndEditor {
        void operator()(EditLine* editor) const { ::el_end(editor); }
    };
    struct EndHistory {
        void operator()(History* history) const { ::history_end(history); }
    };

    static Impl& of(EditLine* editor) {
        void* self = nullptr;
        ::el_get(editor, EL_CLIENTDATA, &self);
        return *static_cast<Impl*>(self);
    }

    void bind_keys();
    void edit_lines();
    void take_line();
    void run_editor();
    void wait_for_caller();
    int next_character(wchar_t& character);
    unsigned char complete_here();
    void answer(unsigned char verdict);
    void write(std::string_view text) const { write_all(out_, as_bytes(text)); }
    std::string to_first_row();

    int out_;
    File in_file_;
    File out_file_;
    File error_file_;
    std::unique_ptr<EditLine, EndEditor> editor_;
    std::unique_ptr<History, EndHistory> history_;
    std::string prompt_;
    std::string_view keys_;
    std::mbstate_t partial_{};        // of a character whose bytes have not all come
    unsigned char verdict_ = CC_NORM; // what the completing function shall return
    bool cancelled_ = false;
    bool quitting_ = false;
    std::binary_semaphore editor_turn_{0};
    std::binary_semaphore caller_turn_{0};
    std::thread thread_;
};

LineEditor::Impl::Impl(int in, int out)
    : out_(out), in_file_(open_file(in, "r")), out_file_(open_file(out, "w")), error_file_(open_file(out, "w")) {
    use_utf8();
    editor_.reset(::el_init("rcmd", in_file_.get(), out_file_.get(), error_file_.get()));
    history_.reset(::history_init());
    if (!editor_ || !history_) throw std::runtime_error("the line editor cannot be started");
    HistEvent event;
    ::history(history_.get(), &event, H_SETSIZE, most_entries);
    ::history(history_.get(), &event, H_SETUNIQUE, 1);
    ::el_set(editor_.get(), EL_CLIENTDATA, this);
    ::el_set(editor_.get(), EL_HIST, ::history, history_.get());
    ::el_set(editor_.get(), EL_SIGNAL, 0);
    ::el_set(
        editor_.get(), EL_PROMPT_ESC, +[](EditLine* editor) { return of(editor).prompt_.data(); }, '\x01');
    ::el_set(
        editor_.get(), EL_GETCFN, +[](EditLine* editor, wchar_t* character) { return of(editor).next_character(*character); });
    ::el_wset( // el_set() would copy the names, and lose the copies
        editor_.get(), EL_ADDFN, L"rcmd-complete", L"Complete the word",
        +[](EditLine* editor, int) { return of(editor).complete_here(); });
    // What is typed between two lines waits as it is for whoever reads next.
    ::el_set(editor_.get(), EL_SETTY, "-x", "-icanon", "-echo", "-icrnl", nullptr);
    bind_keys();

    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before); // its writes are not to be interrupted
    thread_ = std::thread([this] { edit_lines(); });
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

LineEditor::Impl::~Impl() {
    cancel();
    quitting_ = true;
    editor_turn_.release();
    thread_.join();
}

// The user's keys come after ours, but a change of the editor forgets all there were.
void LineEditor::Impl::bind_keys() {
    const auto bind_ours = [this] {
        ::el_set(editor_.get(), EL_BIND, "^I", "rcmd-complete", nullptr);
        ::el_set(editor_.get(), EL_BIND, "^R", "em-inc-search-prev", nullptr);
    };
    ::el_set(editor_.get(), EL_EDITOR, "emacs");
    bind_ours();
    ::el_source(editor_.get(), nullptr);
    const char* kind = nullptr;
    if (::el_get(editor_.get(), EL_EDITOR, &kind) == 0 && std::string_view(kind) == "vi") bind_ours();
}

// The thread.
void LineEditor::Impl::edit_lines() {
    for (;;) {
        editor_turn_.acquire();
        if (quitting_) return;
        take_line();
        caller_turn_.release();
    }
}

void LineEditor::Impl::take_line() {
    int count = 0;
    const char* text = ::el_gets(editor_.get(), &count);
    if (text == nullptr || count <= 0) {
        state = State::end_of_input;
        return;
    }
    line.assign(text);
    if (line.ends_with('\n') || line.ends_with('\r')) line.pop_back();
    state = State::line;
}

void LineEditor::Impl::run_editor() {
    editor_turn_.release();
    caller_turn_.acquire();
}

void LineEditor::Impl::wait_for_caller() {
    caller_turn_.release();
    editor_turn_.acquire();
}

int LineEditor::Impl::next_character(wchar_t& character) {
    for (;;) {
        if (cancelled_) return -1;
        if (keys_.empty()) {
            wait_for_caller();
            continue;
        }
        const bool first = std::mbsinit(&partial_) != 0;
        const std::size_t size = std::mbrtowc(&character, keys_.data(), 1, &partial_);
        const bool invalid = size == static_cast<std::size_t>(-1);
        if (!invalid || first) keys_.remove_prefix(1); // a byte that breaks off a character may begin another one
        if (invalid) {
            partial_ = {};
            ::el_beep(editor_.get());
        }
        if (invalid || size == static_cast<std::size_t>(-2)) continue;
        const LineInfoW* info = ::el_wline(editor_.get());
        const auto length = static_cast<std::size_t>(info->lastchar - info->buffer);
        const bool control = character < L' ' || character == L'\x7f';
        if (control || length < limits::exec_body) return 1;
        ::el_beep(editor_.get());
    }
}

unsigned char LineEditor::Impl::complete_here() {
    state = State::completing;
    wait_for_caller();
    state = State::editing;
    return verdict_;
}

void LineEditor::Impl::answer(unsigned char verdict) {
    verdict_ = verdict;
    run_editor();
}

// From the row of the cursor. The terminal may have wrapped the rows anew; most do.
std::string LineEditor::Impl::to_first_row() {
    winsize size{};
    ::ioctl(out_, TIOCGWINSZ, &size);
    std::string shown;
    bool visible = true;
    for (const char byte : prompt_) {
        if (byte == '\x01') visible = !visible;
        else if (visible) shown += byte;
    }
    const std::size_t rows = size.ws_col > 0 ? width_of(shown.append(before_cursor())) / size.ws_col : 0;
    return rows > 0 ? std::string("\x1b[").append(std::to_string(rows)).append("A") : std::string();
}

LineEditor::LineEditor(int in, int out) : impl_(std::make_unique<Impl>(in, out)) {}
LineEditor::~LineEditor() = default;
void LineEditor::add_to_history(const std::string& entry) { impl_->add_to_history(entry); }
void LineEditor::begin(const std::string& prompt) { impl_->begin(prompt); }
std::size_t LineEditor::feed(std::string_view keys) { return impl_->feed(keys); }
LineEditor::State LineEditor::state() const { return impl_->state; }
const std::string& LineEditor::line() const { return impl_->line; }
std::string LineEditor::before_cursor() const { return impl_->before_cursor(); }
void LineEditor::complete(std::size_t remove, const std::string& text) { impl_->complete(remove, text); }
void LineEditor::list(const std::vector<std::string>& names) { impl_->list(names); }
void LineEditor::refuse() { impl_->refuse(); }
void LineEditor::hide() { impl_->hide(); }
void LineEditor::show() { impl_->show(); }
void LineEditor::resize() { impl_->resize(); }
void LineEditor::cancel() { impl_->cancel(); }

} // namespace rc
