"""A second client of the protocol, written from PROTOCOL.md alone, that can also break its rules."""
from __future__ import annotations

import base64
import copy
import hashlib
import hmac
import json
import os
import socket
import struct
from dataclasses import dataclass, field
from typing import Any, Callable

from OpenSSL import SSL

SECONDS = 30  # without a byte from the peer before a test gives up
MIB = 1 << 20

NUMBER, TEXT, FLAG, LIST = int, str, bool, list
EXIT_USAGE = {"wall_us", "user_us", "system_us", "max_rss_kib"}

# The fields of each message of a server; a trailing ? marks those that may be absent.
SERVER_FIELDS: dict[str, dict[str, Any]] = {
    "challenge": {"version": NUMBER, "features": LIST, "nonce": TEXT, "salt": TEXT, "boot": TEXT,
                  "uptime": NUMBER,
                  "size": NUMBER},
    "welcome": {"limits": {"jobs", "window", "windows"}},
    "started": {"job": TEXT, "pid": NUMBER, "limits": {"stdin"}},
    "attached": {"job": TEXT, "state": TEXT, "stdin": NUMBER, "signals": NUMBER, "stdout": NUMBER,
                 "stderr": NUMBER, "durable": FLAG, "limits": {"stdin"}},
    "listed": {"job": TEXT, "state": TEXT, "durable": FLAG, "age": NUMBER, "stdout": NUMBER, "stderr": NUMBER,
               "reason?": TEXT, "code?": NUMBER, "signal?": TEXT, "size": NUMBER},
    "listed_all": {"count": NUMBER},
    "killed": {"job": TEXT},
    "data": {"job": TEXT, "stream": TEXT, "offset": NUMBER, "size": NUMBER},
    "eof": {"job": TEXT, "stream": TEXT, "offset": NUMBER},
    "ack": {"job": TEXT, "stream": TEXT, "offset": NUMBER, "limit": NUMBER},
    "stop": {"job": TEXT, "stream": TEXT},
    "pong": {"boot": TEXT, "uptime": NUMBER},
    "exit": {"job": TEXT, "reason": TEXT, "code?": NUMBER, "signal?": TEXT, "stdout": NUMBER,
             "stderr": NUMBER,
             "stdin": NUMBER, "open": FLAG, "usage": EXIT_USAGE, "boot": TEXT, "size": NUMBER},
    "error": {"job?": TEXT, "code": TEXT, "message": TEXT, "retry_after?": NUMBER},
}


class Closed(Exception):
    """The peer ended the connection."""


@dataclass(frozen=True)
class Key:
    """A client's secret and the name that it is authorized under."""

    key_id: str
    secret: bytes

    def file_text(self) -> str:
        return f"rcmd-key 1 {self.key_id} {encode(self.secret)}\n"

    def authorized_line(self, salt: bytes) -> str:
        keys = derive(self.secret, salt)
        return f"{self.key_id} hmac-sha256 {encode(salt)} {encode(keys.stored)} {encode(keys.server)}"


@dataclass(frozen=True)
class Derived:
    client: bytes
    stored: bytes
    server: bytes


def encode(data: bytes) -> str:
    return base64.b64encode(data).decode()


def mac(key: bytes, text: bytes) -> bytes:
    return hmac.new(key, text, hashlib.sha256).digest()


def derive(secret: bytes, salt: bytes) -> Derived:
    client = mac(secret, b"rcmd client key v1" + salt)
    return Derived(client, hashlib.sha256(client).digest(), mac(secret, b"rcmd server key v1" + salt))


def transcript(hello: bytes, challenge: bytes, binding: bytes) -> bytes:
    return b"".join(struct.pack(">I", len(part)) + part for part in (b"rcmd 1", hello, challenge, binding))


def server_proof(keys: Derived, text: bytes) -> bytes:
    return mac(keys.server, b"server" + text)


def client_proof(keys: Derived, text: bytes) -> bytes:
    mask = mac(keys.stored, b"client" + text)
    return bytes(a ^ b for a, b in zip(keys.client, mask))


def to_json(header: dict[str, Any]) -> bytes:
    return json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()


def frame(header: bytes | dict[str, Any], body: bytes = b"") -> bytes:
    text = to_json(header) if isinstance(header, dict) else header
    return struct.pack(">I", len(text)) + text + body


def check_server_message(header: dict[str, Any]) -> None:
    """A server's message has exactly the fields of the specification."""
    fields = SERVER_FIELDS.get(header.get("type", ""))
    assert fields is not None, f"not a message of a server: {header}"
    optional = {name[:-1] for name in fields if name.endswith("?")}
    names = {name.rstrip("?") for name in fields}
    assert names - optional <= set(header) - {"type"} <= names, f"wrong fields: {header}"
    for name, kind in fields.items():
        value = header.get(name.rstrip("?"))
        if value is None:
            assert name.rstrip("?") not in header, f"null for {name}: {header}"
        elif isinstance(kind, set):
            assert set(value) == kind and all(type(number) is int for number in value.values()), header
        else:
            assert type(value) is kind, f"wrong type of {name}: {header}"


