"""Frames and fields that break the protocol: one typed error, an orderly close, the others are served."""
from __future__ import annotations

import struct
from typing import Any

import pytest

import wire
from harness import Server

JOB = "0123456789abcdef"
PING = b'{"type":"ping"}'

BAD_FRAMES = {
    "length 0": b"\0\0\0\0",
    "not json": wire.frame(b"hello there"),
    "empty object behind a blank and a letter": wire.frame(b" {} x"),
    "array": wire.frame(b'[{"type":"ping"}]'),
    "string": wire.frame(b'"ping"'),
    "number": wire.frame(b"1"),
    "null": wire.frame(b"null"),
    "cut off": wire.frame(PING[:-1]),
    "two objects": wire.frame(PING + PING),
    "trailing comma": wire.frame(b'{"type":"ping",}'),
    "comment": wire.frame(b'{"type":"ping"/**/}'),
    "single quotes": wire.frame(b"{'type':'ping'}"),
    "byte order mark": wire.frame(b"\xef\xbb\xbf" + PING),
    "nul behind": wire.frame(PING + b"\0"),
    "nul inside": wire.frame(b'{"type":"pi\0ng"}'),
    "invalid utf-8": wire.frame(b'{"type":"\xff"}'),
    "overlong utf-8": wire.frame(b'{"type":"\xc0\xaf"}'),
    "newline in a string": wire.frame(b'{"type":"pi\nng"}'),
    "field twice": wire.frame(b'{"type":"ping","type":"ping"}'),
    "field twice, once escaped": wire.frame(b'{"type":"ping","t\\u0079pe":"ping"}'),
    "field twice inside": wire.frame(b'{"type":"ping","x":{"a":1,"a":2}}'),
    "depth 9": wire.frame(b'{"a":' * 9 + b"1" + b"}" * 9),
    "depth 9 of arrays": wire.frame(b'{"a":' + b"[" * 8 + b"]" * 8 + b"}"),
    "depth 10000": wire.frame(b'{"a":' + b"[" * 10_000 + b"]" * 10_000 + b"}"),
    "only opening brackets": wire.frame(b"[" * 60_000),
    "nan": wire.frame(b'{"type":"ping","x":NaN}'),
}

TOO_LARGE = {
    "header 65537": struct.pack(">I", 65537),
    "header of a megabyte": struct.pack(">I", 1 << 20),
    "header 2^31": struct.pack(">I", 1 << 31),
    "header 2^32-1": struct.pack(">I", (1 << 32) - 1),
    "data of 65537": wire.frame({"type": "data", "job": JOB, "stream": "stdin", "offset": 0, "size": 65537}),
    "data of 2^64-1": wire.frame({"type": "data", "job": JOB, "stream": "stdin", "offset": 0,
                                  "size": (1 << 64) - 1}),
}


def identifiers(names: dict[str, Any]) -> list[str]:
    return [name.replace(" ", "-") for name in names]


def ends_with(server: Server, data: bytes, *codes: str) -> None:
    """The bytes end an open connection with one of the codes; everyone else is served."""
    with server.login() as honest, server.login() as hostile:
        error = hostile.answer_to(data)
        assert error["code"] in codes, error
        honest.ping()
    assert server.serves()


@pytest.mark.parametrize("data", BAD_FRAMES.values(), ids=identifiers(BAD_FRAMES))
def test_a_header_that_is_not_one_json_object_is_bad_frame(server: Server, data: bytes) -> None:
    ends_with(server, data, "bad_frame")


@pytest.mark.parametrize("data", TOO_LARGE.values(), ids=identifiers(TOO_LARGE))
def test_more_than_a_limit_is_too_large_before_it_is_sent(server: Server, data: bytes) -> None:
    ends_with(server, data, "too_large")


def test_an_exec_body_over_its_limit_is_too_large(server: Server) -> None:
    with server.login() as client:
        header = client.exec_header(JOB) | {"size": 262145}
        assert client.answer_to(wire.frame(header))["code"] == "too_large"
    assert server.serves()


def data_header(**fields: Any) -> dict[str, Any]:
    return {"type": "data", "job": JOB, "stream": "stdin", "offset": 0, "size": 1} | fields


