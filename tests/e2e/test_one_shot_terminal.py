"""A terminal for one command: -t, -tt, -T; and where there is none, nothing of one."""
from __future__ import annotations

import os
import re
import signal
from contextlib import contextmanager
from typing import Iterator

import pexpect
import pytest

from harness import RCMD, Result, Server, base_environment, mark, marked, marked_programs, run, wait_for
from screen import AT_SHELL, screen_of

ESCAPE = "\x1b"


@contextmanager
def on_terminal(server: Server, *words: str, env: dict[str, str] | None = None) -> Iterator[pexpect.spawn]:
    client = pexpect.spawn(RCMD, list(words), env=base_environment(server.place.home) | (env or {}),
                           encoding="utf-8", timeout=60, echo=False, dimensions=(31, 97))
    try:
        yield client
    finally:
        client.close(force=True)


def end(client: pexpect.spawn) -> tuple[str, int]:
    """All that is shown from here on, and the status."""
    client.expect(pexpect.EOF)
    client.wait()
    return client.before, client.exitstatus


def piped(server: Server, *words: str, input: bytes = b"", env: dict[str, str] | None = None) -> Result:
    """In a session without any terminal."""
    return run(RCMD, *words, env=base_environment(server.place.home) | (env or {}), input=input,
               start_new_session=True)


def test_t_gives_the_command_a_terminal(server: Server) -> None:
    with on_terminal(server, "-t", server.host, "tty") as client:
        shown, status = end(client)
        assert status == 0 and re.fullmatch(r"/dev/pts/\d+\r\n", shown), shown


def test_without_t_it_has_none(server: Server) -> None:
    with on_terminal(server, server.host, "tty") as client:
        assert end(client) == ("not a tty\r\n", 1)


def test_the_options_may_stand_behind_the_host(server: Server) -> None:
    with on_terminal(server, server.host, "-t", "test -t 0 && test -t 1 && test -t 2 && echo yes") as client:
        assert end(client) == ("yes\r\n", 0)


@pytest.mark.parametrize("command, status", [("exit 3", 3), ("kill -9 $$", 137), ("true", 0)])
def test_the_status_is_the_commands(server: Server, command: str, status: int) -> None:
    with on_terminal(server, "-t", server.host, command) as client:
        assert end(client) == ("", status)


def test_it_has_the_size_and_the_kind_of_the_terminal_here(server: Server) -> None:
    environment = {"TERM": "xterm-256color"}
    with on_terminal(server, "-t", server.host, "stty size; echo $TERM", env=environment) as client:
        assert end(client) == ("31 97\r\nxterm-256color\r\n", 0)


def test_it_follows_the_size(server: Server) -> None:
    command = "trap 'stty size' WINCH; echo up; while :; do sleep 0.1; done"
    with on_terminal(server, "-t", server.host, command) as client:
        client.expect_exact("up\r\n")
        client.setwinsize(20, 50)
        client.expect_exact("20 50\r\n")


def test_what_is_typed_is_echoed_and_read(server: Server) -> None:
    with on_terminal(server, "-t", server.host, "echo up; read x; echo got $x") as client:
        client.expect_exact("up\r\n")
        client.send("some words\r")
        assert end(client) == ("some words\r\ngot some words\r\n", 0)


def test_ctrl_c_goes_to_the_command(server: Server) -> None:
    name = mark()
    with on_terminal(server, "-t", "-e", f"{name}=1", server.host, "echo up; sleep 1000 | cat") as client:
        client.expect_exact("up\r\n")
        wait_for(lambda: set(marked_programs(name)) >= {"sleep", "cat"}, "the command to run")
        client.sendintr()
        assert end(client)[1] == 130
        wait_for(lambda: not marked(name), "the command to be gone")


def test_a_command_that_catches_ctrl_c_decides_on_the_status(server: Server) -> None:
    command = "trap 'echo caught; exit 42' INT; echo up; while :; do sleep 0.1; done"
    with on_terminal(server, "-t", server.host, command) as client:
        client.expect_exact("up\r\n")
        client.sendintr()
        shown, status = end(client)
        assert (shown.replace("^C", ""), status) == ("caught\r\n", 42)


