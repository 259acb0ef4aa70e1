"""The terminal is left as it was found, however the client ends or stops."""
from __future__ import annotations

import os
import re
import signal
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

from harness import SANITIZER_OPTIONS, Server, process_state, wait_for
from screen import AT_PROMPT, AT_SHELL, Screen, screen_of

NAMES = ["ALRM", "USR1", "USR2", "SEGV", "ABRT", "BUS", "FPE", "ILL", "SYS", "TRAP", "XCPU", "XFSZ", "VTALRM",
         "PROF", "IO", "PWR"]
DEADLY = {name: int(getattr(signal, f"SIG{name}")) for name in NAMES}
DEADLY |= {"STKFLT": 16, "RTMIN+3": signal.SIGRTMIN + 3}  # the first has no name in Python 3.10
PASSED_ON = {name: getattr(signal, f"SIG{name}") for name in ("HUP", "INT", "TERM", "QUIT")}
# Those that would be reported as faults of the program before it sees them.
PLAIN_SIGNALS = {name: f"{os.environ.get(name, '')}:" + ":".join(
    f"handle_{number}=0" for number in ("segv", "sigbus", "sigfpe", "sigill", "abort", "sigtrap"))
    for name in SANITIZER_OPTIONS}


@contextmanager
def client(server: Server, *options: str) -> Iterator[tuple[Screen, list[Any]]]:
    """A client at its prompt, and the modes that the terminal had before."""
    with screen_of(server.place, columns=200, env=PLAIN_SIGNALS) as screen:
        before = screen.modes()
        screen.start(server.host, *options)
        screen.expect_last(AT_PROMPT)
        yield screen, before


@contextmanager
def vim(server: Server, *options: str, before_it: str = "") -> Iterator[tuple[Screen, list[Any]]]:
    with client(server, *options) as (screen, before):
        screen.enter(f"{before_it}vim -N -n -u NONE -i NONE")
        screen.expect_text("VIM - Vi IMproved")
        screen.type("isome text")
        screen.expect("^some text$")
        assert screen.modes() != before
        yield screen, before


@pytest.mark.parametrize("name", DEADLY)
def test_a_signal_that_ends_the_client_in_the_middle_of_vim(server: Server, name: str) -> None:
    with vim(server) as (screen, before):
        os.kill(screen.client_pid(), DEADLY[name])
        screen.expect(f"left with {128 + DEADLY[name]}")
        assert screen.modes() == before


@pytest.mark.parametrize("name", PASSED_ON)
def test_a_signal_that_is_passed_on_in_the_middle_of_vim(server: Server, name: str) -> None:
    """INT and QUIT at the very beginning of a command count as typed."""
    with vim(server, before_it="sleep 1; ") as (screen, before):
        os.kill(screen.client_pid(), PASSED_ON[name])
        screen.expect(r"left with [1-9]\d*")
        assert screen.modes() == before


def test_a_broken_pipe_is_no_reason_to_end(server: Server) -> None:
    with vim(server) as (screen, _):
        os.kill(screen.client_pid(), signal.SIGPIPE)
        screen.keys("Escape")
        screen.type(":q!")
        screen.keys("Enter")
        screen.expect_last(AT_PROMPT)
        assert screen.ask("echo $((3 + 4))") == ["7"]


@pytest.mark.parametrize("name", ["HUP", "TERM", "USR1", "SEGV", "ABRT", "RTMIN+3"])
def test_a_signal_that_ends_the_client_at_the_prompt(server: Server, name: str) -> None:
    with client(server) as (screen, before):
        screen.type("half a line")
        screen.expect_text("half a line")
        number = (DEADLY | PASSED_ON)[name]
        os.kill(screen.client_pid(), number)
        screen.expect_left(128 + number)
        assert screen.modes() == before


@pytest.mark.parametrize("name", ["INT", "QUIT"])
def test_a_signal_that_only_drops_the_line_at_the_prompt(server: Server, name: str) -> None:
    with client(server) as (screen, _):
        screen.type("half a line")
        screen.expect_text("half a line")
        os.kill(screen.client_pid(), PASSED_ON[name])
        screen.expect_last(AT_PROMPT)
        assert screen.ask("echo $((3 + 4))") == ["7"]


