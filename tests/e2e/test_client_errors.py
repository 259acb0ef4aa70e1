"""What the client says when it cannot do its work: one line, the thing's name, the way out, and 255."""
from __future__ import annotations

import os
import socket
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import Callable

import pytest

import wire
from fakes import accept_tls, listener, server_context
from harness import NEVER_STARTED, RCMD, Place, Result, Server, base_environment, process, run_rcmd

MakePlace = Callable[..., Place]


def refused(result: Result, *named: str) -> None:
    """255, nothing on stdout, and one line that names the things and says that nothing was started."""
    result.failed_by_itself()
    assert result.out == b""
    for name in named:
        assert name in result.message, f"{name} is not named: {result.message}"


def test_no_key_names_the_file_and_the_way_out(server: Server, tmp_path: Path) -> None:
    result = run_rcmd(server.place, server.host, "true", env={"HOME": str(tmp_path)})
    refused(result, str(tmp_path / ".config/rcmd/key"), "rcmd keygen")


def test_a_key_file_given_but_not_there_is_named(server: Server) -> None:
    refused(server.rcmd("true", options=["-i", "/no/such/key"]), "/no/such/key")


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o644, 0o666])
def test_a_key_that_others_can_read_is_refused_with_the_way_out(make_place: MakePlace, server: Server,
                                                               mode: int) -> None:
    place = make_place()
    place.key_file.chmod(mode)
    refused(run_rcmd(place, server.host, "true"), str(place.key_file), "chmod")


@pytest.mark.skipif(os.geteuid() == 0, reason="root can read every file")
def test_an_unreadable_key_is_named(make_place: MakePlace, server: Server) -> None:
    place = make_place()
    place.key_file.chmod(0)
    refused(run_rcmd(place, server.host, "true"), str(place.key_file))


