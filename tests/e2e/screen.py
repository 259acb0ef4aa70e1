"""A real terminal: the client beneath a shell in a tmux of its own, typed at and looked at."""
from __future__ import annotations

import os
import re
import shlex
import subprocess
import tempfile
import termios
import unicodedata
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator

from harness import RCMD, Place, Server, base_environment, children, mark, marked_programs, run, wait_for

# A row with nothing but the prompt; tmux does not show blanks at the end of a row.
AT_PROMPT = re.compile(r"127\.0\.0\.1:.*>")
PROMPT = re.compile(r"127\.0\.0\.1:.*?>( |$)")
AT_SHELL = re.compile(r"shell\$")


class Screen:
    """A terminal with a shell that leaves its modes alone, as bash, say, would not: dash."""

    def __init__(self, place: Place, columns: int = 100, rows: int = 30, env: dict[str, str] | None = None):
        self.columns = columns
        self._directory = tempfile.TemporaryDirectory(prefix="tmux")
        self._environment = base_environment(place.home) | (env or {})
        self._environment |= {"LC_ALL": "C.UTF-8", "PS1": "shell$ "}
        del self._environment["TERM"]
        try:
            self._tmux("start-server", ";", "set-option", "-g", "status", "off", ";",
                       "set-option", "-g", "history-limit", "50000", ";",
                       "new-session", "-d", "-x", str(columns), "-y", str(rows), "ulimit -c 0; exec dash -i")
            self.shell_pid = int(self._tmux("display-message", "-p", "#{pane_pid}"))
            self.expect_last(AT_SHELL)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        subprocess.run(self._command("kill-server"), env=self._environment, stderr=subprocess.DEVNULL)
        self._directory.cleanup()

    def _command(self, *words: str) -> list[str]:
        return ["tmux", "-S", f"{self._directory.name}/socket", "-f", "/dev/null", *words]

    def _tmux(self, *words: str, input: bytes | None = None) -> str:
        result = run(*self._command(*words), env=self._environment, input=input)
        assert result.code == 0, (words, result)
        return result.out.decode()

    def keys(self, *names: str) -> None:
        """Presses keys by the names that tmux has for them: Enter, C-c, M-b, Up."""
        self._tmux("send-keys", *names)

    def type(self, text: str) -> None:
        if text.endswith(";"):  # which would separate commands of tmux
            text = text[:-1] + "\\;"
        self._tmux("send-keys", "-l", "--", text)

    def paste(self, text: str) -> None:
        """All at once, each newline as an Enter."""
        self._tmux("load-buffer", "-", input=text.encode())
        self._tmux("paste-buffer")

    def resize(self, columns: int, rows: int) -> None:
        self._tmux("resize-window", "-x", str(columns), "-y", str(rows))
        self.columns = columns

    def rows(self) -> list[str]:
        """What is seen, without empty rows at the end."""
        return _without_empty_end(self._tmux("capture-pane", "-p"))

    def history(self) -> list[str]:
        """What is seen, and what has gone out at the top."""
        return _without_empty_end(self._tmux("capture-pane", "-p", "-S", "-"))

    def text(self) -> str:
        return "\n".join(self.rows())

    def coloured(self) -> str:
        return self._tmux("capture-pane", "-p", "-e")

    def cursor(self) -> tuple[int, int]:
        """Column and row, from 0."""
        column, row = self._tmux("display-message", "-p", "#{cursor_x} #{cursor_y}").split()
        return int(column), int(row)

    def modes(self) -> list[Any]:
        """The modes of the terminal, as `stty -g` has them."""
        tty = os.open(self._tmux("display-message", "-p", "#{pane_tty}").strip(), os.O_RDWR | os.O_NOCTTY)
        try:
            return termios.tcgetattr(tty)
        finally:
            os.close(tty)

    def expect(self, pattern: str | re.Pattern[str]) -> re.Match[str]:
        """Waits until the pattern is on the screen; ^ and $ are the ends of a row."""
        return self._await(lambda: re.search(pattern, self.text(), re.M), pattern)

    def expect_text(self, text: str) -> None:
        self.expect(re.escape(text))

    def expect_gone(self, text: str) -> None:
        self._await(lambda: text not in self.text(), f"{text!r} to go")

    def expect_last(self, pattern: re.Pattern[str]) -> None:
        """Waits until the last row that is not empty is that, and the cursor behind it."""
        self._await(lambda: self._last_is(pattern), pattern)

    def _last_is(self, pattern: re.Pattern[str]) -> bool:
        rows = self.rows()
        there = bool(rows) and bool(pattern.fullmatch(rows[-1]))
        return there and self.cursor() == (_width(rows[-1]) + 1, len(rows) - 1)

    def _await(self, condition: Any, what: object) -> Any:
        try:
            return wait_for(condition, str(what))
        except AssertionError as failure:
            raise AssertionError(f"{failure}; the screen:\n{self.text()}") from None

    def type_seen(self, text: str) -> None:
        """Types text at the end of the last row, and waits until it is echoed."""
        self.type(text)
        self._await(lambda: _squeezed(self.rows()).endswith(_squeezed([text])), f"the echo of {text!r}")

    def expect_change(self, *names: str) -> None:
        """Presses keys that must change something."""
        before = self.text(), self.cursor()
        self.keys(*names)
        self._await(lambda: (self.text(), self.cursor()) != before, f"what {names} do")

    def enter(self, line: str) -> None:
        """Types a line, and Enter when all of it is seen."""
        self.type_seen(line)
        self.keys("Enter")

    def ask(self, line: str) -> list[str]:
        """Runs a line at the prompt and returns the rows between it and the next prompt."""
        self.enter(line)
        self.expect_last(AT_PROMPT)
        rows = self.history()
        begin = max(index for index, row in enumerate(rows[:-1]) if PROMPT.match(row))
        end = begin + 1
        while not _squeezed(rows[begin:end]).endswith(_squeezed([line])):
            end += 1
        return rows[end:-1]

    def enter_sleep(self, line: str = "true") -> None:
        """Runs a line that then sleeps; dash may lose a signal that comes before the program runs."""
        name = mark()
        self.enter(f"{line}; export {name}=1; sleep 1000")
        self._await(lambda: "sleep" in marked_programs(name), "the command to run")

    def start(self, *words: str) -> None:
        """Starts the client at the shell; when it has ended, its status follows."""
        self.type(f"{shlex.join([RCMD, *words])}; echo left with $?")
        self.keys("Enter")

    def client_pid(self) -> int:
        """The client; there is one."""
        pids = [pid for pid in children(self.shell_pid)
                if Path(f"/proc/{pid}/comm").read_text().strip() == "rcmd"]
        assert len(pids) == 1, (pids, self.text())
        return pids[0]

    def expect_left(self, status: int) -> None:
        """Waits until the client has ended and the shell is there again."""
        self.expect_last(AT_SHELL)
        assert f"left with {status}" in self.text(), self.text()


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def _squeezed(rows: list[str]) -> str:
    """Without blanks, of which those at the end of a row are not known."""
    return "".join("".join(rows).split())


def _without_empty_end(captured: str) -> list[str]:
    rows = [row.rstrip() for row in captured.split("\n")]
    while rows and not rows[-1]:
        rows.pop()
    return rows


@contextmanager
def screen_of(place: Place, **options: Any) -> Iterator[Screen]:
    screen = Screen(place, **options)
    try:
        yield screen
    finally:
        screen.close()


@contextmanager
def prompt_on_screen(server: Server, *arguments: str, **options: Any) -> Iterator[Screen]:
    """A client at its first prompt."""
    with screen_of(server.place, **options) as screen:
        screen.start(*arguments, server.host)
        screen.expect_last(AT_PROMPT)
        yield screen
