"""Typing at the prompt: keys, history, lines that go on, and what is pasted or typed ahead."""
from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Callable

import pytest

from harness import Server, scaled, wait_for
from screen import AT_PROMPT, Screen, prompt_on_screen

AT_SECOND_PROMPT = re.compile(">")


def leave(screen: Screen) -> None:
    screen.keys("C-d")
    screen.expect_left(0)


def history_file(server: Server) -> Path:
    return server.place.home / ".local/state/rcmd/history"


def test_arrows_recall_the_lines_of_the_last_run(make_server: Callable[[], Server]) -> None:
    server = make_server()
    with prompt_on_screen(server) as screen:
        screen.ask("echo first-$((1 + 1))")
        screen.ask("echo second-$((1 + 1))")
        leave(screen)
    with prompt_on_screen(server) as screen:
        screen.keys("Up")
        screen.expect_text("> echo second-$")
        screen.keys("Up")
        screen.expect_text("> echo first-$")
        screen.keys("Down")
        screen.expect_text("> echo second-$")
        screen.keys("Up", "Enter")
        screen.expect("^first-2$")
        screen.expect_last(AT_PROMPT)


def test_ctrl_r_finds_a_line_of_the_last_run(make_server: Callable[[], Server]) -> None:
    server = make_server()
    with prompt_on_screen(server) as screen:
        screen.ask("echo wanted-$((1 + 1))")
        screen.ask("echo other-$((1 + 1))")
        leave(screen)
    with prompt_on_screen(server) as screen:
        screen.keys("C-r")
        screen.type("wanted")
        screen.expect_text("echo wanted-$")
        screen.keys("Enter")
        screen.expect("^wanted-2$")
        screen.expect_last(AT_PROMPT)


def test_the_history_is_for_its_owner_only(make_server: Callable[[], Server]) -> None:
    server = make_server()
    with prompt_on_screen(server) as screen:
        screen.ask("echo one")
        assert history_file(server).stat().st_mode & 0o777 == 0o600
        assert history_file(server).parent.stat().st_mode & 0o077 == 0


def test_what_the_history_keeps(make_server: Callable[[], Server]) -> None:
    """No line twice in a row, none that begins with a blank, and also one that runs for long or fails."""
    server = make_server()
    with prompt_on_screen(server) as screen:
        for line in ("echo one", "echo one", " echo hidden", "echo two", "echo one", "false"):
            screen.ask(line)
        assert history_file(server).read_text() == "echo one\necho two\necho one\nfalse\n"
        screen.enter_sleep("echo up")
        assert "\necho up; " in history_file(server).read_text()
        screen.keys("C-c")
        screen.expect_last(AT_PROMPT)


def test_several_lines_of_one_command_are_recalled_as_one(make_server: Callable[[], Server]) -> None:
    server = make_server()
    with prompt_on_screen(server) as screen:
        screen.enter("for i in 1 2; do")
        screen.expect_last(AT_SECOND_PROMPT)
        screen.enter("echo number$i; done")
        screen.expect("^number1\nnumber2$")
        screen.expect_last(AT_PROMPT)
        screen.keys("C-l")
        screen.expect_gone("number1")
        screen.keys("Up")
        screen.expect("done$")
        screen.keys("Enter")
        screen.expect("^number1\nnumber2$")
        screen.expect_last(AT_PROMPT)


@pytest.mark.parametrize("keys", [
    ["cho two three", "C-a", "e"],
    ["echo two thre", "C-a", "C-e", "e"],
    ["echo two three four five", "M-b", "M-b", "C-k", "BSpace"],
    ["echo two thxee", "Left", "Left", "BSpace", "r"],
    ["echo twothree", "M-b", "Right", "Right", "Right", "Right", "Right", "Right", "Right", "Right",
     "C-b", "C-b", "C-b", "C-b", "C-b", " "],
    ["echo two three xxx", "C-w", "BSpace"],
    ["wrong", "C-u", "echo two three"],
    ["cho two three", "Home", "e"],
    ["echo two thre", "Home", "End", "e"],
    ["echo xtwo three", "Home", "M-f", "Right", "DC"],
], ids=["C-a", "C-e", "M-b C-k", "Left", "C-b", "C-w", "C-u", "Home", "End", "DC"])
def test_emacs_keys_edit(server: Server, keys: list[str]) -> None:
    with prompt_on_screen(server) as screen:
        screen.type(keys[0])
        for key in keys[1:]:
            if re.fullmatch(r"[CM]-.|[A-Z]\w+", key):
                screen.keys(key)
            else:
                screen.type(key)
        screen.keys("Enter")
        screen.expect("^two three$")
        screen.expect_last(AT_PROMPT)