def test_a_directory_as_key_is_named(server: Server, tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    refused(server.rcmd("true", options=["-i", str(tmp_path)]), str(tmp_path))


SECRET = wire.encode(bytes(range(32)))


@pytest.mark.parametrize("text", ["", "\n", "nonsense\n", f"rcmd-key 2 id {SECRET}\n",
                                  f"rcmd-key 1 {SECRET}\n",
                                  "rcmd-key 1 id AAAA\n", f"rcmd-key 1 a/b {SECRET}\n",
                                  f"rcmd-key 1 id {SECRET} x\n",
                                  f"rcmd-key 1 id {SECRET[:-1]}\n", "\0" * 1000,
                                  "rcmd-key 1 id " + "A" * 100_000])
def test_a_file_that_is_no_key_is_refused_and_not_shown(server: Server, tmp_path: Path, text: str) -> None:
    path = tmp_path / "key"
    path.write_text(text)
    path.chmod(0o600)
    result = server.rcmd("true", options=["-i", str(path)])
    refused(result, str(path))
    assert SECRET[:20] not in result.message and len(result.message) < 1000


def test_a_wrong_key_is_refused(server: Server) -> None:
    wrong = wire.Key(server.place.key.key_id, os.urandom(32))
    result = server.rcmd("true", options=["-i", server.place.add_key_file("wrong", wrong)])
    refused(result, "127.0.0.1")
    assert NEVER_STARTED.search(result.message), result.message


def test_an_unknown_key_id_gets_the_very_message_of_a_wrong_key(server: Server) -> None:
    wrong = wire.Key(server.place.key.key_id, os.urandom(32))
    unknown = wire.Key("nobody@knows", os.urandom(32))
    results = [server.rcmd("true", options=["-i", server.place.add_key_file(key.key_id, key)])
               for key in (wrong, unknown)]
    texts = [result.message.replace("nobody@knows", "ID").replace(wrong.key_id, "ID") for result in results]
    assert texts[0] == texts[1]
    refused(results[1])


def test_no_server_names_the_address(place: Place) -> None:
    with socket.create_server(("127.0.0.1", 0)) as once:
        port = once.getsockname()[1]
    result = run_rcmd(place, f"127.0.0.1:{port}", "true")
    refused(result, f"127.0.0.1:{port}")
    assert NEVER_STARTED.search(result.message), result.message


def test_a_name_that_does_not_resolve_is_named(place: Place) -> None:
    result = run_rcmd(place, "no-such-host.invalid", "true", env={"RES_OPTIONS": "timeout:1 attempts:1"})
    refused(result, "no-such-host.invalid")


@pytest.mark.parametrize("host", ["127.0.0.1:0", "127.0.0.1:99999", "127.0.0.1:x", "127.0.0.1:", "",
                                  "@127.0.0.1",
                                  "user@", "a b", "[::1", "host\nname"])
def test_a_host_that_is_none_is_refused(place: Place, host: str) -> None:
    result = run_rcmd(place, host, "true", env={"RES_OPTIONS": "timeout:1 attempts:1"})
    refused(result)


@pytest.mark.parametrize("port", ["0", "65536", "x", "-1", ""])
def test_a_port_that_is_none_is_refused(place: Place, port: str) -> None:
    refused(run_rcmd(place, f"-p{port}", "127.0.0.1", "true") if port else run_rcmd(place, "-p", "",
                                                                                    "127.0.0.1"))


def http(plain: socket.socket) -> None:
    plain.recv(1000)
    plain.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


def ssh(plain: socket.socket) -> None:
    plain.sendall(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n")
    plain.recv(10_000)


def hang_up(plain: socket.socket) -> None:
    plain.recv(10)


def garbage(plain: socket.socket) -> None:
    plain.sendall(os.urandom(5000))
    plain.recv(10_000)


@pytest.mark.parametrize("serve", [http, ssh, hang_up, garbage], ids=lambda function: function.__name__)
def test_a_server_that_does_not_speak_tls_is_named(place: Place,
                                                   serve: Callable[[socket.socket], None]) -> None:
    with listener(serve) as port:
        result = run_rcmd(place, f"127.0.0.1:{port}", "true")
    refused(result, "127.0.0.1")
    assert "not TLS" in result.message or serve in (hang_up, garbage), result.message


TLS_ANSWERS = {
    "http": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "garbage": os.urandom(5000),
    "zero length": b"\0\0\0\0",
    "endless frame": b"\xff\xff\xff\xff" + b"x" * 100_000,
    "not json": wire.frame(b"hello there"),
    "another message": wire.frame({"type": "welcome", "limits": {"jobs": 1, "window": 1, "windows": 1}}),
    "a field missing": wire.frame({"type": "challenge", "version": 1, "size": 32}, b"x" * 32),
    "deep": wire.frame(b"[" * 3000 + b"]" * 3000),
    "nothing": b"",
}


@pytest.mark.parametrize("answer", TLS_ANSWERS.values(),
                         ids=[name.replace(" ", "-") for name in TLS_ANSWERS])
def test_a_tls_server_that_is_not_rcmd_server_is_named(place: Place, answer: bytes) -> None:
    context = server_context()

    def serve(plain: socket.socket) -> None:
        channel = accept_tls(plain, context)
        channel.receive_raw()
        if answer:
            channel.send_bytes(answer)
            channel.receive_raw()
        channel.close()

    with listener(serve) as port:
        refused(run_rcmd(place, f"127.0.0.1:{port}", "true"), "127.0.0.1")


def test_silence_at_any_point_of_the_login_ends_after_a_while(place: Place) -> None:
    context = server_context()

    def silent_tcp(plain: socket.socket) -> None:
        while plain.recv(4096):
            pass

    def silent_tls(plain: socket.socket) -> None:
        channel = accept_tls(plain, context)
        while True:
            channel.receive_raw()

    def trickle(plain: socket.socket) -> None:
        channel = accept_tls(plain, context)
        channel.receive_raw()
        channel.send_bytes(b"\0\0")
        channel.receive_raw()

    with ExitStack() as stack:
        clients = []
        for serve in (silent_tcp, silent_tls, trickle):
            port = stack.enter_context(listener(serve))
            clients.append(stack.enter_context(process(
                RCMD, f"127.0.0.1:{port}", "true", env=base_environment(place.home),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE)))
        for client in clients:
            out, err = client.communicate(timeout=90)
            refused(Result(client.returncode, out, err), "127.0.0.1")


def test_errors_are_one_line_with_quiet_too(place: Place) -> None:
    refused(run_rcmd(place, "-q", "127.0.0.1:1", "true"), "127.0.0.1:1")