ACK = {"type": "ack", "job": JOB, "stream": "stdout", "offset": 0, "limit": 1}
BAD_MESSAGES = {
    "no type": {},
    "type of another kind": {"type": 1},
    "type null": {"type": None},
    "extra field": {"type": "ping", "extra": 1},
    "size where no body is": {"type": "ping", "size": 0},
    "field missing": {name: value for name, value in ACK.items() if name != "limit"},
    "size missing": {name: value for name, value in data_header().items() if name != "size"},
    "data of nothing": data_header(size=0),
    "number as string": ACK | {"offset": "0"},
    "number as bool": ACK | {"offset": True},
    "number null": ACK | {"offset": None},
    "negative number": ACK | {"offset": -1},
    "negative size": data_header(size=-1),
    "number 2^64": ACK | {"limit": 1 << 64},
    "number with a fraction": ACK | {"offset": 0.5},
    "whole number with a fraction": ACK | {"offset": 0.0},
    "string as number": ACK | {"stream": 1},
    "array as number": ACK | {"offset": [0]},
    "object as string": ACK | {"stream": {}},
    "unknown stream": ACK | {"stream": "stdlog"},
    "stream in capitals": ACK | {"stream": "STDOUT"},
    "empty job": ACK | {"job": ""},
    "long job": ACK | {"job": "x" * 65},
    "hidden job": ACK | {"job": ".x"},
    "job with a slash": ACK | {"job": "a/b"},
    "job that climbs": ACK | {"job": "../x"},
    "job with a blank": ACK | {"job": "a b"},
    "job with a nul": ACK | {"job": "a\0b"},
    "job beyond ascii": ACK | {"job": "jöb"},
    "job with an at": ACK | {"job": "a@b"},
}


@pytest.mark.parametrize("header", BAD_MESSAGES.values(), ids=identifiers(BAD_MESSAGES))
def test_a_field_that_is_wrong_is_bad_message(server: Server, header: dict[str, Any]) -> None:
    ends_with(server, wire.frame(header), "bad_message")


@pytest.mark.parametrize("text", [b"1e0", b"1.0", b"01", b"+1", b"0x1", b"1E+2",
                                  b"18446744073709551616", b"9" * 400])
def test_a_number_in_another_notation_is_refused(server: Server, text: bytes) -> None:
    header = b'{"type":"ack","job":"x","stream":"stdout","offset":0,"limit":' + text + b"}"
    ends_with(server, wire.frame(header), "bad_message", "bad_frame")


def test_a_lone_surrogate_is_refused(server: Server) -> None:
    header = b'{"type":"ack","job":"\\ud800","stream":"stdout","offset":0,"limit":1}'
    ends_with(server, wire.frame(header), "bad_message", "bad_frame")


UNEXPECTED = {
    "unknown": {"type": "nonsense"},
    "empty": {"type": ""},
    "in capitals": {"type": "PING"},
    "started": {"type": "started", "job": JOB, "pid": 1, "limits": {"stdin": 0}},
    "pong": {"type": "pong", "boot": "x", "uptime": 1},
    "welcome": {"type": "welcome", "limits": {"jobs": 1, "window": 1, "windows": 1}},
    "error": {"type": "error", "code": "internal", "message": "x"},
    "auth again": {"type": "auth", "size": 32},
    "hello again": {"type": "hello", "versions": [1], "features": [], "key_id": "a", "user": "",
                    "nonce": wire.encode(b"n" * 32)},
}


@pytest.mark.parametrize("header", UNEXPECTED.values(), ids=identifiers(UNEXPECTED))
def test_a_message_that_is_unknown_or_not_for_this_phase_is_unexpected(server: Server,
                                                                       header: dict[str, Any]) -> None:
    ends_with(server, wire.frame(header, b"x" * header.get("size", 0)), "unexpected_message")


def test_frames_cut_at_every_byte_are_understood(server: Server) -> None:
    with server.login() as client:
        job = client.begin("cat", stdin=True)
        data = wire.frame(data_header(job=job.id, size=3), b"abc") + wire.frame(
            {"type": "eof", "job": job.id, "stream": "stdin", "offset": 3})
        job.sent = 3
        for number in range(len(data)):
            client.send_bytes(data[number:number + 1])
        assert client.finish(job).out == b"abc"


def test_frames_glued_together_are_understood(server: Server) -> None:
    with server.login() as client:
        client.send_bytes(wire.frame(PING) * 1000)
        client.until(lambda: client.pongs == 1000)


def test_order_and_blanks_are_free_in_a_header(server: Server) -> None:
    with server.login() as client:
        client.send_bytes(wire.frame(b' \t\r\n{ "type" :\n"p\\u0069ng" } '))
        client.until(lambda: client.pongs == 1)


def test_a_header_at_its_limit_is_taken(server: Server) -> None:
    with server.login() as client:
        client.send_bytes(wire.frame(PING + b" " * (65536 - len(PING))))
        client.until(lambda: client.pongs == 1)


def test_a_connection_cut_inside_a_frame_hurts_nobody(server: Server) -> None:
    for cut in (1, 3, 4, 10):
        client = server.login()
        client.send_bytes(wire.frame(PING)[:cut])
        client.drop()
    assert server.serves()