def test_editrc_gives_vi_keys(make_server: Callable[[], Server]) -> None:
    server = make_server()
    (server.place.home / ".editrc").write_text("bind -v\n")
    with prompt_on_screen(server) as screen:
        screen.type("cho one two three")
        screen.keys("Escape")
        screen.type("0ie")
        screen.keys("Escape")
        screen.type("02wdw")
        screen.keys("Enter")
        screen.expect("^one three$")
        screen.expect_last(AT_PROMPT)


@pytest.mark.parametrize("home, end", [("Home", "End"), ("C-a", "C-e")])
def test_a_long_line_is_edited_and_arrives_exactly(server: Server, home: str, end: str) -> None:
    """It is longer than the screen."""
    text = "".join(chr(0x4E00 + number * 7 % 5000) for number in range(1000))
    assert len(text.encode()) == 3000
    with prompt_on_screen(server, columns=80, rows=24) as screen:
        screen.paste(f"intf %s '{text}")
        screen.expect_text(text[-3:])
        screen.keys(home)
        screen.type("pr")
        screen.keys(end)
        screen.type("' | sha256sum")
        screen.keys("Enter")
        screen.expect(f"^{hashlib.sha256(text.encode()).hexdigest()}  -$")
        screen.expect_last(AT_PROMPT)


def test_a_change_in_the_middle_of_a_long_line(server: Server) -> None:
    text = "中" * 40 + "0123456789" * 30
    with prompt_on_screen(server, columns=80, rows=24) as screen:
        screen.type(f"printf %s '{text}' | sha256sum")
        screen.expect("sha256sum$")
        screen.keys(*["C-b"] * 100)
        screen.type("中")
        screen.keys("BSpace", "BSpace", "Enter")
        line = f"printf %s '{text}' | sha256sum"
        changed = line[:-101] + line[-100:]
        expected = hashlib.sha256(changed[len("printf %s '"):-len("' | sha256sum")].encode()).hexdigest()
        screen.expect(f"^{expected}  -$")
        screen.expect_last(AT_PROMPT)


@pytest.mark.parametrize("lines, output", [
    (["echo 'open", "quote'"], ["open", "quote"]),
    (['echo "open', 'quote"'], ["open", "quote"]),
    (["for i in 1 2", "do", "echo n$i", "done"], ["n1", "n2"]),
    (["if true; then", "echo yes", "fi"], ["yes"]),
    (["cat <<END; echo behind", "a $((1 + 1))", "b", "END"], ["a 2", "b", "behind"]),
    (["echo one \\", "two"], ["one two"]),
    (["echo one | \\", "tr o u |", "tr e i"], ["uni"]),
    (["f() {", "echo in f", "}; f"], ["in f"]),
    (["echo $(", "echo in", ")"], ["in"]),
    (["true &&", "echo then"], ["then"]),
    (["case x in", "x) echo it;;", "esac"], ["it"]),
], ids=["single", "double", "for", "if", "heredoc", "backslash", "pipe", "function", "substitution", "and",
        "case"])
def test_a_line_that_a_shell_would_continue_gets_a_second_prompt(server: Server, lines: list[str],
                                                                 output: list[str]) -> None:
    with prompt_on_screen(server) as screen:
        for line in lines[:-1]:
            screen.enter(line)
            screen.expect_last(AT_SECOND_PROMPT)
        screen.enter(lines[-1])
        screen.expect_last(AT_PROMPT)
        assert screen.rows()[-1 - len(output):-1] == output
        assert screen.rows()[-1].endswith("~>")


def test_ctrl_c_at_the_second_prompt_drops_all_lines(server: Server) -> None:
    with prompt_on_screen(server) as screen:
        screen.enter("for i in 1 2; do")
        screen.expect_last(AT_SECOND_PROMPT)
        screen.enter("echo dropped-$i")
        screen.expect_last(AT_SECOND_PROMPT)
        screen.type("done")
        screen.expect("^> done$")
        screen.keys("C-c")
        screen.expect_last(AT_PROMPT)
        assert screen.ask("echo $((3 + 4))") == ["7"]
        assert "dropped-1" not in screen.text()


