"""Strangers: how many connections may wait for a login, which of them go, and how long a source waits whose proofs fail."""
from __future__ import annotations

import contextlib
import resource
import socket
from typing import Callable, Iterator

import pytest

import wire
from harness import MEASURE_MEMORY, NEVER_STARTED, RCMD, Server, base_environment, memory_kib, process, scaled, wait_for

MakeServer = Callable[..., Server]
HONEST = "127.0.0.2"


@pytest.fixture
def many_descriptors() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def connection(server: Server, source: str = "127.0.0.1") -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), source_address=(source, 0))


def closed(plain: socket.socket) -> bool:
    plain.setblocking(False)
    try:
        return plain.recv(1) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def log_in(server: Server, source: str) -> wire.Wire:
    client = wire.Wire(server.port, server.place.key, source=source)
    return client.login()


def wrong_proof(server: Server, source: str = "127.0.0.1") -> dict:
    """The answer to a login with a proof of nothing."""
    with wire.Wire(server.port, server.place.key, source=source) as client:
        if client.greet() == "error":
            return client.challenge
        return client.answer_to(wire.frame({"type": "auth", "size": 32}, b"\0" * 32))


def test_an_honest_client_gets_in_during_a_flood_of_silent_connections(make_server: MakeServer, many_descriptors: None) -> None:
    server = make_server("--login-grace", "3600")
    with contextlib.ExitStack() as stack:
        flood = []
        for number in range(scaled(2000, least=1100)):
            flood.append(stack.enter_context(connection(server)))
            if number % 500 == 499:
                log_in(server, HONEST).close()
        wait_for(lambda: sum(map(closed, flood)) >= len(flood) - 1000, "the oldest ones to be closed")
        assert server.serves()
        assert not closed(flood[-1])


def test_the_oldest_connection_of_the_largest_source_goes(make_server: MakeServer) -> None:
    server = make_server("--max-unauthenticated", "3", "--login-grace", "3600")
    with connection(server, HONEST) as other, connection(server) as first, connection(server) as second, connection(server) as third:
        wait_for(lambda: closed(first), "the oldest one to be closed")
        assert not any(map(closed, (other, second, third)))
        wait_for(lambda: "busy" in server.log(), "that to be logged")


def test_a_source_with_a_login_keeps_its_connections(make_server: MakeServer) -> None:
    server = make_server("--max-unauthenticated", "3", "--login-grace", "3600")
    assert server.serves()
    with connection(server) as first, connection(server), connection(server, HONEST) as other, connection(server):
        wait_for(lambda: closed(other), "the stranger to be closed")
        assert not closed(first)


def test_wrong_proofs_make_their_source_wait_and_no_other(make_server: MakeServer) -> None:
    server = make_server()
    answers = [wrong_proof(server) for _ in range(10)]
    codes = [answer["code"] for answer in answers]
    assert codes == ["auth_failed"] * 6 + ["penalty"] * 4, codes
    assert all(1 <= answer["retry_after"] <= 5 for answer in answers[6:])
    with log_in(server, HONEST):
        pass
    refused = wrong_proof(server)
    assert refused["code"] == "penalty"
    # It is over when it was said to be over.
    result = server.rcmd("echo in")
    assert (result.code, result.out) == (0, b"in\n"), result
    assert "try again in" in result.message and result.message.count("\n") == 1


def test_a_penalty_that_takes_long_is_told_and_not_waited_for(make_server: MakeServer) -> None:
    server = make_server()
    for _ in range(6):
        wrong_proof(server)
    result = server.rcmd("true", options=["-o", "ConnectTimeout=1"])
    result.failed_by_itself()
    assert "try again in" in result.message and NEVER_STARTED.search(result.message), result


def test_after_a_login_wrong_proofs_of_that_address_cost_nothing(make_server: MakeServer) -> None:
    server = make_server()
    assert server.serves()
    assert {wrong_proof(server)["code"] for _ in range(20)} == {"auth_failed"}


def test_many_honest_logins_at_once_earn_no_penalty(make_server: MakeServer) -> None:
    server = make_server()
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(process(RCMD, server.host, "true", env=base_environment(server.place.home)))
                   for _ in range(scaled(200, least=20))]
        assert {client.wait(60) for client in clients} == {0}
    assert "penalty" not in server.log() and "busy" not in server.log()


@pytest.mark.skipif(not MEASURE_MEMORY, reason="a sanitizer needs memory of its own")
@pytest.mark.parametrize("hello", [b"", b"\x16\x03\x01\x02\x00" + b"\x01\x00\x01\xfc" + b"\x03\x03"], ids=["silent", "half a hello"])
def test_a_stranger_holds_little_memory(make_server: MakeServer, many_descriptors: None, hello: bytes) -> None:
    server = make_server("--login-grace", "3600", "--max-unauthenticated", "1000")
    assert server.serves()
    before = memory_kib(server.pid)
    count = 800
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            stack.enter_context(connection(server, HONEST)).sendall(hello)
        assert server.serves()
        held = (memory_kib(server.pid) - before) / count
        assert held < 100, f"{held:.0f} KiB a connection"


def test_a_full_server_is_busy_and_the_client_tries_again(make_server: MakeServer) -> None:
    server = make_server("--max-sessions", "1")
    with server.login():
        result = server.rcmd("true", options=["-o", "ConnectTimeout=2"])
        assert result.code == 255 and result.message.count("as many connections") == 2, result
        assert "waiting" in result.message.splitlines()[0] and NEVER_STARTED.search(result.message.splitlines()[1])
        quiet = server.rcmd("true", options=["-q", "-o", "ConnectTimeout=2"])
        quiet.failed_by_itself()
