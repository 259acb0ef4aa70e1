"""A job outlives its connection: nothing is lost, nothing repeated, nothing run twice."""
from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

import pytest

from cutter import Cutter, at_random
from harness import RCMD, SCALE, Server, base_environment, mark, marked, process, run_rcmd, scaled, wait_for

MIB = 1 << 20


@contextmanager
def cutter(server: Server, cuts: Iterator[int]) -> Iterator[Cutter]:
    proxy = Cutter(server.port, cuts)
    try:
        yield proxy
    finally:
        proxy.close()


@pytest.fixture(scope="module")
def blob(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("blob") / "blob"
    path.write_bytes(os.urandom(scaled(64) * MIB))
    return path


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def starts(server: Server) -> int:
    return server.log().count(" info job job=")


def test_a_download_goes_on_at_the_byte(server: Server, blob: Path) -> None:
    size = blob.stat().st_size
    with cutter(server, at_random(1, 20, size // 60, size // 25)) as proxy:
        result = run_rcmd(server.place, "-q", proxy.host, f"cat {blob}")
        assert (result.code, result.err) == (0, b"")
        assert hashlib.sha256(result.out).hexdigest() == digest(blob)
        assert proxy.cut == 20


def test_an_upload_goes_on_at_the_byte(server: Server, blob: Path) -> None:
    size = blob.stat().st_size
    with cutter(server, at_random(2, 20, size // 60, size // 25)) as proxy, blob.open("rb") as source:
        result = run_rcmd(server.place, "-q", proxy.host, "sha256sum", stdin=source)
        assert (result.code, result.err) == (0, b"")
        assert result.out.decode().split()[0] == digest(blob)
        assert proxy.cut == 20


def test_both_directions_at_once(server: Server, blob: Path) -> None:
    size = blob.stat().st_size
    with cutter(server, at_random(3, 20, size // 40, size // 20)) as proxy, blob.open("rb") as source:
        result = run_rcmd(server.place, "-q", proxy.host, "cat", stdin=source)
        assert (result.code, result.err) == (0, b"")
        assert hashlib.sha256(result.out).hexdigest() == digest(blob)


def test_a_short_session_may_be_cut_at_any_byte(server: Server, tmp_path: Path) -> None:
    with cutter(server, iter([])) as proxy:
        first = run_rcmd(server.place, proxy.host, "echo out; echo err >&2; exit 3")
        assert (first.code, first.out, first.err) == (3, b"out\n", b"err\n")
    counter = tmp_path / "counter"
    command = f"echo x >> {counter}; echo out; echo err >&2; exit 3"
    runs = 0
    for at in range(0, 6000, 37 * SCALE):
        with cutter(server, iter([at])) as proxy:
            result = run_rcmd(server.place, "-q", proxy.host, command)
            runs += 1
            assert (result.code, result.out, result.err) == (3, b"out\n", b"err\n"), (at, result)
            assert counter.read_text() == "x\n" * runs, at
            if proxy.cut == 0:
                return
    pytest.fail("a session that has no end")


def test_several_jobs_of_one_connection(server: Server) -> None:
    lines = b"".join(b"echo %d; seq %d | cksum\n" % (n, n) for n in range(200))
    with cutter(server, iter([])) as proxy:
        expected = run_rcmd(server.place, "--batch", "--jobs", "8", proxy.host, input=lines)
    with cutter(server, at_random(4, 10, 5000, 15000)) as proxy:
        result = run_rcmd(server.place, "-q", "--batch", "--jobs", "8", proxy.host, input=lines)
        assert (result.code, result.out) == (0, expected.out)
        assert proxy.cut == 10


def test_the_loss_and_the_return_are_told(server: Server, tmp_path: Path) -> None:
    with cutter(server, iter([100_000])) as proxy:
        with (tmp_path / "events").open("w+b") as events:
            result = run_rcmd(server.place, "--status-fd", str(events.fileno()), proxy.host, "seq 100000",
                              pass_fds=[events.fileno()])
            events.seek(0)
            kinds = [json.loads(line)["event"] for line in events.read().splitlines()]
    assert result.code == 0 and result.out.endswith(b"\n100000\n")
    assert kinds == ["connected", "started", "lost", "resumed", "exit"]
    told = result.err.decode().splitlines()
    assert len(told) == 2 and "the connection was lost" in told[0] and "connected again after" in told[1], told


def test_keep_0_lets_the_job_end_with_the_connection(server: Server) -> None:
    name = mark()
    with cutter(server, iter([100_000])) as proxy:
        result = run_rcmd(server.place, "--keep", "0", "-e", f"{name}=1", proxy.host, "seq 100000; sleep 1000")
    assert result.code == 255 and "the connection was lost" in result.message
    wait_for(lambda: not marked(name), "the job to be ended")


def test_signals_are_neither_lost_nor_doubled(server: Server) -> None:
    command = "n=0; trap 'n=$((n+1)); echo got $n; [ $n = 1 ] && exit 9' TERM; echo ready; while :; do sleep 0.1; done"
    with cutter(server, iter([])) as proxy:
        with process(RCMD, "-q", proxy.host, command, env=base_environment(server.place.home), stdin=subprocess.DEVNULL,
                     stdout=subprocess.PIPE) as client:
            assert client.stdout.readline() == b"ready\n"
            client.send_signal(signal.SIGTERM)
            assert client.stdout.read() == b"got 1\n"
            assert client.wait(60) == 9


def test_a_restarted_server_does_not_know_the_job(make_server: object) -> None:
    server = make_server()
    with server.start_rcmd("echo ready; sleep 1000", stdout=subprocess.PIPE, stderr=subprocess.PIPE) as client:
        assert client.stdout.readline() == b"ready\n"
        server.kill()
        again = make_server("--listen", f"127.0.0.1:{server.port}", place=server.place)
        assert client.wait(60) == 255
        assert "restarted" in client.stderr.read().decode()
    assert again.serves()
