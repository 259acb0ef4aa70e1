"""Before the proof: phases, limits, versions and the grace time."""
from __future__ import annotations

import struct
import time
from pathlib import Path
from typing import Any, Callable

import pytest
from OpenSSL import SSL

import wire
from harness import Server, wait_for

HELLO = {"type": "hello", "versions": [1], "features": [], "key_id": "tester@here", "user": "",
         "nonce": wire.encode(b"n" * 32)}
EXEC = {"type": "exec", "job": "early", "boot": "x", "uptime": 1, "client": "x", "generation": 1,
        "mode": "shell",
        "words": 1, "stdin": False, "combine": False, "state": False, "keep": 1, "wait_eof": False,
        "durable": False,
        "detach": False, "limits": {"stdout": 16384, "stderr": 16384}, "size": 8}

GREETING = {
    "ping": ({"type": "ping"}, "unexpected_message"),
    "exec": (EXEC, "unexpected_message"),
    "auth": ({"type": "auth", "size": 32}, "unexpected_message"),
    "welcome": ({"type": "welcome", "limits": {"jobs": 1, "window": 1, "windows": 1}}, "unexpected_message"),
    "unknown": ({"type": "nonsense"}, "unexpected_message"),
    "extra field": (HELLO | {"extra": 1}, "bad_message"),
    "field missing": ({name: value for name, value in HELLO.items() if name != "user"}, "bad_message"),
    "size": (HELLO | {"size": 0}, "bad_message"),
    "versions no array": (HELLO | {"versions": 1}, "bad_message"),
    "versions of strings": (HELLO | {"versions": ["1"]}, "bad_message"),
    "features of numbers": (HELLO | {"features": [1]}, "bad_message"),
    "short nonce": (HELLO | {"nonce": wire.encode(b"n" * 31)}, "bad_message"),
    "long nonce": (HELLO | {"nonce": wire.encode(b"n" * 33)}, "bad_message"),
    "nonce no base64": (HELLO | {"nonce": "!" * 44}, "bad_message"),
    "nonce without padding": (HELLO | {"nonce": wire.encode(b"n" * 32).rstrip("=")}, "bad_message"),
    "empty key id": (HELLO | {"key_id": ""}, "bad_message"),
    "long key id": (HELLO | {"key_id": "x" * 65}, "bad_message"),
    "key id that climbs": (HELLO | {"key_id": "../x"}, "bad_message"),
    "key id with a newline": (HELLO | {"key_id": "a\nb"}, "bad_message"),
    "another version": (HELLO | {"versions": [2]}, "unsupported_version"),
    "no version": (HELLO | {"versions": []}, "unsupported_version"),
    "version 2^64-1": (HELLO | {"versions": [(1 << 64) - 1]}, "unsupported_version"),
}


def stranger(server: Server) -> wire.Wire:
    """A connection on which nothing has been said yet."""
    return wire.Wire(server.port, server.place.key)


@pytest.mark.parametrize(("header", "code"), GREETING.values(),
                         ids=[name.replace(" ", "-") for name in GREETING])
def test_a_wrong_first_message_is_answered_with_its_code(server: Server, header: dict[str, Any],
                                                         code: str) -> None:
    with stranger(server) as client:
        assert client.answer_to(wire.frame(header, b"x" * min(header.get("size", 0), 32)))["code"] == code
    assert server.serves()


@pytest.mark.parametrize(("data", "code"), [
    (b"\0\0\0\0", "bad_frame"), (wire.frame(b"GET / HTTP/1.1\r\n\r\n"), "bad_frame"),
    (struct.pack(">I", 4097), "too_large"), (b"\xff\xff\xff\xff", "too_large"),
    (b"GET / HTTP/1.1\r\n", "too_large"),
    (wire.frame(b"[" * 4000), "bad_frame")], ids=["zero", "http-inside", "4097", "huge", "http", "deep"])
def test_a_wrong_first_frame_is_answered_with_its_code(server: Server, data: bytes, code: str) -> None:
    with stranger(server) as client:
        assert client.answer_to(data)["code"] == code
    assert server.serves()


def test_a_hello_at_the_limit_of_a_header_is_taken(server: Server) -> None:
    with stranger(server) as client:
        hello = wire.to_json(client.hello_header())
        assert client.greet(hello + b" " * (4096 - len(hello))) == "challenge"


def test_a_version_is_picked_from_several_and_unknown_features_are_left_out(server: Server) -> None:
    with stranger(server).login(versions=[7, 1, 2], features=["x-nonsense", "after", "after"]) as client:
        assert (client.challenge["version"], client.challenge["features"]) == (1, ["after"])
        client.ping()


