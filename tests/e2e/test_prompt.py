"""The prompt of `rcmd HOST` on a terminal: lines, their output and status, and how it ends."""
from __future__ import annotations

import re
from contextlib import contextmanager
from typing import Iterator

import pexpect
import pytest

from harness import RCMD, Server, base_environment, mark, marked, marked_programs, wait_for

PROMPT = r"127\.0\.0\.1:[^\r\n]*> "


@contextmanager
def prompt(server: Server, *options: str) -> Iterator[pexpect.spawn]:
    """A client at its first prompt, on a terminal that can only write rows."""
    shell = pexpect.spawn(RCMD, [*options, server.host], env=base_environment(server.place.home), encoding="utf-8",
                          timeout=60, echo=False, dimensions=(24, 200))
    try:
        shell.expect(PROMPT)
        yield shell
    finally:
        shell.close(force=True)


def enter(shell: pexpect.spawn, line: str) -> None:
    """Types a line and waits until it has been echoed."""
    shell.sendline(line)
    shell.expect_exact(line + "\r\n")


def ask(shell: pexpect.spawn, line: str) -> str:
    """Types a line and returns what is shown between its echo and the next prompt."""
    enter(shell, line)
    shell.expect(PROMPT)
    return shell.before.replace("\r\n", "\n")


def leave(shell: pexpect.spawn) -> int:
    shell.expect(pexpect.EOF)
    shell.wait()
    return shell.exitstatus


def test_a_line_is_run_and_its_output_shown(server: Server) -> None:
    with prompt(server) as shell:
        assert ask(shell, "echo $((4700 + 11))") == "4711\n"


def test_output_on_stderr_is_shown(server: Server) -> None:
    with prompt(server) as shell:
        assert ask(shell, "echo $((4700 + 11)) >&2") == "4711\n"


def test_a_failed_command_shows_its_status_and_the_prompt_survives(server: Server) -> None:
    with prompt(server) as shell:
        assert ask(shell, "(exit 57)") == ""
        assert "[57]> " in shell.after
        assert "no-such-command-here" in ask(shell, "no-such-command-here")
        assert "[127]> " in shell.after
        assert ask(shell, "echo alive$((3 + 4))") == "alive7\n"


def test_a_status_of_0_is_not_shown(server: Server) -> None:
    with prompt(server) as shell:
        assert ask(shell, "true") == ""
        assert shell.after == "127.0.0.1:~> "


@pytest.mark.parametrize("line", ["", "   ", "\x16\t"], ids=["nothing", "blanks", "tab"])
def test_an_empty_line_does_nothing(server: Server, line: str) -> None:
    with prompt(server) as shell:
        jobs = server.log().count(" job=")
        shell.sendline(line)
        shell.expect(PROMPT)
        assert shell.before.strip() == ""
        assert server.log().count(" job=") == jobs
        assert ask(shell, "echo $((3 + 4))") == "7\n"


def test_ctrl_c_at_the_prompt_gives_a_new_prompt(server: Server) -> None:
    with prompt(server) as shell:
        shell.sendintr()
        shell.expect(PROMPT)
        assert ask(shell, "echo $((3 + 4))") == "7\n"


def test_ctrl_c_drops_a_line_half_typed(server: Server) -> None:
    with prompt(server) as shell:
        shell.send("echo half")
        shell.expect_exact("echo half")
        shell.sendintr()
        shell.expect(PROMPT)
        assert ask(shell, "echo $((3 + 4))") == "7\n"


def test_ctrl_c_during_a_command_ends_it_and_not_the_client(server: Server) -> None:
    name = mark()
    with prompt(server) as shell:
        enter(shell, f"export {name}=1; sh -c 'echo up; sleep 1000'")
        shell.expect_exact("up\r\n")
        wait_for(lambda: "sleep" in marked_programs(name), "the command to run")
        shell.sendintr()
        shell.expect(PROMPT)
        assert "[130 INT]> " in shell.after
        wait_for(lambda: not marked(name), "the command to be gone")
        assert ask(shell, "echo $((3 + 4))") == "7\n"


