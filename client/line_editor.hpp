// The line that is typed at the prompt: shown, edited and recalled with the keys of the user's ~/.editrc. The only file that uses
// libedit, which wants to wait for keys itself: it runs on a thread of its own that only ever runs while a member function here waits
// for it. So keys come from wherever the caller waits, beside anything else, and nothing here needs a lock.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace rc {

class LineEditor {
public:
    // `completing`: Tab was typed, and complete(), list() or refuse() is expected; other input refuses too.
    enum class State { idle, editing, completing, line, end_of_input };

    // Terminals, and not owned; between two lines they are left as Terminal::hold_input() makes them. Sets the locale's LC_CTYPE, to C.UTF-8 if the user's is not UTF-8.
    LineEditor(int in, int out);
    // Ends the editing.
    ~LineEditor();
    LineEditor(const LineEditor&) = delete;
    LineEditor& operator=(const LineEditor&) = delete;

    // What the keys for it recall, the last one first. UTF-8.
    void add_to_history(const std::string& entry);

    // Shows `prompt`, in which what stands between two \x01 takes no place on the screen, and an empty line.
    void begin(const std::string& prompt);
    // Takes keys until the state is not `editing` any more. Returns how many bytes it took. Bytes that are not UTF-8, and those that would make
    // the line longer than limits::exec_body characters, are refused with a beep.
    std::size_t feed(std::string_view keys);
    [[nodiscard]] State state() const;
    // Without its newline.
    [[nodiscard]] const std::string& line() const;

    // What stands left of the cursor.
    [[nodiscard]] std::string before_cursor() const;
    // Replaces the last `remove` bytes of that.
    void complete(std::size_t remove, const std::string& text);
    // Shows these below the line, as many as the screen has room for.
    void list(const std::vector<std::string>& names);
    void refuse();

    // Makes place for other text, which must end with a newline; show() shows prompt and line again.
    void hide();
    void show();
    // The screen has another size now.
    void resize();
    // Throws the line away; it stays on the screen.
    void cancel();

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace rc