def test_ctrl_d_ends_the_input(server: Server) -> None:
    with on_terminal(server, "-t", server.host, "echo up; cat; echo down") as client:
        client.expect_exact("up\r\n")
        client.send("\x04")
        client.expect_exact("down\r\n")
        assert end(client)[1] == 0


def test_a_program_that_wants_a_whole_screen(server: Server) -> None:
    with screen_of(server.place) as screen:
        before = screen.modes()
        screen.start("-t", server.host, "vim", "-N", "-n", "-u", "NONE", "-i", "NONE")
        screen.expect_text("VIM - Vi IMproved")
        screen.type("isome text")
        screen.expect("^some text$")
        screen.keys("Escape")
        screen.type(":q!")
        screen.keys("Enter")
        screen.expect_left(0)
        assert screen.modes() == before


def test_tilde_dot_leaves(server: Server) -> None:
    with on_terminal(server, "-t", server.host, "echo up; sleep 1000") as client:
        client.expect_exact("up\r\n")
        client.send("\r~.")
        shown, status = end(client)
        assert status == 255 and shown.count("rcmd: ") == 1, shown


def test_the_terminal_is_as_it_was_when_the_client_has_been_killed(server: Server) -> None:
    with screen_of(server.place) as screen:
        before = screen.modes()
        screen.start("-t", server.host, "echo up; sleep 1000")
        screen.expect("^up$")
        assert screen.modes() != before
        os.kill(screen.client_pid(), signal.SIGUSR1)
        screen.expect_last(AT_SHELL)
        assert f"left with {128 + signal.SIGUSR1}" in screen.text() and screen.modes() == before


def test_t_without_a_terminal_warns_and_gives_none(server: Server) -> None:
    result = piped(server, "-t", server.host, "tty")
    assert (result.code, result.out) == (1, b"not a tty\n")
    assert len(result.message.splitlines()) == 1 and "-tt" in result.message
    assert piped(server, "-q", "-t", server.host, "tty").err == b""


@pytest.mark.parametrize("options", [("-tt",), ("-t", "-t"), ("-T", "-tt")], ids=" ".join)
def test_tt_gives_a_terminal_without_any_here(server: Server, options: tuple[str, ...]) -> None:
    command = "test -t 0 && test -t 1 && test -t 2 && echo yes; echo no >&2; exit 3"
    result = piped(server, *options, server.host, command)
    assert (result.code, result.out, result.err) == (3, b"yes\r\nno\r\n", b"")


def test_tt_passes_input_and_its_end_on(server: Server) -> None:
    result = piped(server, "-tt", server.host, "stty -echo; echo up; cat; echo down", input=b"one\ntwo\n")
    assert result.code == 0 and result.out.endswith(b"down\r\n"), result
    assert b"one\r\ntwo\r\n" in result.out


@pytest.mark.parametrize("options", [("-T",), ("-t", "-T"), ("-tt", "-T")], ids=" ".join)
def test_T_gives_none(server: Server, options: tuple[str, ...]) -> None:
    with on_terminal(server, *options, server.host, "tty") as client:
        assert end(client) == ("not a tty\r\n", 1)
    assert piped(server, *options, server.host, "tty").out == b"not a tty\n"


def test_T_without_a_command_is_no_prompt(server: Server) -> None:
    """The shell over there reads the lines."""
    with on_terminal(server, "-T", server.host) as client:
        client.sendline("tty; echo $((3 + 4))")
        client.expect_exact("not a tty\r\n7\r\n")
        assert client.before == ""
        client.sendeof()
        assert end(client) == ("", 0)


@pytest.mark.parametrize("script", ["tty; echo $((3 + 4))\n", "tty\necho $((3 + 4))\n",
                                    "tty; echo $((3 + 4))"], ids=["line", "lines", "no-newline"])
