"""Servers that are not rcmd-server, or are hostile ones: what the client may meet."""
from __future__ import annotations

import base64
import functools
import json
import os
import socket
import threading
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Callable, Iterator

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from OpenSSL import SSL, crypto

import wire


def new_context() -> SSL.Context:
    """TLS 1.3 with a certificate of its own, as an attacker would make one."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "rcmd")])
    now = datetime.utcnow()
    unsigned = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    unsigned = unsigned.serial_number(x509.random_serial_number())
    unsigned = unsigned.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    certificate = unsigned.sign(key, hashes.SHA256())
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_3_VERSION)
    context.use_privatekey(crypto.PKey.from_cryptography_key(key))
    context.use_certificate(crypto.X509.from_cryptography(certificate))
    return context


@functools.cache
def server_context() -> SSL.Context:
    """All that have it show one identity: a client that met one on some port may meet another there later."""
    return new_context()


@contextmanager
def listener(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """Listens on a free port; each connection is handed to `serve` in a thread of its own."""
    listening = socket.create_server(("127.0.0.1", 0))
    threads: list[threading.Thread] = []
    connections: list[socket.socket] = []

    def accept() -> None:
        while True:
            try:
                plain, _ = listening.accept()
            except OSError:
                return
            connections.append(plain)
            threads.append(threading.Thread(target=handle, args=(plain,), daemon=True))
            threads[-1].start()

    def handle(plain: socket.socket) -> None:
        try:
            serve(plain)
        except (OSError, wire.Closed, TimeoutError, SSL.Error):
            pass  # the client has gone, which is what these servers are there for
        finally:
            cut(plain)
            plain.close()

    def cut(plain: socket.socket) -> None:
        try:
            plain.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    acceptor = threading.Thread(target=accept, daemon=True)
    acceptor.start()
    try:
        yield listening.getsockname()[1]
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        acceptor.join(10)
        for plain in connections:
            cut(plain)  # its thread still reads what has arrived, and closes it
        for thread in threads:
            thread.join(10)


def accept_tls(plain: socket.socket, context: SSL.Context) -> wire.Channel:
    wire.set_timeout(plain, wire.SECONDS)
    connection = SSL.Connection(context, plain)
    connection.set_accept_state()
    connection.do_handshake()
    return wire.Channel(connection, plain)


class FakeServer:
    """The server's side of a connection, with the genuine key, for scripts that then misbehave."""

    def __init__(self, key: wire.Key, script: Callable[[FakeServer], None]):
        self.key = key
        self.script = script
        self.context = server_context()
        self.salt = os.urandom(16)
        self.received: list[dict[str, Any]] = []

    def __call__(self, plain: socket.socket) -> None:
        self.channel = accept_tls(plain, self.context)
        self.script(self)

    def receive(self) -> dict[str, Any]:
        header, _ = self.channel.receive()
        self.received.append(header)
        return header

    def send(self, header: dict[str, Any], body: bytes | None = None) -> None:
        self.channel.send(header, body)

    def challenge(self, **fields: Any) -> None:
        """Takes hello and answers with the proof that the key allows."""
        hello, _ = self.channel.receive_raw()
        header = {"type": "challenge", "version": 1, "features": [], "nonce": wire.encode(os.urandom(32)),
                  "salt": wire.encode(self.salt), "boot": "00" * 16, "uptime": 1234, "size": 32} | fields
        self.received.append(json.loads(hello))
        raw = wire.to_json(header)
        self.keys = wire.derive(self.key.secret, base64.b64decode(header["salt"]))
        self.transcript = wire.transcript(hello, raw, self.channel.binding())
        self.channel.send_bytes(wire.frame(raw, wire.server_proof(self.keys, self.transcript)))

    def login(self) -> None:
        """As an honest server does it; checks the client's proof."""
        self.challenge()
        header, proof = self.channel.receive()
        assert header == {"type": "auth", "size": 32}, header
        assert proof == wire.client_proof(self.keys, self.transcript), "the client's proof is wrong"
        self.send({"type": "welcome", "limits": {"jobs": 64, "window": 1 << 20, "windows": 8 << 20}})

    def take_exec(self) -> dict[str, Any]:
        header = self.receive()
        assert header["type"] == "exec", header
        self.job = header["job"]
        return header

    def start_job(self) -> dict[str, Any]:
        """Everything up to `started`."""
        self.login()
        header = self.take_exec()
        self.send({"type": "started", "job": self.job, "pid": 4711, "limits": {"stdin": 65536}})
        return header

    def data(self, body: bytes, offset: int, stream: str = "stdout") -> None:
        self.send({"type": "data", "job": self.job, "stream": stream, "offset": offset}, body)

    def eof(self, offset: int, stream: str = "stdout") -> None:
        self.send({"type": "eof", "job": self.job, "stream": stream, "offset": offset})

    def exit(self, **fields: Any) -> None:
        usage = {"wall_us": 1, "user_us": 1, "system_us": 1, "max_rss_kib": 1}
        header = {"type": "exit", "job": self.job, "reason": "exited", "code": 0, "stdout": 0, "stderr": 0,
                  "stdin": 0,
                  "open": False, "usage": usage, "boot": "00" * 16} | fields
        self.send({name: value for name, value in header.items() if value is not None}, b"")

    def wait_closed(self) -> None:
        """Reads until the client has gone."""
        while True:
            self.receive()


class Middle:
    """A man in the middle: his own certificate towards the client, a connection of his own to the server."""

    def __init__(self, port: int):
        self.port = port
        self.context = server_context()
        self.hello = b""
        self.behind_challenge: list[bytes] = []
        self.answer: dict = {}

    def __call__(self, plain: socket.socket) -> None:
        client = accept_tls(plain, self.context)
        real = wire.Channel(*wire.tls_connect(self.port))
        self.hello, _ = client.receive_raw()
        real.send_bytes(wire.frame(self.hello))
        challenge, proof = real.receive_raw()
        client.send_bytes(wire.frame(challenge, proof))
        auth, body = client.receive_raw()
        self.behind_challenge.append(auth)
        real.send_bytes(wire.frame(auth, body))
        self.answer = json.loads(real.receive_raw()[0])