class Channel:
    """Frames over one TLS connection whose handshake is done."""

    def __init__(self, connection: SSL.Connection, plain: socket.socket):
        self.connection = connection
        self.plain = plain
        self._buffer = bytearray()

    def binding(self) -> bytes:
        return self.connection.export_keying_material(b"EXPORTER-Channel-Binding", 32, b"")

    def send_bytes(self, data: bytes) -> None:
        try:
            self.connection.sendall(data)
        except SSL.WantWriteError:
            raise TimeoutError("the peer takes no more bytes") from None
        except SSL.Error as error:
            raise Closed(str(error)) from None

    def send(self, header: dict[str, Any], body: bytes | None = None) -> None:
        if body is not None:
            header = header | {"size": len(body)}
        self.send_bytes(frame(header, body or b""))

    def _take(self, size: int) -> bytes:
        while len(self._buffer) < size:
            try:
                self._buffer += self.connection.recv(65536)
            except SSL.WantReadError:
                raise TimeoutError("silence") from None
            except SSL.Error as error:
                raise Closed(type(error).__name__) from None
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    def receive_raw(self) -> tuple[bytes, bytes]:
        """The header of the next frame as it was sent, and the body."""
        header = self._take(struct.unpack(">I", self._take(4))[0])
        return header, self._take(json.loads(header).get("size", 0))

    def receive(self) -> tuple[dict[str, Any], bytes]:
        header, body = self.receive_raw()
        return json.loads(header), body

    def silent(self, seconds: float) -> bool:
        """Whether nothing arrives for so long; what does arrive is kept."""
        if self._buffer:
            return False
        set_timeout(self.plain, seconds)
        try:
            self._buffer += self.connection.recv(65536)
            return False
        except SSL.WantReadError:
            return True
        finally:
            set_timeout(self.plain, SECONDS)

    def close(self) -> None:
        try:
            self.connection.shutdown()
        except SSL.Error:
            pass
        self.plain.close()

    def drop(self) -> None:
        """Goes away without a word, as after a crash."""
        self.plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.plain.close()

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


def set_timeout(plain: socket.socket, seconds: float) -> None:
    """A time-out in the kernel: the descriptor stays a blocking one, as pyOpenSSL likes it."""
    value = struct.pack("ll", int(seconds), int(seconds % 1 * 1_000_000))
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, value)
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, value)


def connect(port: int, source: str = "") -> socket.socket:
    plain = socket.create_connection(("127.0.0.1", port), timeout=SECONDS, source_address=(source, 0) if source else None)
    plain.settimeout(None)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    set_timeout(plain, SECONDS)
    return plain


def tls_connect(port: int, newest: int = SSL.TLS1_3_VERSION, source: str = "") -> tuple[SSL.Connection, socket.socket]:
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_verify(SSL.VERIFY_NONE)
    context.set_max_proto_version(newest)
    plain = connect(port, source)
    connection = SSL.Connection(context, plain)
    connection.set_connect_state()
    try:
        connection.do_handshake()
    except SSL.Error as error:
        plain.close()
        raise Closed(str(error)) from None
    return connection, plain


@dataclass
class Job:
    """What the client knows of a job."""

    id: str
    started: dict[str, Any] | None = None
    attached: dict[str, Any] | None = None
    exit: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    received: dict[str, bytearray] = field(default_factory=lambda: {"stdout": bytearray(),
                                                                    "stderr": bytearray()})
    first: dict[str, int] = field(default_factory=lambda: {"stdout": 0, "stderr": 0})  # offsets
    limits: dict[str, int] = field(default_factory=dict)
    ended: dict[str, int] = field(default_factory=dict)
    stopped: bool = False  # the server wants no more stdin
    stopping: set[str] = field(default_factory=set)  # we want no more of these
    acknowledged: int = 0  # of stdin
    stdin_limit: int = 0
    sent: int = 0

    @property
    def out(self) -> bytes:
        return bytes(self.received["stdout"])

    @property
    def err(self) -> bytes:
        return bytes(self.received["stderr"])

    @property
    def over(self) -> bool:
        return self.exit is not None or self.error is not None

    def position(self, stream: str) -> int:
        """The offset that the next byte has."""
        return self.first[stream] + len(self.received[stream])

    def begin_again(self) -> Job:
        """What a new connection knows of the job: the bytes that were received, but no message."""
        return Job(self.id, self.started, received=copy.deepcopy(self.received), first=dict(self.first),
                   limits=dict(self.limits), stopping=set(self.stopping))


