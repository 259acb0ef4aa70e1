#include "client/line_editor.hpp"

#include "common/limits.hpp"
#include "tests/unit/scratch.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

namespace rc {
namespace {

using State = LineEditor::State;

// Both ends of a terminal of 24 rows and 80 columns, as the prompt has it.
class Pty {
public:
    Pty() {
        winsize size{};
        size.ws_row = 24;
        size.ws_col = 80;
        termios modes{};
        if (::openpty(&master_, &slave_, nullptr, nullptr, &size) != 0 || ::tcgetattr(slave_, &modes) != 0)
            throw std::runtime_error("no terminal");
        modes.c_iflag &= ~static_cast<tcflag_t>(ICRNL);
        modes.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
        ::tcsetattr(slave_, TCSANOW, &modes);
        ::fcntl(master_, F_SETFL, O_NONBLOCK);
    }
    ~Pty() {
        ::close(master_);
        ::close(slave_);
    }
    Pty(const Pty&) = delete;
    Pty& operator=(const Pty&) = delete;

    [[nodiscard]] int slave() const { return slave_; }

    // What has been written to it since the last call.
    std::string shown() const {
        std::string text;
        char buffer[4096];
        for (ssize_t count = 0; (count = ::read(master_, buffer, sizeof(buffer))) > 0;)
            text.append(buffer, static_cast<std::size_t>(count));
        return text;
    }

    void resize(unsigned short rows, unsigned short columns) const {
        winsize size{};
        size.ws_row = rows;
        size.ws_col = columns;
        ::ioctl(slave_, TIOCSWINSZ, &size);
    }

    [[nodiscard]] std::string modes() const {
        termios found{};
        ::tcgetattr(slave_, &found);
        return std::to_string(found.c_iflag) + ' ' + std::to_string(found.c_oflag) + ' ' + std::to_string(found.c_lflag);
    }

private:
    int master_ = -1;
    int slave_ = -1;
};

class LineEditing : public testing::Test {
protected:
    LineEditing() {
        ::setenv("HOME", home.path().c_str(), 1);
        ::setenv("TERM", "xterm", 1);
    }

    LineEditor& start() {
        editor.emplace(pty.slave(), pty.slave());
        editor->begin("prompt> ");
        return *editor;
    }

    // Types a whole line at a new prompt. What is shown is read meanwhile, or a terminal's buffer would be full.
    std::string type(std::string_view keys) {
        if (editor->state() != State::editing) editor->begin("prompt> ");
        while (!keys.empty() && editor->state() == State::editing) {
            keys.remove_prefix(editor->feed(keys.substr(0, 64)));
            pty.shown();
        }
        EXPECT_EQ(editor->state(), State::line);
        EXPECT_EQ(keys, "");
        return editor->line();
    }

