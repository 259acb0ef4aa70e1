"""The client against a server that has the key but breaks the protocol: never a false exit 0."""
from __future__ import annotations

import os
import pty
import re
import struct
import subprocess
import time
from typing import Any, Callable

import pytest

import wire
from fakes import FakeServer, listener
from harness import MAY_HAVE_RUN, RCMD, Place, Result, base_environment, process, run_rcmd

Script = Callable[[FakeServer], None]


def against(place: Place, script: Script, *options: str, command: str = "true") -> tuple[Result, FakeServer]:
    """Runs the client against the script."""
    fake = FakeServer(place.key, script)
    with listener(fake) as port:
        # Less than what the fake waits for: the client has to notice by itself.
        return run_rcmd(place, *options, f"127.0.0.1:{port}", command, timeout=wire.SECONDS - 5), fake


def finish(fake: FakeServer, **fields: Any) -> None:
    fake.exit(**fields)
    fake.wait_closed()


def honest(fake: FakeServer) -> None:
    fake.start_job()
    fake.data(b"out\n", 0)
    fake.data(b"error\n", 0, "stderr")
    fake.eof(4)
    fake.eof(6, "stderr")
    finish(fake, code=3, stdout=4, stderr=6)


def test_an_honest_fake_gets_an_honest_client(place: Place) -> None:
    result, fake = against(place, honest)
    assert (result.code, result.out, result.err) == (3, b"out\n", b"error\n")
    assert fake.received[-1]["type"] == "release"


def test_the_request_has_what_the_options_say(place: Place) -> None:
    _, fake = against(place, honest, "-n", "--combine", "--wait-eof", "--timeout", "2m")
    request = next(header for header in fake.received if header["type"] == "exec")
    assert (request["stdin"], request["combine"], request["wait_eof"], request["timeout"]) == (False, True,
                                                                                               True, 120)
    assert (request["mode"], request["words"], request["generation"]) == ("shell", 1, 1)
    assert (request["boot"], request["uptime"]) == ("00" * 16, 1234)
    assert re.fullmatch("[0-9a-f]{32}", request["job"]) and request["limits"]["stdout"] <= wire.MIB


def test_every_request_has_a_job_id_and_a_client_of_its_own(place: Place) -> None:
    requests = [next(header for header in against(place, honest)[1].received if header["type"] == "exec")
                for _ in range(3)]
    for name in ("job", "client"):
        assert len({request[name] for request in requests}) == 3


def started_then(*steps: Script) -> Script:
    def script(fake: FakeServer) -> None:
        fake.start_job()
        for step in steps:
            step(fake)
        fake.wait_closed()
    return script


LIES: dict[str, Script] = {
    "more stdout promised than sent": started_then(lambda f: f.data(b"x", 0), lambda f: f.exit(stdout=2)),
    "less stdout promised than sent": started_then(lambda f: f.data(b"xx", 0), lambda f: f.exit(stdout=1)),
    "stderr missing": started_then(lambda f: f.exit(stderr=1)),
    "gap": started_then(lambda f: f.data(b"x", 1), lambda f: f.exit(stdout=2)),
    "repeated": started_then(lambda f: f.data(b"xx", 0), lambda f: f.data(b"x", 1),
                             lambda f: f.exit(stdout=2)),
    "offset 2^64-1": started_then(lambda f: f.data(b"x", (1 << 64) - 1)),
    "data behind eof": started_then(lambda f: f.eof(0), lambda f: f.data(b"x", 0),
                                    lambda f: f.exit(stdout=1)),
    "eof elsewhere": started_then(lambda f: f.eof(5), lambda f: f.exit(stdout=5)),
    "data on stdin": started_then(lambda f: f.data(b"x", 0, "stdin")),
    "empty data": started_then(lambda f: f.data(b"", 0)),
    "ack beyond": started_then(lambda f: f.send({"type": "ack", "job": f.job, "stream": "stdin", "offset": 5,
                                                  "limit": 100_000})),
    "limit lowered": started_then(lambda f: f.send({"type": "ack", "job": f.job, "stream": "stdin",
                                                    "offset": 0,
                                                     "limit": 1})),
    "code and signal": started_then(lambda f: f.exit(code=0, signal="TERM")),
    "neither code nor signal": started_then(lambda f: f.exit(code=None)),
    "code 256": started_then(lambda f: f.exit(code=256)),
    "unknown signal": started_then(lambda f: f.exit(code=None, signal="NONSENSE")),
    "unknown reason": started_then(lambda f: f.exit(reason="nonsense")),
    "started twice": started_then(lambda f: f.send({"type": "started", "job": f.job, "pid": 1,
                                                     "limits": {"stdin": 0}})),
    "unknown message": started_then(lambda f: f.send({"type": "nonsense"})),
    "request": started_then(lambda f: f.send({"type": "ping"})),
    "challenge again": started_then(lambda f: f.send({"type": "challenge", "version": 1, "features": [],
                                                      "nonce": "",
                                                       "salt": "", "boot": "", "uptime": 1}, b"x" * 32)),
    "no json": started_then(lambda f: f.channel.send_bytes(wire.frame(b"hello"))),
    "field twice": started_then(
        lambda f: f.channel.send_bytes(wire.frame(b'{"type":"pong","type":"pong"}'))),
    "length 0": started_then(lambda f: f.channel.send_bytes(b"\0\0\0\0")),
    "huge header": started_then(lambda f: f.channel.send_bytes(b"\xff\xff\xff\xff")),
    "huge body": started_then(lambda f: f.channel.send_bytes(wire.frame(
        {"type": "data", "job": f.job, "stream": "stdout", "offset": 0, "size": 1 << 40}))),
}


