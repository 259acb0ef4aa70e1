"""Tab at the prompt: what it completes, where, and how it is quoted."""
from __future__ import annotations

import re
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

import pytest

from harness import Server, wait_for
from screen import AT_PROMPT, Screen, prompt_on_screen


@contextmanager
def inside(server: Server, directory: Path) -> Iterator[Screen]:
    """A prompt in this directory, which is also the home."""
    with prompt_on_screen(server, "-e", f"HOME={directory}", columns=120) as screen:
        screen.ask("cd")
        yield screen


def line(text: str) -> str:
    """The row of the prompt. A blank at its end is not seen: type on."""
    return f"^127\\.0\\.0\\.1:[^>]*> {re.escape(text)}$"


def answered(server: Server) -> int:
    """How many questions for completions have been."""
    return len(re.findall(' info job job=.* command="complete ', server.log()))


def complete(screen: Screen, typed: str) -> None:
    """A key before the answer would mean that no completion is wanted any more."""
    screen.type_seen(typed)
    screen.expect_change("Tab")


@pytest.mark.parametrize("typed, completed", [
    ("cat uni", "cat unique.txt |"),
    ("cat ./uni", "cat ./unique.txt |"),
    ("cat sub/de", "cat sub/deep/|"),
    ("cat sub/deep/", "cat sub/deep/file |"),
    ("cat dir", "cat directory/|"),
    ("cat wi", r"cat with\ blanks\ in\ it/|"),
    ("cat 'wi", "cat 'with blanks in it/'|"),
    ('cat "wi', 'cat "with blanks in it/"|'),
    ("cat with\\ b", r"cat with\ blanks\ in\ it/|"),
    ("cat sp", r"cat special\$\&\'\;.txt |"),
    ("cat 中", "cat 中文文件 |"),
    ("cat ~/uni", "cat ~/unique.txt |"),
    ("cat <uni", "cat <unique.txt |"),
    ("true; cat uni", "true; cat unique.txt |"),
    ("A=uni", "A=unique.txt |"),
    ("cat .hid", "cat .hidden |"),
    ("echo $TEST_V", "echo $TEST_VARIABLE |"),
    ("echo ${TEST_V", "echo ${TEST_VARIABLE}|"),
    ("sha256su", "sha256sum |"),
    ("./pro", "./program |"),
    ("true && sha256su", "true && sha256sum |"),
])
def test_tab_completes_what_is_unique(server: Server, tmp_path: Path, typed: str, completed: str) -> None:
    for name in ("unique.txt", "other.txt", "中文文件", ".hidden", "special$&';.txt", "program"):
        (tmp_path / name).touch(0o755 if name == "program" else 0o644)
    for name in ("directory", "sub/deep", "with blanks in it"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "sub/deep/file").touch()
    with inside(server, tmp_path) as screen:
        screen.ask("export TEST_VARIABLE=1")
        screen.type(typed)
        screen.keys("Tab")
        screen.expect(line(completed.removesuffix("|").rstrip()))
        screen.type("|")
        screen.expect(line(completed))


def test_a_completed_name_is_the_files(server: Server, tmp_path: Path) -> None:
    names = ["a b", "c'd", 'e"f', "g$h", "i\\j", "k\nl", "m*n", "~o", "p`q", "#r", "中s", "t\x01u"]
    for number, name in enumerate(names):
        (tmp_path / name).write_text(f"content {number}\n")
    with inside(server, tmp_path) as screen:
        for number, name in enumerate(names):
            beginning = f"./{name[0]}" if name[0] in "~#" else name[0]
            for quote in ("", "'", '"'):
                screen.keys("C-l")
                complete(screen, f"cat {quote}{beginning}")
                screen.keys("Enter")
                screen.expect(f"^content {number}$")
                screen.expect_last(AT_PROMPT)


def test_a_file_of_the_system(server: Server) -> None:
    with prompt_on_screen(server) as screen:
        complete(screen, "ls /etc/hostn")
        screen.keys("Enter")
        screen.expect("^/etc/hostname$")
        screen.expect_last(AT_PROMPT)


def test_an_ambiguous_tab_completes_what_all_have_and_then_lists(server: Server, tmp_path: Path) -> None:
    for name in ("shared-one", "shared-two", "shared-three"):
        (tmp_path / name).touch()
    with inside(server, tmp_path) as screen:
        screen.type("ls sh")
        screen.keys("Tab")
        screen.expect(line("ls shared-"))
        assert "shared-two" not in screen.text()
        screen.keys("Tab")
        screen.expect(r"^shared-one +shared-three +shared-two$")
        screen.expect(r"shared-two\n" + line("ls shared-")[1:])
        complete(screen, "tw")
        screen.keys("Enter")
        screen.expect("^shared-two$")
        screen.expect_last(AT_PROMPT)


