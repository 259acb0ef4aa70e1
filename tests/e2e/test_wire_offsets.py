"""Offsets and limits that a peer has no right to claim: each ends the connection, and only that."""
from __future__ import annotations

from typing import Any, Callable

import pytest

import wire
from harness import Server

SMALL = {"stdout": 16384, "stderr": 16384}
Break = Callable[[wire.Wire, wire.Job], dict[str, Any]]


def stream(kind: str, name: str, **numbers: int) -> Break:
    return lambda client, job: {"type": kind, "job": job.id, "stream": name} | numbers


BAD_OFFSETS: dict[str, Break] = {
    "data behind a gap": stream("data", "stdin", offset=4, size=1),
    "data sent before": stream("data", "stdin", offset=2, size=1),
    "data at 2^64-1": stream("data", "stdin", offset=(1 << 64) - 1, size=1),
    "eof too early": stream("eof", "stdin", offset=2),
    "eof beyond": stream("eof", "stdin", offset=4),
    "ack beyond what was sent": stream("ack", "stdout", offset=4, limit=65536),
    "ack of 2^64-1": stream("ack", "stdout", offset=(1 << 64) - 1, limit=(1 << 64) - 1),
    "limit lowered": stream("ack", "stdout", offset=3, limit=16383),
    "limit below offset": stream("ack", "stdout", offset=3, limit=2),
    "ack of the other stream": stream("ack", "stderr", offset=1, limit=16384),
}


@pytest.mark.parametrize("broken", BAD_OFFSETS.values(),
                         ids=[name.replace(" ", "-") for name in BAD_OFFSETS])
def test_an_offset_outside_what_was_sent_or_granted_is_bad_offset(server: Server, broken: Break) -> None:
    with server.login(acks=False) as client:
        job = client.begin("echo ab; cat >/dev/null; sleep 1000", stdin=True, limits=SMALL)
        client.write(job, b"abc")
        client.until(lambda: job.out == b"ab\n" and job.acknowledged == 3)
        header = broken(client, job)
        error = client.answer_to(wire.frame(header, b"x" * header.get("size", 0)))
        assert error["code"] == "bad_offset", error
    assert server.serves()


def test_an_ack_lowered_is_bad_offset(server: Server) -> None:
    with server.login(acks=False) as client:
        job = client.begin("echo ab; sleep 1000", limits=SMALL)
        client.until(lambda: job.out == b"ab\n")
        client.grant(job, "stdout", 65536)
        lowered = stream("ack", "stdout", offset=2, limit=65536)(client, job)
        assert client.answer_to(wire.frame(lowered))["code"] == "bad_offset"
    assert server.serves()


def test_data_beyond_the_window_is_bad_offset(server: Server) -> None:
    with server.login() as client:
        job = client.begin("sleep 1000", stdin=True, limits=SMALL)
        with pytest.raises((AssertionError, wire.Closed)):
            for _ in range(2 * wire.MIB // 16384):
                client.write(job, b"x" * 16384)
            client.until(lambda: False)
        assert client.failure and client.failure["code"] == "bad_offset"
    assert server.serves()


@pytest.mark.parametrize(("kind", "numbers"), [("data", {"offset": 3, "size": 1}), ("eof", {"offset": 4})])
def test_what_contradicts_an_eof_is_bad_offset(server: Server, kind: str, numbers: dict[str, int]) -> None:
    with server.login() as client:
        job = client.begin("cat >/dev/null; sleep 1000", stdin=True, limits=SMALL)
        client.write(job, b"abc")
        client.end_stdin(job)
        header = stream(kind, "stdin", **numbers)(client, job)
        assert client.answer_to(wire.frame(header, b"x" * header.get("size", 0)))["code"] == "bad_offset"
    assert server.serves()


@pytest.mark.parametrize("broken", [stream("data", "stdout", offset=0, size=1),
                                    stream("eof", "stderr", offset=0),
                                    stream("ack", "stdin", offset=0, limit=1), stream("stop", "stdin")],
                         ids=["data", "eof", "ack", "stop"])
def test_a_stream_in_the_wrong_direction_ends_the_connection(server: Server, broken: Break) -> None:
    with server.login() as client:
        header = broken(client, client.begin("sleep 1000", stdin=True, limits=SMALL))
        error = client.answer_to(wire.frame(header, b"x" * header.get("size", 0)))
        assert error["code"] in ("bad_message", "bad_offset", "unexpected_message")
    assert server.serves()


def test_data_for_a_job_without_stdin_ends_the_connection(server: Server) -> None:
    with server.login() as client:
        job = client.begin("sleep 1000", stdin=False)
        header = stream("data", "stdin", offset=0, size=1)(client, job)
        assert client.answer_to(wire.frame(header, b"x"))["code"] in ("bad_offset", "bad_message")
    assert server.serves()