@pytest.mark.parametrize("script", LIES.values(), ids=[name.replace(" ", "-") for name in LIES])
def test_a_server_that_lies_after_the_start_is_255_and_may_have_run(place: Place, script: Script) -> None:
    result, _ = against(place, script)
    result.failed_by_itself()
    assert MAY_HAVE_RUN.search(result.message), result.message


def test_a_line_of_a_batch_that_was_refused_does_not_start_after_all(place: Place) -> None:
    def script(fake: FakeServer) -> None:
        fake.login()
        fake.take_exec()
        fake.send({"type": "error", "job": fake.job, "code": "internal", "message": "no"})
        fake.send({"type": "started", "job": fake.job, "pid": 4711, "limits": {"stdin": 0}})
        fake.wait_closed()

    with listener(FakeServer(place.key, script)) as port:
        result = run_rcmd(place, "--batch", "--keep-going", f"127.0.0.1:{port}", input=b"true\n", timeout=wire.SECONDS - 5)
    assert result.code == 255
    assert "no; the command was not started" in result.message.splitlines()[0], result.message


def test_a_batch_asks_a_server_that_cannot_wait_for_one_line_after_the_other(place: Place) -> None:
    def one_line(fake: FakeServer, line: str) -> None:
        fake.job = fake.received[-1]["job"]
        fake.send({"type": "started", "job": fake.job, "pid": 4711, "limits": {"stdin": 0}})
        fake.data(line.encode(), 0)
        fake.eof(len(line))
        fake.eof(0, "stderr")
        fake.exit(stdout=len(line))

    def script(fake: FakeServer) -> None:
        fake.login()
        fake.take_exec()
        one_line(fake, "one\n")
        while fake.receive()["type"] != "exec":
            pass
        one_line(fake, "two\n")
        fake.wait_closed()

    fake = FakeServer(place.key, script)
    with listener(fake) as port:
        result = run_rcmd(place, "--batch", f"127.0.0.1:{port}", input=b"first\nsecond\n", timeout=wire.SECONDS - 5)
    assert (result.code, result.out) == (0, b"one\ntwo\n"), result
    said = [header["type"] for header in fake.received if header["type"] in ("exec", "release")]
    assert said == ["exec", "release", "exec", "release"]
    assert not any("after" in header for header in fake.received)


def closed_after(*steps: Script) -> Script:
    def script(fake: FakeServer) -> None:
        for step in steps:
            step(fake)
        fake.channel.close()
    return script


CLOSED: dict[str, Script] = {
    "before welcome": closed_after(FakeServer.challenge, FakeServer.receive, FakeServer.receive),
    "before started": closed_after(FakeServer.login, FakeServer.take_exec),
    "after started": closed_after(FakeServer.start_job),
    "after all output": closed_after(FakeServer.start_job, lambda f: f.data(b"x", 0), lambda f: f.eof(1),
                                     lambda f: f.eof(0, "stderr")),
}