    Scratch home;
    Pty pty;
    std::optional<LineEditor> editor;
};

TEST_F(LineEditing, shows_the_prompt_and_what_is_typed) {
    LineEditor& edited = start();
    EXPECT_EQ(edited.state(), State::editing);
    EXPECT_NE(pty.shown().find("prompt> "), std::string::npos);
    EXPECT_EQ(edited.feed("ls"), 2U);
    EXPECT_NE(pty.shown().find("ls"), std::string::npos);
    EXPECT_EQ(edited.before_cursor(), "ls");
    EXPECT_EQ(edited.state(), State::editing);
    EXPECT_EQ(edited.feed("\rpwd\r"), 1U) << "the next line is for another call";
    EXPECT_EQ(edited.state(), State::line);
    EXPECT_EQ(edited.line(), "ls");
}

TEST_F(LineEditing, emacs_keys) {
    struct Case {
        std::string keys, line;
    };
    const std::vector<Case> table = {
        {"ls\r", "ls"},
        {"ls\n", "ls"},
        {"\r", ""},
        {"ls\x7f\r", "l"},
        {"b\x01\x61\r", "ab"},
        {"b\x01\x61\x05\x63\r", "abc"},
        {"one two\x17three\r", "one three"},
        {"gone\x15kept\r", "kept"},
        {"ab\x02\x0b\r", "a"},
        {"ab\x1b[DX\r", "aXb"},
        {"one two\x1b\x62X\r", "one Xtwo"},
        {"中文\x7f\r", "中"},
        {"中\x02文\r", "文中"},
        {" blank \r", " blank "},
    };
    start();
    for (const auto& [keys, line] : table) EXPECT_EQ(type(keys), line) << testing::PrintToString(keys);
}

TEST_F(LineEditing, keys_may_come_byte_by_byte) {
    LineEditor& edited = start();
    const std::string keys = "echo 中文 \x1b[D\x1b[D!\r";
    for (const char key : keys) EXPECT_EQ(edited.feed(std::string(1, key)), 1U);
    EXPECT_EQ(edited.line(), "echo 中!文 ");
}

TEST_F(LineEditing, bytes_that_are_no_character_are_refused) {
    start();
    for (const std::string rubbish : {"\xFF", "\xC3", "\xE4\xB8", "\xC0\x80", "\xF5"}) {
        EXPECT_EQ(type("a" + rubbish + "b\r"), "ab") << testing::PrintToString(rubbish);
    }
}

TEST_F(LineEditing, vi_keys_of_the_editrc) {
    home.file(".editrc", "bind -v\n");
    start();
    EXPECT_EQ(type("world\x1b\x30ihello \r"), "hello world");
    editor->begin("prompt> ");
    editor->feed("x\t");
    EXPECT_EQ(editor->state(), State::completing);
}

TEST_F(LineEditing, keys_that_the_user_has_bound_are_kept) {
    home.file(".editrc", "rcmd:bind ^T ed-move-to-beg\nother:bind ^T ed-delete-prev-char\n");
    start();
    EXPECT_EQ(type("b\x14\x61\r"), "ab");
}

TEST_F(LineEditing, the_history_is_recalled_and_searched) {
    start();
    for (const std::string entry : {"first", "second\nof two", "third 中"}) editor->add_to_history(entry);
    EXPECT_EQ(type("\x10\r"), "third 中");
    EXPECT_EQ(type("\x1b[A\x1b[A\r"), "second\nof two");
    EXPECT_EQ(type("\x12"
                   "fir\r"),
        "first");
}

TEST_F(LineEditing, an_end_of_file_is_one_only_on_an_empty_line) {
    LineEditor& edited = start();
    edited.feed("ab\x01\x04");
    EXPECT_EQ(edited.before_cursor(), "");
    EXPECT_EQ(edited.state(), State::editing);
    edited.feed("\x04");
    edited.feed("\x04");
    EXPECT_EQ(edited.state(), State::end_of_input);
    edited.begin("prompt> ");
    EXPECT_EQ(edited.state(), State::editing);
}

TEST_F(LineEditing, a_line_that_is_thrown_away_is_gone) {
    LineEditor& edited = start();
    edited.feed("gone");
    edited.cancel();
    EXPECT_EQ(edited.state(), State::idle);
    edited.cancel();
    EXPECT_EQ(type("kept\r"), "kept");
    edited.begin("prompt> ");
    edited.feed("\x12gone"); // in the middle of a search
    edited.cancel();
    EXPECT_EQ(type("kept\r"), "kept");
}

TEST_F(LineEditing, half_a_character_does_not_reach_the_next_line) {
    LineEditor& edited = start();
    edited.feed("\xE4\xB8");
    edited.cancel();
    EXPECT_EQ(type("a\r"), "a");
}

TEST_F(LineEditing, a_word_is_completed) {
    LineEditor& edited = start();
    edited.feed("cat 中文 pas\tw");
    ASSERT_EQ(edited.state(), State::completing);
    EXPECT_EQ(edited.before_cursor(), "cat 中文 pas");
    edited.complete(std::string("文 pas").size(), "国 passwd ");
    EXPECT_EQ(edited.state(), State::editing);
    EXPECT_EQ(edited.before_cursor(), "cat 中国 passwd ");
    edited.feed("x\r");
    EXPECT_EQ(edited.line(), "cat 中国 passwd x");
}

TEST_F(LineEditing, a_word_is_completed_within_the_line) {
    LineEditor& edited = start();
    edited.feed("pas x\x01\x1b[C\x1b[C\x1b[C\t");
    ASSERT_EQ(edited.state(), State::completing);
    edited.complete(3, "passwd");
    edited.feed("!\r");
    EXPECT_EQ(edited.line(), "passwd! x");
}

TEST_F(LineEditing, other_keys_come_before_an_answer) {
    LineEditor& edited = start();
    edited.feed("pas\t");
    ASSERT_EQ(edited.state(), State::completing);
    EXPECT_EQ(edited.feed("ted\r"), 4U);
    EXPECT_EQ(edited.line(), "pasted");
}

TEST_F(LineEditing, names_are_listed_below_and_the_line_is_shown_again) {
    LineEditor& edited = start();
    edited.feed("cat pas\t");
    pty.shown();
    edited.list({"passwd", "passwd-", "中\x1b文"});
    const std::string shown = pty.shown();
    for (const std::string part : {"passwd  ", "passwd-", "中\\x1b文", "prompt> ", "cat pas"})
        EXPECT_NE(shown.find(part), std::string::npos) << part << testing::PrintToString(shown);
    EXPECT_EQ(edited.state(), State::editing);
    edited.feed("\r");
    EXPECT_EQ(edited.line(), "cat pas");
}

TEST_F(LineEditing, more_names_than_rows_are_counted) {
    LineEditor& edited = start();
    edited.feed("\t");
    pty.shown();
    edited.list(std::vector<std::string>(2000, std::string(30, 'n')));
    const std::string shown = pty.shown();
    EXPECT_NE(shown.find("2000"), std::string::npos);
    EXPECT_LT(shown.size(), 24U * 80U);
}

TEST_F(LineEditing, the_line_survives_other_text_and_another_size) {
    LineEditor& edited = start();
    edited.feed("kept");
    edited.hide();
    pty.shown();
    edited.show();
    EXPECT_NE(pty.shown().find("kept"), std::string::npos);
    for (const unsigned short columns : std::vector<unsigned short>{20, 5, 200, 1, 80}) {
        pty.resize(24, columns);
        edited.resize();
        edited.feed("x");
        EXPECT_NE(pty.shown(), "");
    }
    edited.feed("\r");
    EXPECT_EQ(edited.line(), "keptxxxxx");
}

TEST_F(LineEditing, a_long_line_is_exact) {
    std::string line;
    while (line.size() < 3000) line += "中文 and more; ";
    start();
    EXPECT_EQ(type(line + "\x01>\x05<\r"), ">" + line + "<");
}

TEST_F(LineEditing, a_line_has_a_most) {
    start();
    const std::string full(limits::exec_body, 'x');
    EXPECT_EQ(type(full + "y中\r"), full);
}

TEST_F(LineEditing, works_on_a_terminal_that_can_do_nothing) {
    ::setenv("TERM", "dumb", 1);
    start();
    EXPECT_EQ(type("one\x01two \r"), "two one");
    EXPECT_EQ(type(std::string(200, 'x') + "\r"), std::string(200, 'x'));
    editor->begin("prompt> ");
    editor->feed("kept\t");
    pty.shown();
    editor->list({"a", "b"});
    editor->resize();
    EXPECT_EQ(pty.shown().find('\x1b'), std::string::npos);
}

TEST_F(LineEditing, the_terminal_has_its_modes_back_whatever_happens) {
    const std::string before = pty.modes();
    start();
    EXPECT_NE(pty.modes(), before);
    type("line\r");
    EXPECT_EQ(pty.modes(), before);
    editor->begin("prompt> ");
    editor->cancel();
    EXPECT_EQ(pty.modes(), before);
    editor->begin("prompt> ");
    editor->feed("half a line");
    editor.reset();
    EXPECT_EQ(pty.modes(), before);
}

} // namespace
} // namespace rc
