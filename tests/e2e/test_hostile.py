"""A hostile world: what others have been attacked by or have broken on, where no other file has it."""
from __future__ import annotations

import hashlib
import json
import os
import re
import resource
import signal
import socket
import struct
import subprocess
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

import wire
from OpenSSL import SSL
from callers import digest, random_file
from copying import complains, copy, parts
from cutter import at_random, cutter
from durable import attach, detach, gate, listed, nothing_is_left, wait_until  # noqa: F401
from fakes import listener
from harness import (MAY_HAVE_RUN, MEASURE_MEMORY, NEVER_STARTED, Place, Server, children, mark, marked, memory_kib,
                     process, run, run_rcmd, scaled, wait_for)

MIB = 1 << 20
SMALL = {"stdout": 65536, "stderr": 16384}
MakeServer = Callable[..., Server]


# Records of TLS that somebody on the way drops, doubles, changes or delays


def read_exactly(source: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = source.recv(size - len(data))
        if not piece:
            raise OSError("end of file")
        data += piece
    return data


def records(source: socket.socket) -> Iterator[bytes]:
    """The records of TLS that arrive there, whole."""
    while True:
        head = read_exactly(source, 5)
        yield head + read_exactly(source, struct.unpack(">H", head[3:])[0])


Mangle = Callable[[bytes], list[bytes]]
APPLICATION_DATA = 23


def dropped(_: bytes) -> list[bytes]:
    return []


def doubled(record: bytes) -> list[bytes]:
    return [record, record]


def changed(record: bytes) -> list[bytes]:
    return [record[:-1] + bytes([record[-1] ^ 1])]


def behind_rubbish(record: bytes) -> list[bytes]:
    return [bytes([APPLICATION_DATA]) + b"\x03\x03\x00\x20" + os.urandom(32), record]


class Meddler:
    """Between a client and a server: does that to one record of the first connection, and lets all others alone. `who`:
    whose; `which`: its number among those that are encrypted. The client's first is the last of its handshake."""

    def __init__(self, server: Server, who: str, which: int, mangle: Mangle):
        self._server_port = server.port
        self._who, self._which, self._mangle = who, which, mangle
        self.connections = 0
        self.meddled = 0

    def __call__(self, client: socket.socket) -> None:
        self.connections += 1
        with socket.create_connection(("127.0.0.1", self._server_port)) as server:
            ways = [("client", client, server), ("server", server, client)]
            first = self.connections == 1
            threads = [threading.Thread(target=self._carry, args=(*way, first), daemon=True) for way in ways]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

    def _carry(self, who: str, source: socket.socket, target: socket.socket, first: bool) -> None:
        encrypted = 0
        try:
            for record in records(source):
                encrypted += record[0] == APPLICATION_DATA
                chosen = first and who == self._who and record[0] == APPLICATION_DATA and encrypted == self._which
                self.meddled += chosen
                for each in self._mangle(record) if chosen else [record]:
                    target.sendall(each)
        except OSError:
            pass
        finally:
            for end in (source, target):
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that does not wait long for what somebody on the way has taken."""
    running = Server(Place(tmp_path_factory.mktemp("impatient")), "--login-grace", "1")
    yield running
    running.stop()


@pytest.mark.parametrize("mangle", [dropped, doubled, changed, behind_rubbish], ids=lambda each: each.__name__)
@pytest.mark.parametrize("who, which", [("client", 1), ("client", 2), ("client", 3), ("server", 1), ("server", 2), ("server", 3)],
                         ids=["finished", "hello", "auth", "handshake", "handshake-or-challenge", "challenge-or-welcome"])
def test_a_record_that_somebody_on_the_way_meddles_with_runs_nothing_twice_and_nothing_wrong(
        impatient: Server, tmp_path: Path, who: str, which: int, mangle: Mangle) -> None:
    ran = tmp_path / "ran"
    meddler = Meddler(impatient, who, which, mangle)
    with listener(meddler) as port:
        result = run_rcmd(impatient.place, "-q", f"127.0.0.1:{port}", f"echo x >> {ran}; seq 1000; exit 3")
    count = len(ran.read_text().splitlines()) if ran.exists() else 0
    assert meddler.meddled == 1
    if result.code == 3:
        assert count == 1 and result.out == "".join(f"{n}\n" for n in range(1, 1001)).encode() and not result.err
    else:
        result.failed_by_itself()
        assert NEVER_STARTED.search(result.message) and count == 0 and not result.out, (result, count)
    assert impatient.serves()


# Early data and resumption of TLS


@pytest.fixture
def ticket(tmp_path: Path) -> Path:
    """The session of a server that lets its clients send data before the handshake ends."""
    key, certificate, session = (tmp_path / name for name in ("key", "certificate", "session"))
    assert run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout",
               str(key), "-out", str(certificate), "-subj", "/CN=x", "-days", "2").code == 0
    giver = ["openssl", "s_server", "-accept", "127.0.0.1:0", "-tls1_3", "-key", str(key), "-cert", str(certificate),
             "-early_data", "-max_early_data", "16384"]
    with process(*giver, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as server:
        while not (accepting := re.match(rb"ACCEPT (\S+)", server.stdout.readline())):
            pass
        taker = ["openssl", "s_client", "-connect", accepting[1].decode(), "-tls1_3", "-sess_out", str(session)]
        with process(*taker, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
            wait_for(lambda: session.exists() and b"END SSL SESSION" in session.read_bytes(), "a ticket")
    return session


def s_client(server: Server, *options: str) -> str:
    result = run("openssl", "s_client", "-connect", server.host, "-tls1_3", *options, input=b"")
    return result.out.decode("utf-8", "replace")


def test_early_data_is_refused(server: Server, ticket: Path, tmp_path: Path) -> None:
    early = tmp_path / "early"
    early.write_bytes(wire.frame({"type": "hello", "versions": [1], "features": [], "key_id": server.place.key.key_id,
                                  "user": "", "nonce": wire.encode(os.urandom(32))}))
    said = s_client(server, "-sess_in", str(ticket), "-early_data", str(early))
    assert "Early data was rejected" in said and "New, TLSv1.3" in said and "Reused" not in said, said
    assert server.serves()


def test_no_session_can_be_resumed(server: Server, tmp_path: Path) -> None:
    """There are no tickets: neither after the handshake nor behind the first answer."""
    session = tmp_path / "session"
    said = s_client(server, "-sess_out", str(session))
    assert "New, TLSv1.3" in said and not session.exists(), said
    with server.login() as client:
        client.ping()
        assert client.connection.get_session() is None or not has_ticket(client)


def has_ticket(client: wire.Wire) -> bool:
    """Whether a further connection with its session is a resumed one."""
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    with wire.connect(client.plain.getpeername()[1]) as plain:
        again = SSL.Connection(context, plain)
        again.set_session(client.connection.get_session())
        again.set_connect_state()
        again.do_handshake()
        return SSL._lib.SSL_session_reused(again._ssl) == 1


# Who may know which keys there are


MALFORMED = {"short-proof": wire.frame({"type": "auth", "size": 31}, b"x" * 31), "no-proof": wire.frame({"type": "auth"}),
             "long-proof": wire.frame({"type": "auth", "size": 33}, b"x" * 33), "request": wire.frame({"type": "ping"}),
             "no-json": wire.frame(b"{"), "length-0": b"\0\0\0\0", "huge": b"\xff\xff\xff\xff",
             "hello-again": wire.frame({"type": "hello"})}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_answer_gets_the_same_reply_whether_or_not_the_key_is_known(server: Server, name: str) -> None:
    replies = []
    for key_id in (server.place.key.key_id, "tester@gone"):
        with wire.Wire(server.port, wire.Key(key_id, os.urandom(32))) as client:
            assert client.greet() == "challenge"
            client.send_bytes(MALFORMED[name])
            raw, body = client.receive_raw()
            with pytest.raises(wire.Closed) as closed:
                client.receive()
            replies.append((len(client.raw_challenge) - len(str(client.challenge["uptime"])), raw, body, str(closed.value)))
    assert replies[0] == replies[1]
    assert json.loads(replies[0][1])["type"] == "error"


def test_a_length_and_then_silence_is_closed_in_time(make_server: MakeServer) -> None:
    server = make_server("--login-grace", "1")
    with wire.Wire(server.port, server.place.key) as client:
        client.send_bytes(struct.pack(">I", 4000))
        assert client.last_words()["code"] == "login_timeout"


# Text of others on a terminal


def test_c1_controls_of_a_command_do_not_reach_the_terminal(server: Server) -> None:
    detach(server, ": \u009b2J \u0085 \u2028 \x9d0;owned; true")
    shown = run_rcmd(server.place, "jobs", server.host).out.decode()
    assert "owned" in shown and not re.search("[\u0080-\u009f\u2028]", shown), repr(shown)


def test_a_name_from_the_command_line_is_shown_without_its_escapes(server: Server) -> None:
    hostile = "\x1b]0;owned\x07\u009b2J"
    for words in (["--cwd", f"/{hostile}", server.host, "true"], [f"{hostile}@{server.host}", "true"],
                  ["--argv", server.host, hostile]):
        result = run_rcmd(server.place, *words)
        assert result.code in (127, 255) and "owned" in result.message, (words, result)
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", result.message), (words, result.message)


# Variables that would say who one is


@pytest.mark.parametrize("name", ["RCMD_KEY", "RCMD_JOB", "RCMD_CLIENT", "RCMD_ORIGINAL_COMMAND", "RCMD_ANYTHING", "RCMD_"])
@pytest.mark.parametrize("fields", [{}, {"umask": 0o22}, {"mode": "argv"}, {"durable": True}], ids=str)
def test_variables_of_the_server_cannot_be_set_in_any_kind_of_request(server: Server, tmp_path: Path, name: str,
                                                                      fields: dict[str, Any]) -> None:
    trace = tmp_path / "trace"
    command: Any = ["touch", str(trace)] if "mode" in fields else f"touch {trace}"
    with server.login() as client:
        job = client.finish(client.execute(command, environment={name: "root"}, **fields))
        assert job.error and job.error["code"] == "forbidden", (job.exit, job.error)
    assert not trace.exists()


# Networks


class OneWay:
    """A network that, after so many bytes of the first connection, carries one direction only, and says nothing of it."""

    def __init__(self, server: Server, deaf: str, after: int):
        self._server_port = server.port
        self._deaf, self._left = deaf, after
        self._lock = threading.Lock()
        self.connections = 0
        self.swallowed = 0

    def __call__(self, client: socket.socket) -> None:
        self.connections += 1
        with socket.create_connection(("127.0.0.1", self._server_port)) as server:
            first = self.connections == 1
            ways = [("server", client, server), ("client", server, client)]
            threads = [threading.Thread(target=self._carry, args=(*way, first), daemon=True) for way in ways]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

    def _carry(self, hearer: str, source: socket.socket, target: socket.socket, first: bool) -> None:
        try:
            while piece := source.recv(16384):
                if first and self._is_swallowed(hearer, len(piece)):
                    continue
                target.sendall(piece)
        except OSError:
            pass
        if not first:  # of the broken one nobody learns that it has ended
            target.close()

    def _is_swallowed(self, hearer: str, size: int) -> bool:
        with self._lock:
            self._left -= size
            deaf = self._left < 0 and hearer == self._deaf
            self.swallowed += size if deaf else 0
            return deaf


@pytest.mark.parametrize("deaf", ["client", "server"])
def test_a_connection_that_carries_one_direction_only_is_given_up_and_made_anew(server: Server, tmp_path: Path,
                                                                               deaf: str) -> None:
    ran = tmp_path / "ran"
    network = OneWay(server, deaf, 300_000)
    command = f"echo x >> {ran}; seq 500000; echo end >&2; exit 3"
    with listener(network) as port:
        result = run_rcmd(server.place, f"127.0.0.1:{port}", command, timeout=120)
    assert result.code == 3, result.message
    assert result.out == "".join(f"{n}\n" for n in range(1, 500_001)).encode()
    assert network.swallowed > 0 and network.connections >= 2
    assert "the connection was lost" in result.message and "connected again after" in result.message
    assert ran.read_text() == "x\n"


RESETS = scaled(200, least=20)


@pytest.fixture(scope="module")
def blob(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_file(tmp_path_factory.mktemp("blob") / "blob", scaled(100) * MIB)


@pytest.mark.parametrize("way", ["down", "up"])
def test_resets_at_random_bytes_lose_nothing_and_start_nothing_again(server: Server, blob: Path, tmp_path: Path,
                                                                     way: str) -> None:
    ran = tmp_path / "ran"
    size = blob.stat().st_size
    command = f"echo x >> {ran}; " + ("sha256sum" if way == "up" else f"cat {blob}")
    cuts = at_random(len(way), RESETS, size // (2 * RESETS), size * 20 // (21 * RESETS))
    with cutter(server, cuts, how="reset") as network, blob.open("rb") as source:
        stdin = source if way == "up" else subprocess.DEVNULL
        result = run_rcmd(server.place, "-q", network.host, command, stdin=stdin, timeout=300)
        assert (result.code, result.err) == (0, b"")
        got = result.out.decode().split()[0] if way == "up" else hashlib.sha256(result.out).hexdigest()
        assert got == digest(blob)
        assert network.cut == RESETS
    assert ran.read_text() == "x\n"


# Many


def ended_jobs(server: Server) -> int:
    return server.log().count(" info job job=")


def test_ten_thousand_commands_of_one_session_64_at_a_time(make_server: MakeServer) -> None:
    server = make_server()
    count, warm = scaled(10_000), scaled(2000)
    with server.start_rcmd(options=["--batch", "--jobs", "64"], stdin=subprocess.PIPE) as client:
        feed(client, warm)
        wait_for(lambda: ended_jobs(server) == warm and not children(server.pid), "the first commands to end")
        before = memory_kib(server.pid)
        feed(client, count - warm)
        wait_for(lambda: ended_jobs(server) == count and not children(server.pid), "the others to end, and to be reaped")
        grown = memory_kib(server.pid) - before
        client.stdin.close()
        assert client.wait(60) == 0
    if MEASURE_MEMORY:  # the ids of ended jobs are remembered, of a million at most: some 200 bytes each
        assert grown < 6 * 1024, f"{grown} KiB more after {count} commands"


def feed(client: subprocess.Popen, count: int) -> None:
    client.stdin.write(b"true\n" * count)
    client.stdin.flush()


def test_64_sessions_of_many_commands_at_a_time(make_server: MakeServer) -> None:
    server = make_server()
    count = scaled(5000, least=128) // 64
    for lives in ("warm", "measured"):
        with ExitStack() as stack:
            clients = [stack.enter_context(server.start_rcmd(options=["--batch", "--jobs", "4"], stdin=subprocess.PIPE))
                       for _ in range(64)]
            for client in clients:
                feed(client, count)
                client.stdin.close()
            assert [client.wait(300) for client in clients] == [0] * 64
        wait_for(lambda: not children(server.pid), "every child to be reaped")
        if lives == "warm":
            before = memory_kib(server.pid)
    if MEASURE_MEMORY:
        grown = memory_kib(server.pid) - before
        assert grown < 6 * 1024, f"{grown} KiB more after {64 * count} commands"


# Processes that hide


def test_process_groups_of_a_commands_own_end_with_it_and_what_has_left_its_session_does_not(server: Server,
                                                                                            tmp_path: Path) -> None:
    """The rule: a job is what is in its session."""
    name, escaped = mark(), tmp_path / "escaped"
    command = f"set -m; sleep 1000 & (sleep 1000 &); setsid sh -c 'echo $$ > {escaped}; exec sleep 1000' & wait"
    with server.start_rcmd("bash", "-c", command, options=["--argv", "--keep", "0", "-e", f"{name}=1"]) as client:
        wait_for(lambda: escaped.exists() and escaped.read_text() and len(marked(name)) == 4, "all to run")
        client.kill()
    pid = int(escaped.read_text())
    try:
        wait_for(lambda: marked(name) == [pid], "all but one to be gone")
    finally:
        os.kill(pid, signal.SIGKILL)
    assert server.serves()


# Those who do not read


def test_who_reads_nothing_costs_little_and_holds_up_nobody(make_server: MakeServer) -> None:
    """Sessions that ask for a flood and never read, while another one streams and a third asks for little."""
    server = make_server()
    assert server.serves()
    before = memory_kib(server.pid, "VmHWM")
    deaf = 8
    with ExitStack() as stack:
        for _ in range(deaf):
            client = stack.enter_context(server.login(acks=False))
            for _ in range(4):
                client.execute("exec yes", limits={"stdout": MIB, "stderr": MIB})
        size = scaled(256) * MIB
        with server.start_rcmd(f"head -c {size} /dev/zero", stdout=subprocess.PIPE) as stream:
            taken = 0
            for _ in range(20):
                taken += len(stream.stdout.read(size // 40))
                assert server.rcmd("true").code == 0
            taken += len(stream.stdout.read())
            assert (stream.wait(60), taken) == (0, size)
        if MEASURE_MEMORY:
            grown = memory_kib(server.pid, "VmHWM") - before
            # 8 MiB of windows for each that does not read, and what any session costs.
            assert grown < deaf * 9 * 1024 + 16 * 1024, f"{grown} KiB for {deaf} sessions that do not read"


def test_a_job_of_a_client_that_reads_nothing_can_be_killed(server: Server) -> None:
    """By a message behind a full connection, and by another connection."""
    names = [mark(), mark()]
    with server.login(acks=False) as deaf:
        for name in names:
            deaf.begin("exec yes", limits={"stdout": MIB, "stderr": 16384}, environment={name: "1"})
        first, second = deaf.jobs.values()
        deaf.signal(first, 1, "KILL")
        wait_for(lambda: not marked(names[0]), "the first to be gone")
        killed = run_rcmd(server.place, "kill", "-s", "KILL", server.host, second.id)
        assert killed.code == 0, killed
        wait_for(lambda: not marked(names[1]), "the second to be gone")


# Limits of the system


def small_files() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))


def test_a_log_that_may_not_grow_does_not_end_the_daemon(make_server: MakeServer) -> None:
    """SIGXFSZ would."""
    server = make_server("--log-level", "debug", preexec=small_files)
    result = server.rcmd(options=["--batch", "--jobs", "8"], input=b"true\n" * 500, timeout=300)
    assert result.code == 0, result.message
    assert server.log_path.stat().st_size == 65536
    assert server.serves()


def test_a_command_has_the_limit_of_the_size_of_files_too(make_server: MakeServer, tmp_path: Path) -> None:
    """And is ended by its signal, as anywhere."""
    server = make_server(preexec=small_files)
    result = server.rcmd(f"exec head -c {MIB} /dev/zero > {tmp_path / 'file'}")
    assert result.code == 128 + signal.SIGXFSZ, result


def test_what_runs_a_durable_job_over_the_limit_of_the_size_of_files_is_not_taken_for_a_success(make_server: MakeServer, tmp_path: Path) -> None:
    """What cannot be kept is lost; that is said, and the daemon goes on."""
    server = make_server(preexec=small_files)
    go = tmp_path / "go"  # or the job might be lost before its client has heard that it runs
    job = detach(server, f"{gate(go)}; head -c {MIB} /dev/zero; exit 0")
    go.touch()
    wait_until(server, job, "unknown")
    result = attach(server, job)
    assert result.code == 255 and MAY_HAVE_RUN.search(result.message) and result.out == bytes(len(result.out)), result
    assert server.serves()


def test_a_file_over_the_limit_is_told_and_others_are_copied(make_server: MakeServer, tmp_path: Path) -> None:
    server = make_server(preexec=small_files)
    sources, target = tmp_path / "sources", tmp_path / "target"
    sources.mkdir()
    (sources / "a large one").write_bytes(bytes(range(256)) * 1024)
    (sources / "small").write_bytes(b"small")
    result = copy(server, "up", sources, target, "-r")
    complains(result, "a large one")
    assert (target / "small").read_bytes() == b"small" and not (target / "a large one").exists() and not parts(target)