def test_commands_from_a_pipe_have_no_prompt_and_no_terminal(server: Server, script: str) -> None:
    result = piped(server, server.host, input=script.encode(), env={"TERM": "xterm"})
    assert (result.code, result.out, result.err) == (0, b"not a tty\n7\n", b"")


@pytest.mark.parametrize("line", ["{} {} <<EOF\ntty\necho $((3 + 4))\nEOF",
                                  "echo 'tty; echo $((3 + 4))' | {} {}"], ids=["here-document", "pipe"])
def test_on_a_terminal_with_another_stdin_there_is_no_prompt(server: Server, line: str) -> None:
    environment = base_environment(server.place.home) | {"TERM": "xterm"}
    shell = pexpect.spawn("/bin/sh", ["-c", line.format(RCMD, server.host)], env=environment,
                          encoding="utf-8", timeout=60, echo=False)
    assert end(shell) == ("not a tty\r\n7\r\n", 0)


def test_with_another_stdout_there_is_no_prompt(server: Server) -> None:
    environment = base_environment(server.place.home) | {"TERM": "xterm"}
    shell = pexpect.spawn("/bin/sh", ["-c", f"{RCMD} {server.host} | cat"], env=environment, encoding="utf-8",
                          timeout=60, echo=False)
    shell.sendline("tty; echo $((3 + 4))")
    shell.expect_exact("not a tty\r\n7\r\n")
    assert shell.before == ""
    shell.sendeof()
    assert end(shell) == ("", 0)


def prompt_session(server: Server, env: dict[str, str]) -> str:
    """What a prompt writes until it is left."""
    with on_terminal(server, server.host, env=env) as client:
        client.expect_exact("> ")
        first = client.before
        client.sendline("(exit 3)")
        client.expect_exact("[3]")
        second = client.before
        client.sendline("exit 0")
        shown, status = end(client)
        assert status == 0
        return first + second + shown


def test_a_prompt_is_coloured(server: Server) -> None:
    assert f"{ESCAPE}[32m127.0.0.1{ESCAPE}[0m:" in prompt_session(server, {"TERM": "xterm"})


def test_no_color_means_no_colour(server: Server) -> None:
    assert not re.search(f"{ESCAPE}\\[[0-9;]*m", prompt_session(server, {"TERM": "xterm", "NO_COLOR": "1"}))


@pytest.mark.parametrize("env", [{"TERM": "dumb"}, {"TERM": ""}, {"TERM": "dumb", "NO_COLOR": "1"}],
                         ids=["dumb", "empty", "dumb-no-colour"])
def test_a_dumb_terminal_gets_no_escape_sequence(server: Server, env: dict[str, str]) -> None:
    assert ESCAPE not in prompt_session(server, env)


def test_json_and_a_terminal(server: Server) -> None:
    result = piped(server, "--json", "-tt", server.host, "tty; exit 3")
    assert result.json["code"] == 3 and re.fullmatch(r"/dev/pts/\d+\r\n", result.json["stdout"])


def test_batch_and_a_terminal_do_not_go_together(server: Server) -> None:
    piped(server, "--batch", "-t", server.host, input=b"tty\n").failed_by_itself()


def test_a_timeout_ends_a_command_on_a_terminal(server: Server) -> None:
    with on_terminal(server, "-t", "--timeout", "1", server.host, "echo up; sleep 1000") as client:
        shown, status = end(client)
        assert status == 124 and shown.startswith("up\r\n") and shown.count("rcmd: ") == 1


def test_n_gives_a_terminal_that_nobody_types_at(server: Server) -> None:
    with on_terminal(server, "-n", "-t", server.host, "test -t 1 && echo yes; cat; echo down") as client:
        shown, status = end(client)
        assert (shown.split(), status) == (["yes", "down"], 0)


def test_many_bytes_pass_in_order(server: Server) -> None:
    result = piped(server, "-tt", server.host, "seq 1 100000")
    assert result.out == b"".join(b"%d\r\n" % number for number in range(1, 100001))