def test_many_lines_pasted_at_once_run_in_order(server: Server, tmp_path: Path) -> None:
    count = scaled(500, 50)
    file = tmp_path / "file"
    file.touch()
    with prompt_on_screen(server) as screen:
        screen.paste("".join(f"echo {number} >> {file}\n" for number in range(count)))
        numbers = "".join(f"{number}\n" for number in range(count))
        wait_for(lambda: file.read_text().endswith(f"\n{count - 1}\n"), "the last line to have been run", 300)
        assert file.read_text() == numbers
        screen.expect_last(AT_PROMPT)


def test_a_pasted_command_reads_the_line_behind_it(server: Server) -> None:
    with prompt_on_screen(server) as screen:
        screen.paste("read x; echo got $x\nthis line\necho behind-$((1 + 1))\n")
        screen.expect("^got this line$")
        screen.expect("^behind-2$")
        screen.expect_last(AT_PROMPT)


@pytest.mark.parametrize("count", [1, 5, 40])
def test_pasted_commands_that_read_and_others_in_turn(server: Server, tmp_path: Path, count: int) -> None:
    file = tmp_path / "file"
    file.touch()
    with prompt_on_screen(server) as screen:
        screen.paste("".join(f"read x; echo $x >> {file}\nvalue {number}\necho command {number} >> {file}\n"
                             for number in range(count)))
        expected = "".join(f"value {number}\ncommand {number}\n" for number in range(count))
        wait_for(lambda: file.read_text() == expected, "all of it to have been run")
        screen.expect_last(AT_PROMPT)


def test_what_a_command_did_not_read_is_run(server: Server) -> None:
    with prompt_on_screen(server) as screen:
        screen.enter("echo up; head -n 1; sleep 1")
        screen.expect("^up$")
        screen.paste("for the command\necho next-$((1 + 1))\necho then-$((1 + 2))\n")
        screen.expect(r"^for the command\n(.*\n)*for the command$")
        screen.expect("^next-2$")
        screen.expect("^then-3$")
        screen.expect_last(AT_PROMPT)


def test_half_a_line_that_a_command_did_not_read_can_be_completed(server: Server) -> None:
    with prompt_on_screen(server) as screen:
        screen.enter("echo up; sleep 1; echo down")
        screen.expect("^up$")
        screen.type("echo half-")
        screen.expect("down$")
        screen.expect("> echo half-$")
        screen.type("$((1 + 1))")
        screen.keys("Enter")
        screen.expect("^half-2$")
        screen.expect_last(AT_PROMPT)


def test_ctrl_d_on_an_empty_line_leaves_with_the_last_status(server: Server) -> None:
    with prompt_on_screen(server) as screen:
        screen.ask("(exit 9)")
        screen.keys("C-d")
        screen.expect_left(9)


def test_ctrl_d_in_a_line_does_not_leave(server: Server) -> None:
    with prompt_on_screen(server) as screen:
        screen.type("echo one twoX")
        screen.keys("Left", "C-d", "Enter")
        screen.expect("^one two$")
        screen.expect_last(AT_PROMPT)


@pytest.mark.parametrize("line, status", [("exit 7", 7), ("exit", 9), ("exit 0", 0), ("  exit 256  ", 0)])
def test_exit_leaves_with_its_number_or_the_last_status(server: Server, line: str, status: int) -> None:
    with prompt_on_screen(server) as screen:
        screen.ask("(exit 9)")
        screen.enter(line)
        screen.expect_left(status)


def test_ctrl_l_clears_the_screen(server: Server) -> None:
    with prompt_on_screen(server) as screen:
        screen.ask("echo something to clear")
        screen.type("echo kept")
        screen.keys("C-l")
        screen.expect_gone("something to clear")
        screen.expect(r"\A127\.0\.0\.1:~> echo kept$")
        screen.keys("Enter")
        screen.expect("^kept$")
        screen.expect_last(AT_PROMPT)


def test_a_line_half_typed_is_shown_in_a_new_size(server: Server) -> None:
    with prompt_on_screen(server, columns=80, rows=24) as screen:
        screen.type("echo " + "x" * 90)
        screen.expect("x$")
        screen.resize(60, 20)
        screen.type("yz")
        screen.expect("x?yz$")
        screen.keys("Enter")
        screen.expect_last(AT_PROMPT)
        screen.resize(200, 20)
        screen.keys("Up", "Enter")
        screen.expect("^" + "x" * 90 + "yz$")
        screen.expect_last(AT_PROMPT)
