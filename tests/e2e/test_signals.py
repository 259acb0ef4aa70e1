"""Signals to the client reach the remote process group, and nothing is left behind."""
from __future__ import annotations

import os
import signal
import subprocess
from typing import Callable

import pytest

from fakes import listener
from harness import (MAY_HAVE_RUN, RCMD, Server, base_environment, mark, marked, marked_programs, process,
                     wait_for)

INT, TERM, HUP, QUIT = signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT


def start_marked(server: Server, command: str, name: str, *options: str) -> object:
    """A client whose command says `ready` and has a mark in its environment."""
    return server.start_rcmd(f"echo ready; {command}", options=["-e", f"{name}=1", *options],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def wait_ready(client: subprocess.Popen) -> None:
    assert client.stdout.readline() == b"ready\n", client.stderr.read()


def wait_gone(name: str, deadline: float = 60) -> None:
    wait_for(lambda: not marked(name), "the remote processes to be gone", deadline)


@pytest.mark.parametrize("number", [INT, TERM, HUP, QUIT], ids=lambda number: number.name)
def test_a_signal_leaves_nothing_of_a_pipeline_and_gives_its_status(server: Server,
                                                                    number: signal.Signals) -> None:
    name = mark()
    with start_marked(server, "sleep 1000 | cat", name) as client:
        wait_ready(client)
        wait_for(lambda: set(marked_programs(name)) >= {"sleep", "cat"}, "the pipeline to run")
        client.send_signal(number)
        assert client.wait(60) == 128 + number
    wait_gone(name)


@pytest.mark.parametrize("number", [INT, TERM, HUP, QUIT], ids=lambda number: number.name)
def test_a_command_that_handles_a_signal_decides_on_the_status(server: Server,
                                                               number: signal.Signals) -> None:
    command = f"trap 'echo caught; exit 42' {number.name[3:]}; echo set; while :; do sleep 0.1; done"
    with start_marked(server, command, mark()) as client:
        wait_ready(client)
        assert client.stdout.readline() == b"set\n"
        client.send_signal(number)
        assert client.wait(60) == 42
        assert client.stdout.read() == b"caught\n"


def test_a_second_signal_ends_the_client_and_then_the_job(server: Server) -> None:
    name = mark()
    with start_marked(server, "trap '' INT; echo set; while :; do sleep 0.1; done", name) as client:
        wait_ready(client)
        assert client.stdout.readline() == b"set\n"
        client.send_signal(INT)
        # What comes within an instant of the first one is no second one.
        wait_for(lambda: client.send_signal(INT) or client.poll() is not None, "the client to end")
        assert client.returncode == 255
        assert b"not waiting for it any longer" in client.stderr.read()
    wait_gone(name)


def test_a_client_that_was_ended_by_a_second_signal_does_not_know_the_end(server: Server) -> None:
    name = mark()
    with start_marked(server, "trap '' INT; echo set; while :; do sleep 0.1; done", name, "--unknown-status", "77") as client:
        wait_ready(client)
        assert client.stdout.readline() == b"set\n"
        wait_for(lambda: client.send_signal(INT) or client.poll() is not None, "the client to end")
        assert client.returncode == 77
        assert b"how it ended is unknown" in client.stderr.read()
    wait_gone(name)


def test_a_second_signal_without_a_connection_says_that_the_job_goes_on(make_server: Callable[[], Server]) -> None:
    server = make_server()
    with start_marked(server, "echo set; sleep 1000", mark()) as client:
        wait_ready(client)
        assert client.stdout.readline() == b"set\n"
        server.kill()
        assert b"the connection was lost" in client.stderr.readline()
        wait_for(lambda: client.send_signal(INT) or client.poll() is not None, "the client to end")
        assert client.returncode == 255
        assert b"cannot be told to end" in client.stderr.read()


def test_a_killed_client_leaves_nothing_behind(server: Server) -> None:
    name = mark()
    with start_marked(server, "sleep 1000 | cat", name, "--keep", "1") as client:
        wait_ready(client)
        wait_for(lambda: set(marked_programs(name)) >= {"sleep", "cat"}, "the pipeline to run")
        client.kill()
        client.wait()
        wait_gone(name)
    assert server.serves()


def test_what_ignores_hup_and_term_is_killed_when_its_client_is_gone(server: Server) -> None:
    name = mark()
    with start_marked(server, "trap '' HUP TERM; echo set; while :; do sleep 1; done", name, "--keep", "0") as client:
        wait_ready(client)
        assert client.stdout.readline() == b"set\n"
        client.kill()
        client.wait()
        wait_gone(name)


def test_yes_into_head_ends_and_the_remote_yes_is_gone_within_a_second(server: Server) -> None:
    name = mark()
    with server.start_rcmd("yes", options=["-e", f"{name}=1"], stdout=subprocess.PIPE) as client:
        assert client.stdout.readline() == b"y\n"
        client.stdout.close()
        assert client.wait(60) == -signal.SIGPIPE
    wait_gone(name, deadline=10)


def test_a_signal_during_a_flood_of_output_is_not_stuck_behind_it(server: Server) -> None:
    name = mark()
    with server.start_rcmd("yes", options=["-e", f"{name}=1"], stdout=subprocess.PIPE) as client:
        assert client.stdout.readline() == b"y\n"
        client.send_signal(TERM)
        wait_gone(name)  # while nobody reads the client's stdout
        while os.read(client.stdout.fileno(), 1 << 20):
            pass
        assert client.wait(60) == 128 + TERM


def test_a_signal_while_stdin_is_blocked_is_not_stuck_behind_it(server: Server) -> None:
    name = mark()
    with open("/dev/zero", "rb") as zeros:
        with server.start_rcmd("echo ready; sleep 1000", options=["-e", f"{name}=1"], stdin=zeros,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE) as client:
            wait_ready(client)
            wait_for(lambda: "sleep" in marked_programs(name), "the command to run")
            client.send_signal(TERM)
            assert client.wait(60) == 128 + TERM
    wait_gone(name)


def test_a_signal_before_the_connection_stands_ends_the_client_and_starts_nothing(server: Server) -> None:
    arrived: list[bytes] = []

    def silence(plain: object) -> None:
        while data := plain.recv(4096):
            arrived.append(data)

    with listener(silence) as port:
        with process(RCMD, f"127.0.0.1:{port}", "echo x", env=base_environment(server.place.home),
                     stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as client:
            wait_for(lambda: arrived, "the client to say something")
            client.send_signal(TERM)
            assert client.wait(60) != 0
            assert client.stdout.read() == b""


def test_a_timeout_reaches_the_whole_process_group(server: Server) -> None:
    name = mark()
    result = server.rcmd("sleep 1000 | sleep 1000 | cat", options=["-e", f"{name}=1", "--timeout", "1"])
    assert result.code == 124
    wait_gone(name)


def test_a_connection_cut_in_the_middle_is_255_and_says_that_the_command_may_have_run(
        make_server: object) -> None:
    server = make_server()
    with start_marked(server, "sleep 1000", mark(), "--keep", "0") as client:
        wait_ready(client)
        server.kill()
        assert client.wait(120) == 255
        assert MAY_HAVE_RUN.search(client.stderr.read().decode())