def test_more_candidates_than_the_screen_has_rows(server: Server, tmp_path: Path) -> None:
    for number in range(1000):
        (tmp_path / f"file-{number:04}").touch()
    with inside(server, tmp_path) as screen:
        screen.type("ls file-0")
        screen.keys("Tab")
        screen.expect(r"^\(1000 in all\)$")
        screen.expect(line("ls file-0"))
        screen.type("777")
        screen.keys("Enter")
        screen.expect("^file-0777$")


def test_completion_happens_where_cd_went(server: Server, tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "here-1").touch()
    (tmp_path / "below/there-1").touch()
    with inside(server, tmp_path) as screen:
        screen.ask("cd below")
        complete(screen, "ls the")
        screen.keys("Enter")
        screen.expect("^there-1$")
        screen.expect_last(AT_PROMPT)
        complete(screen, "ls ../he")
        screen.keys("Enter")
        screen.expect("^../here-1$")
        screen.expect_last(AT_PROMPT)


def test_commands_are_those_of_the_path_that_was_exported(server: Server, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/a-program-of-mine").write_text("#!/bin/sh\necho it ran\n")
    (tmp_path / "bin/a-program-of-mine").chmod(0o755)
    with inside(server, tmp_path) as screen:
        screen.ask("export PATH=$PATH:~/bin")
        complete(screen, "a-prog")
        screen.keys("Enter")
        screen.expect("^it ran$")
        screen.expect_last(AT_PROMPT)


@pytest.mark.parametrize("typed", ["ls no-such-beginning", "ls /no/such/directory/x", "no-such-command-he",
                                   "echo $NO_SUCH_VAR", "ls 'no such", "ls ~nobody-here/x"])
def test_an_unknown_beginning_changes_nothing(server: Server, tmp_path: Path, typed: str) -> None:
    (tmp_path / "file").touch()
    with inside(server, tmp_path) as screen:
        rows = len(screen.rows())
        screen.type_seen(typed)
        for _ in range(2):
            asked = answered(server)
            screen.keys("Tab")
            wait_for(lambda: answered(server) > asked, "the question to be answered")
        screen.type("|")
        screen.expect(line(f"{typed}|"))
        assert len(screen.rows()) == rows


def test_tab_completes_before_the_cursor_in_the_middle_of_a_line(server: Server, tmp_path: Path) -> None:
    (tmp_path / "unique.txt").touch()
    with inside(server, tmp_path) as screen:
        screen.type("; echo behind")
        screen.keys("C-a")
        screen.type("ls uni")
        screen.expect(line("ls uni; echo behind"))
        screen.expect_change("Tab")
        screen.keys("Enter")
        screen.expect("^unique.txt\nbehind$")
        screen.expect_last(AT_PROMPT)


def test_tab_in_a_second_line(server: Server, tmp_path: Path) -> None:
    (tmp_path / "unique.txt").touch()
    with inside(server, tmp_path) as screen:
        screen.enter("for i in 1; do")
        screen.expect_last(re.compile(">"))
        complete(screen, "ls uni")
        screen.type("; done")
        screen.keys("Enter")
        screen.expect("^unique.txt$")
        screen.expect_last(AT_PROMPT)


def test_typing_goes_on_after_tab_without_losing_a_key(server: Server, tmp_path: Path) -> None:
    """The answer to the Tab may come before or behind the keys; none of them is lost."""
    (tmp_path / "unique.txt").touch()
    with inside(server, tmp_path) as screen:
        for number in range(10):
            screen.keys("C-l")
            screen.paste(f"echo {number} \t{number}abcdefghijklmnopqrstuvwxyz; echo uni\tend-{number}\n")
            screen.expect(f"^uni.*end-{number}$")
            screen.expect(f"^{number} {number}abcdefghijklmnopqrstuvwxyz$")
            screen.expect_last(AT_PROMPT)


def test_enter_right_behind_tab_runs_the_completed_line(server: Server, tmp_path: Path) -> None:
    (tmp_path / "unique.txt").write_text("found\n")
    with inside(server, tmp_path) as screen:
        for end in ("\n", "\r"):
            screen.paste(f"cat uni\t{end}")
            screen.expect("^found$")
            screen.expect_last(AT_PROMPT)
            screen.keys("C-l")


def test_a_tab_in_what_a_command_reads_is_a_tab(server: Server, tmp_path: Path) -> None:
    with inside(server, tmp_path) as screen:
        screen.enter("echo up; cat > got")
        screen.expect("^up$")
        screen.type("one\ttwo")
        screen.keys("Enter", "C-d")
        screen.expect_last(AT_PROMPT)
        assert (tmp_path / "got").read_text() == "one\ttwo\n"


def test_the_server_keeps_nothing_of_a_completion(server: Server, tmp_path: Path) -> None:
    with inside(server, tmp_path) as screen:
        (tmp_path / "unique.txt").touch()
        for _ in range(100):
            screen.type("ls uni")
            screen.keys("Tab")
            screen.expect(line("ls unique.txt"))
            screen.keys("C-u")
            screen.expect_last(AT_PROMPT)
        assert screen.ask("echo $((3 + 4))") == ["7"]
