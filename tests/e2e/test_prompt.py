"""The prompt of `rcmd HOST` on a terminal."""
from __future__ import annotations

import re
from contextlib import contextmanager
from typing import Iterator

import pexpect
import pytest

from harness import RCMD, Server, base_environment, mark, marked, marked_programs, wait_for

PROMPT = r"127\.0\.0\.1[^\r\n]*[>$] "
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


@contextmanager
def prompt(server: Server) -> Iterator[pexpect.spawn]:
    """A client on a terminal, at its first prompt."""
    shell = pexpect.spawn(RCMD, [server.host], env=base_environment(server.place.home), encoding="utf-8",
                          timeout=60,
                          echo=False, dimensions=(24, 200))
    try:
        shell.expect(PROMPT)
        yield shell
    finally:
        shell.close(force=True)


def ask(shell: pexpect.spawn, line: str) -> str:
    """Types a line and returns what is shown up to the next prompt."""
    shell.sendline(line)
    shell.expect(PROMPT)
    return ESCAPES.sub("", shell.before).replace("\r\n", "\n")


def leave(shell: pexpect.spawn) -> int:
    shell.expect(pexpect.EOF)
    shell.wait()
    return shell.exitstatus


def test_a_line_is_run_and_its_output_shown(server: Server) -> None:
    with prompt(server) as shell:
        assert "4711\n" in ask(shell, "echo $((4700 + 11))")


def test_output_on_stderr_is_shown(server: Server) -> None:
    with prompt(server) as shell:
        assert "4711\n" in ask(shell, "echo $((4700 + 11)) >&2")


def test_a_failed_command_shows_its_status_and_the_prompt_survives(server: Server) -> None:
    with prompt(server) as shell:
        shell.sendline("(exit 57)")
        shell.expect(r"57(?!\))")
        shell.expect(PROMPT)
        assert "127" in ask(shell, "no-such-command-here")
        assert "alive7\n" in ask(shell, "echo alive$((3 + 4))")


def test_a_status_of_0_is_not_shown(server: Server) -> None:
    with prompt(server) as shell:
        assert ask(shell, "true").strip() == ""


@pytest.mark.parametrize("line", ["", "   ", "\t"])
def test_an_empty_line_does_nothing(server: Server, line: str) -> None:
    with prompt(server) as shell:
        jobs = server.log().count(" job=")
        assert ask(shell, line).strip() == ""
        assert server.log().count(" job=") == jobs
        assert "7\n" in ask(shell, "echo $((3 + 4))")


def test_ctrl_c_at_the_prompt_gives_a_new_prompt(server: Server) -> None:
    with prompt(server) as shell:
        shell.sendintr()
        shell.expect(PROMPT)
        assert "7\n" in ask(shell, "echo $((3 + 4))")


def test_ctrl_c_drops_a_line_half_typed(server: Server) -> None:
    with prompt(server) as shell:
        shell.send("echo half")
        shell.sendintr()
        shell.expect(PROMPT)
        shown = ask(shell, "echo $((3 + 4))")
        assert "7\n" in shown and "half" not in shown.replace("echo half", "")


def test_ctrl_c_during_a_command_ends_it_and_not_the_client(server: Server) -> None:
    name = mark()
    with prompt(server) as shell:
        shell.sendline(f"export {name}=1; sh -c 'echo up; sleep 1000'")
        shell.expect("up\r\n")
        wait_for(lambda: "sleep" in marked_programs(name), "the command to run")
        shell.sendintr()
        shell.expect(PROMPT)
        wait_for(lambda: not marked(name), "the command to be gone")
        assert "7\n" in ask(shell, "echo $((3 + 4))")


def test_outputs_of_two_commands_are_not_mixed(server: Server) -> None:
    with prompt(server) as shell:
        first = ask(shell, "(sleep 1.5; echo late-$((1 + 1))) & echo first-$((1 + 1))")
        assert "first-2\n" in first
        second = ask(shell, "echo second-$((1 + 1)); sleep 1")
        assert "second-2\n" in second and "first-2" not in second and "late-2" not in second
        assert "late-2" not in ask(shell, "sleep 1; echo third")


def test_a_long_output_is_complete_before_the_next_prompt(server: Server) -> None:
    with prompt(server) as shell:
        shown = ask(shell, "seq 1 20000")
        assert [int(word) for word in shown.split() if word.isdigit()][-20000:] == list(range(1, 20001))


def test_commands_do_not_eat_the_lines_typed_ahead(server: Server) -> None:
    with prompt(server) as shell:
        shell.send("cat\necho ahead-$((1 + 1))\n")
        shell.expect(r"ahead-2\r\n")
        shell.expect(PROMPT)


def test_exit_leaves(server: Server) -> None:
    with prompt(server) as shell:
        ask(shell, "true")
        shell.sendline("exit")
        assert leave(shell) == 0


def test_the_end_of_file_leaves(server: Server) -> None:
    with prompt(server) as shell:
        ask(shell, "true")
        shell.sendeof()
        assert leave(shell) == 0


def test_text_of_the_command_reaches_the_terminal_raw(server: Server) -> None:
    with prompt(server) as shell:
        shell.sendline(r"printf '\033[31mred\033[0m\n'")
        shell.expect("\x1b\\[31mred\x1b\\[0m")


def test_a_server_that_goes_away_ends_the_prompt_with_255(make_server: object) -> None:
    server = make_server()
    with prompt(server) as shell:
        server.stop()
        shell.sendline("echo x")
        assert leave(shell) == 255
        assert "rcmd: " in shell.before


def test_no_server_is_255_and_no_prompt(make_server: object) -> None:
    server = make_server()
    server.stop()
    shell = pexpect.spawn(RCMD, [server.host], env=base_environment(server.place.home), encoding="utf-8",
                          timeout=60)
    assert leave(shell) == 255
    assert "rcmd: " in shell.before and not re.search(PROMPT + "$", shell.before)