class Wire(Channel):
    """The client's side of a connection; checks everything that the server sends."""

    def __init__(self, port: int, key: Key, acks: bool = True, source: str = ""):
        super().__init__(*tls_connect(port, source=source))
        self.key = key
        self.acks = acks
        self.jobs: dict[str, Job] = {}
        self.challenge: dict[str, Any] = {}
        self.welcome: dict[str, Any] = {}
        self.pongs = 0
        self.failure: dict[str, Any] | None = None

    # Authentication

    def hello_header(self, **fields: Any) -> dict[str, Any]:
        header = {"type": "hello", "versions": [1], "features": ["after"], "key_id": self.key.key_id, "user": "",
                  "nonce": encode(os.urandom(32))}
        return header | fields

    def greet(self, hello: bytes | None = None, **fields: Any) -> str:
        """Sends hello and takes the challenge; what is left to do is to answer it."""
        self.hello = hello or to_json(self.hello_header(**fields))
        self.send_bytes(frame(self.hello))
        self.raw_challenge, self.their_proof = self.receive_raw()
        self.challenge = json.loads(self.raw_challenge)
        if self.challenge["type"] == "challenge":
            check_server_message(self.challenge)
            self.keys = derive(self.key.secret, base64.b64decode(self.challenge["salt"], validate=True))
            self.transcript = transcript(self.hello, self.raw_challenge, self.binding())
        return self.challenge["type"]

    def proof(self) -> bytes:
        return client_proof(self.keys, self.transcript)

    def login(self, **fields: Any) -> Wire:
        assert self.greet(**fields) == "challenge", self.challenge
        assert hmac.compare_digest(self.their_proof,
                                   server_proof(self.keys, self.transcript)), "not the server"
        self.send({"type": "auth"}, self.proof())
        self.welcome, _ = self.receive()
        assert self.welcome["type"] == "welcome", self.welcome
        check_server_message(self.welcome)
        return self

    # Jobs

    def exec_header(self, job: str, **fields: Any) -> dict[str, Any]:
        header = {"type": "exec", "job": job, "boot": self.challenge["boot"],
                  "uptime": self.challenge["uptime"],
                  "client": os.urandom(16).hex(), "generation": 1, "mode": "shell", "words": 1,
                  "stdin": False,
                  "combine": False, "state": False, "keep": 60, "wait_eof": False, "durable": False,
                  "detach": False, "limits": {"stdout": 65536, "stderr": 65536}}
        return header | fields

    def execute(self, command: str | list[str], *, job: str | None = None, directory: str = "",
                environment: dict[str, str] | None = None, **fields: Any) -> Job:
        """Asks for a job; a list is run as it stands, a string by the shell."""
        words = [command] if isinstance(command, str) else command
        if not isinstance(command, str):
            fields = {"mode": "argv", "words": len(words)} | fields
        pairs = [f"{name}={value}" for name, value in (environment or {}).items()]
        body = b"".join(text.encode("utf-8", "surrogateescape") + b"\0" for text in [*words, directory,
                                                                                     *pairs])
        known = Job(job or os.urandom(16).hex())
        header = self.exec_header(known.id, **fields)
        known.limits = dict(header["limits"])
        self.jobs[known.id] = known
        self.send(header, body)
        return known

    def begin(self, command: str | list[str], **fields: Any) -> Job:
        """Asks for a job and waits until it has started."""
        job = self.execute(command, **fields)
        self.until(lambda: job.started or job.over)
        assert job.started, job.error
        return job

    def attach(self, job: Job, client: str, generation: int, **fields: Any) -> Job:
        """Asks for a job that another connection started."""
        known = self.jobs[job.id] = job.begin_again()
        if len(known.limits) == 2:
            fields = {"limits": known.limits} | fields
        self.send({"type": "attach", "job": job.id, "client": client, "generation": generation,
                   "tail": False} | fields)
        return known

    def finish(self, job: Job) -> Job:
        """Takes messages until the job is over."""
        self.until(lambda: job.over)
        return job

    def write(self, job: Job, data: bytes) -> None:
        """Sends data for stdin, whether or not the window has room."""
        header = {"type": "data", "job": job.id, "stream": "stdin", "offset": job.sent}
        job.sent += len(data)
        self.send(header, data)

    def end_stdin(self, job: Job) -> None:
        self.send({"type": "eof", "job": job.id, "stream": "stdin", "offset": job.sent})

    def grant(self, job: Job, stream: str, limit: int) -> None:
        """Acknowledges all that was received and lets the server go on up to the limit."""
        job.limits[stream] = limit
        self.send({"type": "ack", "job": job.id, "stream": stream, "offset": job.position(stream),
                   "limit": limit})

    def signal(self, job: Job, number: int, name: str) -> None:
        self.send({"type": "signal", "job": job.id, "number": number, "name": name})

    def release(self, job: Job) -> None:
        self.send({"type": "release", "job": job.id})

    def ping(self) -> None:
        """Waits until the server has taken everything that was sent before."""
        before = self.pongs
        self.send({"type": "ping"})
        self.until(lambda: self.pongs > before)

    def until(self, condition: Callable[[], Any]) -> None:
        while not condition():
            self.pump()

    def pump(self) -> dict[str, Any]:
        """Takes one message, checks it against the rules and notes it."""
        header, body = self.receive()
        check_server_message(header)
        kind = header["type"]
        if kind == "pong":
            self.pongs += 1
        elif "job" not in header:
            self.failure = header
            raise Closed(f"error {header}")
        else:
            assert header["job"] in self.jobs, f"a job that was never asked for: {header}"
            getattr(self, f"_take_{kind}")(self.jobs[header["job"]], header, body)
        return header

    def _take_started(self, job: Job, header: dict[str, Any], _: bytes) -> None:
        assert job.started is None and not job.over
        job.started = header
        job.stdin_limit = header["limits"]["stdin"]

    def _take_attached(self, job: Job, header: dict[str, Any], _: bytes) -> None:
        assert job.attached is None and not job.over and header["state"] in ("running", "finished"), header
        job.started = job.started or header
        job.attached = header
        job.stdin_limit = header["limits"]["stdin"]
        job.sent = header["stdin"]
        for stream in ("stdout", "stderr"):
            self._go_on(job, stream, header[stream])

    def _go_on(self, job: Job, stream: str, offset: int) -> None:
        """What was received from there on comes again. Who knows nothing of the job begins there."""
        if stream not in job.limits:
            job.first[stream], job.limits[stream] = offset, offset + MIB
        assert job.first[stream] <= offset <= job.position(stream), f"a gap in {stream}: {offset}"
        del job.received[stream][offset - job.first[stream]:]

    def _take_error(self, job: Job, header: dict[str, Any], _: bytes) -> None:
        assert job.exit is None
        job.error = header

    def _take_data(self, job: Job, header: dict[str, Any], body: bytes) -> None:
        stream = header["stream"]
        assert job.started and not job.over, f"data of a job that does not run: {header}"
        assert stream not in job.ended, f"data after eof: {header}"
        assert header["offset"] == job.position(stream), f"not what follows: {header}"
        assert 1 <= len(body) <= 65536
        job.received[stream] += body
        assert job.position(stream) <= job.limits[stream], f"beyond the window: {header}"
        if self.acks and stream not in job.stopping:
            self.grant(job, stream, max(job.limits[stream], job.position(stream) + 65536))

    def _take_eof(self, job: Job, header: dict[str, Any], _: bytes) -> None:
        assert header["stream"] not in job.ended, f"a second eof: {header}"
        assert header["offset"] == job.position(header["stream"]), header
        job.ended[header["stream"]] = header["offset"]

    def _take_ack(self, job: Job, header: dict[str, Any], _: bytes) -> None:
        assert header["stream"] == "stdin", header
        assert job.acknowledged <= header["offset"] <= job.sent, f"not sent yet: {header}"
        assert header["limit"] >= job.stdin_limit, f"a lowered limit: {header}"
        assert header["offset"] <= header["limit"] <= header["offset"] + MIB, header
        job.acknowledged, job.stdin_limit = header["offset"], header["limit"]

    def _take_stop(self, job: Job, header: dict[str, Any], _: bytes) -> None:
        assert header["stream"] == "stdin", header
        job.stopped = True

    def _take_exit(self, job: Job, header: dict[str, Any], _: bytes) -> None:
        assert job.started and not job.over
        assert ("code" in header) != ("signal" in header), f"a code or a signal: {header}"
        assert header["boot"] == self.challenge["boot"]
        for stream in ("stdout", "stderr"):
            if stream not in job.stopping:
                assert header[stream] == job.position(stream), f"exit before the last byte: {header}"
        job.exit = header

    # Breaking rules

    def answer_to(self, data: bytes) -> dict[str, Any]:
        """Sends bytes that break a rule; returns the error without job that the server ends with."""
        try:
            self.send_bytes(data)
        except Closed:
            pass
        return self.last_words()

    def last_words(self) -> dict[str, Any]:
        """The one error message that ends the connection, behind which nothing follows."""
        while True:
            header, _ = self.receive()
            check_server_message(header)
            if header["type"] == "error" and "job" not in header:
                break
        try:
            extra = self.receive()
        except Closed:
            return header
        raise AssertionError(f"a message behind the last one: {extra}")
