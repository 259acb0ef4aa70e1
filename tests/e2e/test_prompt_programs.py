"""Programs that want a whole terminal, at the prompt."""
from __future__ import annotations

import re
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

from harness import Server, scaled
from screen import AT_PROMPT, Screen, prompt_on_screen

LINES = 500


@contextmanager
def at_home(server: Server, home: Path, **options: int) -> Iterator[Screen]:
    """A prompt in a home where programs may leave what they like."""
    with prompt_on_screen(server, "-e", f"HOME={home}", **options) as screen:
        screen.ask("cd")
        yield screen


def test_vim_edits_and_saves_a_file(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("first line\nsecond line\n")
    with at_home(server, tmp_path) as screen:
        screen.enter("vim -N -n -u NONE -i NONE file")
        screen.expect("^first line$")
        screen.keys("G", "o")
        screen.type("third 中文 line")
        screen.keys("Escape")
        screen.type("1GIthe ")
        screen.keys("Escape")
        screen.expect("^the first line$")
        screen.type(":wq")
        screen.keys("Enter")
        screen.expect_last(AT_PROMPT)
        assert (tmp_path / "file").read_text() == "the first line\nsecond line\nthird 中文 line\n"
        assert "second line" not in screen.text()
        assert screen.ask("echo $((3 + 4))") == ["7"]


def test_vim_uses_the_whole_screen_and_follows_its_size(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("".join(f"line {number}\n" for number in range(1, 101)))
    with at_home(server, tmp_path, columns=80, rows=24) as screen:
        screen.enter("vim -N -n -u NONE -i NONE file")
        screen.expect("^line 23$")
        assert "line 24" not in screen.text()
        screen.resize(120, 40)
        screen.expect("^line 39$")
        screen.type(":q!")
        screen.keys("Enter")
        screen.expect_last(AT_PROMPT)


def test_less_pages_forwards_and_back(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("".join(f"line {number}\n" for number in range(1, LINES + 1)))
    with at_home(server, tmp_path, rows=24) as screen:
        screen.enter("less file")
        screen.expect("^line 23$")
        screen.keys("Space")
        screen.expect("^line 46$")
        assert screen.rows()[0] == "line 24"
        screen.keys("G")
        screen.expect(f"^line {LINES}$")
        screen.keys("b")
        screen.expect(f"^line {LINES - 23}$")
        screen.keys("g")
        screen.expect("^line 1$")
        screen.keys("q")
        screen.expect_last(AT_PROMPT)
        assert screen.ask("echo $((3 + 4))") == ["7"]


def test_top_shows_processes_and_quits(server: Server, tmp_path: Path) -> None:
    with at_home(server, tmp_path) as screen:
        screen.enter("top -d 1")
        screen.expect(r"^top - .* up ")
        screen.expect(r"PID USER .* COMMAND")
        screen.keys("q")
        screen.expect_last(AT_PROMPT)
        assert screen.ask("echo $((3 + 4))") == ["7"]


def test_python_evaluates_a_line(server: Server, tmp_path: Path) -> None:
    with at_home(server, tmp_path) as screen:
        screen.enter("python3 -q")
        screen.expect_last(re.compile(">>>"))
        screen.enter("print(6 * 7, 'answers')")
        screen.expect("^42 answers$")
        screen.keys("C-d")
        screen.expect_last(AT_PROMPT)


def test_a_line_read_silently_is_not_seen(server: Server, tmp_path: Path) -> None:
    with at_home(server, tmp_path) as screen:
        screen.enter("bash -c 'read -s -p Password: x; echo; echo \"<$x>\" > got; echo done'")
        screen.expect("^Password:$")
        screen.type("open sesame")
        screen.keys("Enter")
        screen.expect("^done$")
        screen.expect_last(AT_PROMPT)
        assert (tmp_path / "got").read_text() == "<open sesame>\n"
        assert "sesame" not in "\n".join(screen.history())


def test_colours_arrive(server: Server, tmp_path: Path) -> None:
    with at_home(server, tmp_path) as screen:
        screen.ask(r"printf '\033[31mscarlet\033[0m plain\n'")
        assert "\x1b[31mscarlet\x1b[39m plain" in screen.coloured()


def test_a_progress_bar_stays_in_its_row(server: Server, tmp_path: Path) -> None:
    with at_home(server, tmp_path) as screen:
        count = scaled(200, 20)
        bar = f"i=0; while [ $i -lt {count} ]; do i=$((i + 1)); printf '\\rstep %d of {count}' $i; done; echo"
        assert screen.ask(bar) == [f"step {count} of {count}"]


def test_the_size_of_the_terminal_is_that_of_the_window(server: Server, tmp_path: Path) -> None:
    with at_home(server, tmp_path, columns=93, rows=27) as screen:
        assert screen.ask("stty size") == ["27 93"]
        screen.resize(71, 33)
        assert screen.ask("stty size") == ["33 71"]


def test_a_running_program_learns_of_a_new_size(server: Server, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text(
        "import os, signal, sys\n"
        "signal.signal(signal.SIGWINCH, lambda *_: print('size', *reversed(os.get_terminal_size()), flush=True))\n"
        "print('ready', flush=True)\n"
        "sys.stdin.readline()\n")
    with at_home(server, tmp_path, columns=80, rows=24) as screen:
        screen.enter("/usr/bin/python3 script")
        screen.expect("^ready$")
        screen.resize(66, 22)
        screen.expect("^size 22 66$")
        screen.resize(99, 31)
        screen.expect("^size 31 99$")
        screen.keys("Enter")
        screen.expect_last(AT_PROMPT)


def test_ctrl_c_ends_a_command(server: Server, tmp_path: Path) -> None:
    with at_home(server, tmp_path) as screen:
        screen.enter_sleep()
        screen.keys("C-c")
        screen.expect_last(AT_PROMPT)
        assert screen.rows()[-1].endswith(" [130 INT]>")
        assert screen.ask("echo $((3 + 4))") == ["7"]
        assert screen.rows()[-1].endswith("~>")


def test_ctrl_backslash_quits_a_command(server: Server, tmp_path: Path) -> None:
    with at_home(server, tmp_path) as screen:
        screen.enter_sleep("ulimit -c 0")
        screen.keys("C-\\")
        screen.expect_last(AT_PROMPT)
        assert screen.rows()[-1].endswith(" [131 QUIT]>")
        assert screen.ask("echo $((3 + 4))") == ["7"]


def test_a_stopped_command_goes_on(server: Server, tmp_path: Path) -> None:
    """Nobody at the prompt could make it go on."""
    with at_home(server, tmp_path) as screen:
        screen.enter("echo up; cat")
        screen.expect("^up$")
        screen.keys("C-z")
        screen.expect(r"^\^Z")
        screen.enter("still there")
        screen.expect("still there\nstill there$")
        screen.keys("C-d")
        screen.expect_last(AT_PROMPT)
        assert screen.ask("echo $((3 + 4))") == ["7"]


def test_the_prompt_begins_a_row_after_output_without_a_newline(server: Server, tmp_path: Path) -> None:
    with at_home(server, tmp_path, columns=80) as screen:
        for width in (1, 79, 80, 81, 160):
            text = "x" * width
            rows = screen.ask(f"printf %0{width}d 0 | tr 0 x")
            assert "".join(rows) == text, width
            assert AT_PROMPT.fullmatch(screen.rows()[-1])


def test_the_prompt_follows_directly_after_output_with_a_newline(server: Server, tmp_path: Path) -> None:
    with at_home(server, tmp_path, columns=80) as screen:
        for width in (1, 79, 80, 81):
            assert "" not in screen.ask(f"printf '%0{width}d\\n' 0 | tr 0 x"), width