@pytest.mark.parametrize("script", CLOSED.values(), ids=[name.replace(" ", "-") for name in CLOSED])
def test_a_connection_closed_before_exit_is_255_and_may_have_run(place: Place, script: Script) -> None:
    result, _ = against(place, script, "--keep", "0")
    assert result.code == 255
    assert MAY_HAVE_RUN.search(result.message), result.message


def test_output_beyond_the_window_is_255(place: Place) -> None:
    def flood(fake: FakeServer) -> None:
        fake.start_job()
        offset = 0
        while True:  # until the client has had enough
            fake.data(b"x" * 65536, offset)
            offset += 65536

    with listener(FakeServer(place.key, flood)) as port:
        with process(RCMD, f"127.0.0.1:{port}", "true", env=base_environment(place.home),
                     stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as client:
            while os.read(client.stdout.fileno(), 65536):
                time.sleep(0.02)  # a reader who is much slower than the flood
            assert client.wait(60) == 255
            assert b"broke the protocol" in client.stderr.read()


@pytest.mark.parametrize("fields", [{"version": 2}, {"version": 0}, {"features": ["nonsense"]}],
                         ids=["version-2", "version-0", "feature"])
def test_a_version_or_feature_that_was_not_offered_is_refused(place: Place, fields: dict[str, Any]) -> None:
    result, fake = against(place, lambda f: (f.challenge(**fields), f.receive()))
    result.failed_by_itself()
    assert [header["type"] for header in fake.received] == ["hello"]


def job_error(code: str, message: str) -> Script:
    def script(fake: FakeServer) -> None:
        fake.login()
        fake.take_exec()
        fake.send({"type": "error", "job": fake.job, "code": code, "message": message})
        fake.wait_closed()
    return script


@pytest.mark.parametrize(("code", "status"), [
    ("not_found", 127), ("not_executable", 126), ("too_large", 126), ("no_directory", 255),
    ("forbidden", 255),
    ("unsupported", 255), ("conflict", 255), ("restarted", 255), ("expired", 255), ("busy", 255),
    ("shutdown", 255),
    ("internal", 255)])
def test_each_error_of_a_job_has_its_status_and_one_line(place: Place, code: str, status: int) -> None:
    result, _ = against(place, job_error(code, "the reason given"))
    assert (result.code, result.out) == (status, b"")
    lines = result.message.splitlines()
    assert len(lines) == 1 and lines[0].startswith("rcmd: ") and "the reason given" in lines[0]


@pytest.mark.parametrize("code", ["restarted", "expired"])
def test_an_unknown_outcome_is_told(place: Place, code: str) -> None:
    assert MAY_HAVE_RUN.search(against(place, job_error(code, "x"))[0].message)


def test_text_of_a_server_is_escaped_on_a_terminal_and_stays_one_line(place: Place) -> None:
    hostile = "\x1b]0;owned\x07\x1b[2J\x9b2J\r\nrcmd: all is well\b\x7f"
    master, slave = pty.openpty()
    with listener(FakeServer(place.key, job_error("forbidden", hostile))) as port:
        result = run_rcmd(place, f"127.0.0.1:{port}", "true", stderr=slave)
    os.close(slave)
    shown = b""
    try:
        while piece := os.read(master, 4096):
            shown += piece
    except OSError:
        pass  # the end of a terminal
    os.close(master)
    assert result.code == 255
    text = shown.decode().rstrip("\r\n")
    assert text.startswith("rcmd: ") and "owned" in text
    assert not re.search("[\x00-\x1f\x7f-\x9f]", text), repr(text)


def test_an_early_server_error_is_shown_with_its_reason(place: Place) -> None:
    def busy(fake: FakeServer) -> None:
        fake.challenge()
        fake.send({"type": "error", "code": "busy", "message": "too many sessions"})
        fake.channel.close()

    result, _ = against(place, busy)
    result.failed_by_itself()
    assert "too many sessions" in result.message


def test_a_huge_frame_is_not_waited_for(place: Place) -> None:
    script = started_then(lambda f: f.channel.send_bytes(struct.pack(">I", 1 << 30) + b"x" * 10_000))
    result, _ = against(place, script)
    result.failed_by_itself()