def test_a_command_reads_what_is_typed_next(server: Server) -> None:
    with prompt(server) as shell:
        enter(shell, "echo up; cat")
        shell.expect_exact("up\r\n")
        shell.sendline("one more line")
        shell.expect_exact("one more line\r\none more line\r\n")
        shell.sendeof()
        shell.expect(PROMPT)
        assert ask(shell, "echo $((3 + 4))") == "7\n"


def test_a_command_has_a_terminal_of_its_own(server: Server) -> None:
    with prompt(server) as shell:
        assert re.fullmatch(r"/dev/pts/\d+\n", ask(shell, "tty"))
        assert ask(shell, "test -t 0 && test -t 1 && test -t 2 && echo yes") == "yes\n"
        assert ask(shell, "echo $TERM; stty size") == "dumb\n24 200\n"


def test_lines_typed_ahead_are_run_if_nobody_reads_them(server: Server) -> None:
    with prompt(server) as shell:
        shell.send("sleep 0.5\necho ahead-$((1 + 1))\n")
        shell.expect_exact("ahead-2\r\n")
        shell.expect(PROMPT)


def test_outputs_of_two_commands_are_not_mixed(server: Server) -> None:
    with prompt(server) as shell:
        assert ask(shell, "(sleep 1.5; echo late-$((1 + 1))) & echo first-$((1 + 1))") == "first-2\n"
        assert ask(shell, "echo second-$((1 + 1)); sleep 1") == "second-2\n"
        assert ask(shell, "sleep 1; echo third") == "third\n"


def test_a_long_output_is_complete_before_the_next_prompt(server: Server) -> None:
    with prompt(server) as shell:
        assert [int(word) for word in ask(shell, "seq 1 20000").split()] == list(range(1, 20001))


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
        assert ask(shell, r"printf '\033[31mred\033[0m\n'") == "\x1b[31mred\x1b[0m\n"


def test_a_server_that_goes_away_ends_the_prompt_with_255(make_server: object) -> None:
    server = make_server()
    with prompt(server) as shell:
        server.stop()
        assert leave(shell) == 255
        assert shell.before.count("rcmd: ") == 1 and "no command was running" in shell.before


def test_a_server_that_is_restarted_finds_the_prompt_as_it_was(make_server: object) -> None:
    server = make_server()
    with prompt(server) as shell:
        ask(shell, "cd /tmp; export A=1")
        shell.send("echo $A")
        server.kill()
        shell.expect("the connection was lost")
        again = make_server("--listen", server.host, place=server.place)
        shell.expect("connected again")
        shell.sendline("$PWD")
        shell.expect_exact("1/tmp\r\n")
        assert again.serves()


def test_a_server_that_goes_away_during_a_command_ends_the_prompt_with_255(make_server: object) -> None:
    server = make_server()
    with prompt(server, "--keep", "0") as shell:
        enter(shell, "echo up; sleep 1000")
        shell.expect_exact("up\r\n")
        server.kill()
        assert leave(shell) == 255
        assert shell.before.count("rcmd: ") == 1 and "how it ended is unknown" in shell.before


def test_no_server_is_255_and_no_prompt(make_server: object) -> None:
    server = make_server()
    server.stop()
    shell = pexpect.spawn(RCMD, [server.host], env=base_environment(server.place.home), encoding="utf-8",
                          timeout=60)
    assert leave(shell) == 255
    assert "rcmd: " in shell.before and not re.search(PROMPT + "$", shell.before)


def test_a_command_whose_terminal_goes_away_while_it_writes_is_ended(server: Server) -> None:
    name = mark()
    with prompt(server, "--keep", "1000", "-e", f"{name}=1") as shell:
        enter(shell, "trap '' HUP; while :; do echo output; sleep 0.05; done")
        shell.expect_exact("output\r\n")
        shell.ptyproc.fileobj.close()
        wait_for(lambda: not marked(name), "the command to be ended")