def test_leaving_the_prompt(server: Server) -> None:
    with client(server) as (screen, before):
        screen.enter("exit")
        screen.expect_left(0)
        assert screen.modes() == before


def test_a_server_that_is_killed_in_the_middle_of_vim(make_server: Callable[[], Server]) -> None:
    server = make_server()
    with vim(server, "--keep", "0") as (screen, before):
        server.kill()
        screen.expect("left with 255")
        assert screen.modes() == before
        said = re.findall(r"rcmd: .*", screen.text())
        assert len(said) == 1 and "how it ended is unknown" in said[0], screen.text()


def stop_by(screen: Screen, before: list[Any], *keys: str) -> None:
    pid = screen.client_pid()
    screen.keys(*keys)
    wait_for(lambda: process_state(pid) == "T", "the client to be stopped")
    screen.expect("Stopped")
    screen.expect_last(AT_SHELL)
    assert screen.modes() == before


def test_ctrl_z_stops_the_client_at_the_prompt(server: Server) -> None:
    with client(server) as (screen, before):
        stop_by(screen, before, "C-z")
        screen.enter("fg")
        screen.expect_last(AT_PROMPT)
        assert screen.modes() != before
        assert screen.ask("echo $((3 + 4))") == ["7"]


def test_a_half_typed_line_is_still_there_when_the_client_goes_on(server: Server) -> None:
    with client(server) as (screen, before):
        screen.type("echo half-$((1 + 1))")
        screen.expect_text("echo half-")
        stop_by(screen, before, "C-z")
        screen.enter("fg")
        screen.expect(r"> echo half-\$\(\(1 \+ 1\)\)$")
        screen.keys("Enter")
        screen.expect("^half-2$")
        screen.expect_last(AT_PROMPT)


def test_tilde_ctrl_z_stops_the_client_during_a_command(server: Server) -> None:
    with client(server) as (screen, before):
        screen.enter("echo up; cat")
        screen.expect("^up$")
        stop_by(screen, before, "Enter", "~", "C-z")
        screen.enter("fg")
        wait_for(lambda: screen.modes() != before, "the client to go on")
        screen.type("still there")
        screen.keys("Enter")
        screen.expect("^still there$")
        screen.keys("C-d")
        screen.expect_last(AT_PROMPT)


@pytest.mark.parametrize("keys", [["~", "."], ["Enter", "~", "."], ["a", "b", "Enter", "~", "."]], ids=len)
def test_tilde_dot_ends_the_connection_and_the_client(server: Server, keys: list[str]) -> None:
    with client(server) as (screen, before):
        screen.enter("echo up; sleep 1000")
        screen.expect("^up$")
        screen.keys(*keys)
        screen.expect_left(255)
        assert screen.modes() == before
        assert screen.text().count("rcmd: ") == 1 and "was ended by ~." in screen.text()


def test_a_tilde_within_a_line_and_two_at_its_beginning_are_for_the_command(server: Server,
                                                                            tmp_path: Path) -> None:
    with client(server) as (screen, _):
        screen.enter(f"echo up; cat > {tmp_path}/typed; od -c {tmp_path}/typed")
        screen.expect("^up$")
        screen.type("a~.\r~~.\r~x\r")
        screen.expect("^~x$")
        screen.keys("C-d")
        screen.expect_last(AT_PROMPT)
        assert re.search(r"a +~ +\. +\\n +~ +\. +\\n +~ +x +\\n$", screen.text(), re.M), screen.text()


def test_tilde_question_mark_shows_help_during_a_command(server: Server) -> None:
    with client(server) as (screen, _):
        screen.enter("echo up; cat")
        screen.expect("^up$")
        screen.keys("Enter")
        screen.type("~?")
        screen.expect(r"^~\. +ends the connection")
        screen.expect(r"^~\?  shows this")
        screen.type("still there")
        screen.keys("Enter")
        screen.expect("^still there\nstill there$")
        screen.keys("C-d")
        screen.expect_last(AT_PROMPT)