@pytest.mark.parametrize(("header", "body", "codes"), [
    ({"type": "auth"}, b"x" * 33, {"too_large"}),
    ({"type": "auth"}, b"x" * 31, {"bad_message", "auth_failed"}),
    ({"type": "auth"}, b"", {"bad_message", "auth_failed"}),
    ({"type": "auth"}, None, {"bad_message"}),
    ({"type": "auth", "extra": 1}, b"x" * 32, {"bad_message"}),
    ({"type": "ping"}, None, {"unexpected_message"}),
    (HELLO, None, {"unexpected_message"}),
    (EXEC, None, {"unexpected_message"}),
], ids=["33", "31", "0", "no-body", "extra", "ping", "hello-again", "exec"])
def test_a_wrong_message_instead_of_the_proof(server: Server, header: dict[str, Any], body: bytes | None,
                                             codes: set[str]) -> None:
    with stranger(server) as client:
        client.greet()
        sized = header if body is None else header | {"size": len(body)}
        assert client.answer_to(wire.frame(sized, body or b""))["code"] in codes
    assert server.serves()


def test_what_follows_a_wrong_proof_is_never_acted_on(server: Server, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    with stranger(server) as client:
        client.greet()
        body = f"touch {trace}\0\0".encode()
        wrong = bytes([client.proof()[0] ^ 1]) + client.proof()[1:]
        request = client.exec_header("early") | {"size": len(body)}
        data = wire.frame({"type": "auth", "size": 32}, wrong) + wire.frame(request, body)
        assert client.answer_to(data)["code"] == "auth_failed"
    assert server.serves()
    assert not trace.exists()


def test_a_request_in_the_same_flight_as_the_proof_runs_and_welcome_comes_first(server: Server) -> None:
    with stranger(server) as client:
        client.greet()
        body = b"echo quick\0\0"
        request = client.exec_header("early") | {"size": len(body)}
        client.jobs["early"] = wire.Job("early", limits={"stdout": 65536, "stderr": 65536})
        client.send_bytes(wire.frame({"type": "auth", "size": 32}, client.proof()) + wire.frame(request,
                                                                                                body))
        assert client.receive()[0]["type"] == "welcome"
        assert client.finish(client.jobs["early"]).out == b"quick\n"


def test_tls_older_than_1_3_is_refused(server: Server) -> None:
    with pytest.raises(wire.Closed):
        wire.tls_connect(server.port, SSL.TLS1_2_VERSION)
    assert server.serves()


def test_bytes_that_are_no_tls_end_only_their_connection(server: Server) -> None:
    for data in (b"GET / HTTP/1.0\r\n\r\n", b"\0" * 1000, b"\x16\x03\x01\xff\xff", b"SSH-2.0-x\r\n"):
        plain = wire.connect(server.port)
        plain.sendall(data)
        plain.close()
    assert server.serves()


def closed_within(plain: Any, seconds: float) -> float:
    """How long the server kept the connection; fails after so many seconds."""
    begin = time.monotonic()
    wire.set_timeout(plain, seconds)
    try:
        while plain.recv(4096):
            pass
    except ConnectionResetError:
        pass
    return time.monotonic() - begin


def test_a_login_that_takes_too_long_is_closed(make_server: Callable[..., Server]) -> None:
    server = make_server("--login-grace", "1")
    silent = wire.connect(server.port)
    with stranger(server) as idle, stranger(server) as greeted:
        greeted.greet()
        for client in (idle, greeted):
            assert client.last_words()["code"] == "login_timeout"
    closed_within(silent, 30)
    silent.close()
    assert server.serves()


@pytest.mark.parametrize("tls", [False, True], ids=["tls-hello", "frame"])
def test_a_login_of_one_byte_at_a_time_is_closed_all_the_same(make_server: Callable[..., Server],
                                                              tls: bool) -> None:
    server = make_server("--login-grace", "1")
    client = stranger(server) if tls else None
    plain = client.plain if client else wire.connect(server.port)
    data = wire.frame(HELLO) if tls else b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"r" * 480
    sent = 0

    def trickle() -> bool:
        nonlocal sent
        sent += 1
        assert sent < len(data), "it may go on for ever"
        time.sleep(0.2)
        try:
            (client.send_bytes if client else plain.sendall)(data[sent - 1:sent])
        except (OSError, wire.Closed):
            return True
        return False

    wait_for(trickle, "the connection to be closed")
    plain.close()
    assert server.serves()


def test_the_grace_time_ends_with_the_login(make_server: Callable[..., Server]) -> None:
    server = make_server("--login-grace", "1")
    with server.login() as client:
        job = client.execute("sleep 2.5; echo late")
        assert client.finish(job).out == b"late\n"


def test_200_silent_connections_do_not_keep_an_honest_client_out(server: Server) -> None:
    silent = [wire.connect(server.port) for _ in range(200)]
    assert server.serves()
    for plain in silent:
        plain.close()
