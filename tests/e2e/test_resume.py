"""A job outlives its connection: nothing is lost, nothing repeated, nothing run twice."""
from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Callable, Iterator

import pytest

import wire
from cutter import at_random, cutter
from harness import RCMD, Result, Server, base_environment, mark, marked, process, process_state, run_rcmd, scaled, unread, wait_for

MIB = 1 << 20


@pytest.fixture(scope="module")
def blob(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("blob") / "blob"
    with path.open("wb") as out:
        for _ in range(scaled(1024)):
            out.write(os.urandom(MIB))
    return path


@pytest.fixture(scope="module")
def digest(blob: Path) -> str:
    return digest_of(blob.open("rb"))


def digest_of(source: BinaryIO) -> str:
    summed = hashlib.sha256()
    while piece := source.read(MIB):
        summed.update(piece)
    return summed.hexdigest()


CUTS = scaled(200, least=20)


def gaps(blob: Path) -> tuple[int, int]:
    """So many bytes lie between two cuts that all of them are made."""
    size = blob.stat().st_size
    return size // (2 * CUTS), size * 20 // (21 * CUTS)


def starts(server: Server) -> int:
    return server.log().count(" info job job=")


def test_a_download_goes_on_at_the_byte(server: Server, blob: Path, digest: str) -> None:
    before = starts(server)
    with cutter(server, at_random(1, CUTS, *gaps(blob))) as proxy:
        with process(RCMD, "-q", proxy.host, f"cat {blob}", env=base_environment(server.place.home),
                     stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as client:
            assert digest_of(client.stdout) == digest
            assert (client.wait(60), client.stderr.read()) == (0, b"")
        assert proxy.cut == CUTS
    wait_for(lambda: starts(server) == before + 1, "the one start")


def test_an_upload_goes_on_at_the_byte(server: Server, blob: Path, digest: str) -> None:
    before = starts(server)
    with cutter(server, at_random(2, CUTS, *gaps(blob))) as proxy, blob.open("rb") as source:
        result = run_rcmd(server.place, "-q", proxy.host, "sha256sum", stdin=source, timeout=300)
        assert (result.code, result.err) == (0, b"")
        assert result.out.decode().split()[0] == digest
        assert proxy.cut == CUTS
    wait_for(lambda: starts(server) == before + 1, "the one start")


def test_both_directions_at_once(server: Server, blob: Path, digest: str) -> None:
    with cutter(server, at_random(3, 20, *gaps(blob))) as proxy, blob.open("rb") as source:
        with process(RCMD, "-q", proxy.host, "cat", env=base_environment(server.place.home), stdin=source,
                     stdout=subprocess.PIPE, stderr=subprocess.PIPE) as client:
            assert digest_of(client.stdout) == digest
            assert (client.wait(60), client.stderr.read()) == (0, b"")


def test_a_terminal_goes_on_at_the_byte(server: Server) -> None:
    numbers = "".join(f"{number}\r\n" for number in range(1, 5001)).encode()
    with cutter(server, at_random(6, 5, 3000, 6000)) as proxy:
        result = run_rcmd(server.place, "-q", "-tt", proxy.host, "stty -echo; seq 5000; read x; echo got $x; exit 4",
                          input=b"typed\n")
        assert (result.code, result.err) == (4, b"")
        assert result.out.endswith(numbers + b"got typed\r\n")
        assert proxy.cut == 5


@pytest.mark.parametrize("network", [{"how": "reset"}, {"piece": 7}, {"delay": 0.01}, {"how": "reset", "piece": 1400}],
                         ids=["reset", "split", "delayed", "reset-and-split"])
def test_any_network_will_do(server: Server, network: dict[str, Any]) -> None:
    data = os.urandom(20_000)
    with cutter(server, at_random(5, 4, 2000, 9000), **network) as proxy:
        result = run_rcmd(server.place, "-q", proxy.host, "cat; echo end >&2; exit 3", input=data)
        assert result == Result(3, data, b"end\n")
        assert proxy.cut == 4


@pytest.mark.parametrize("options", [[], ["--job", "slowly-read"]], ids=["plain", "durable"])
def test_a_slow_reader_of_what_came_before_the_cut_gets_all(server: Server, options: list[str]) -> None:
    """What the client acknowledges then lies before the byte at which it goes on."""
    with cutter(server, iter([1_000_000])) as proxy:
        with process(RCMD, "-q", "-n", *options, proxy.host, "seq 400000", env=base_environment(server.place.home),
                     stdout=subprocess.PIPE) as client:
            wait_for(lambda: proxy.cut == 1, "the cut")
            got = b""
            while len(got) < 300_000:
                time.sleep(0.01)  # it is slow, not in step with anybody
                got += os.read(client.stdout.fileno(), 8192)
            assert got + client.stdout.read() == "".join(f"{number}\n" for number in range(1, 400_001)).encode()
            assert client.wait(60) == 0


def test_silence_is_a_broken_connection(server: Server) -> None:
    with cutter(server, iter([40_000]), how="stall") as proxy:
        result = run_rcmd(server.place, proxy.host, "seq 100000; exit 3")
    assert result.code == 3 and result.out.endswith(b"\n100000\n")
    assert "the connection was lost" in result.message and "connected again after" in result.message


def test_a_revoked_key_does_not_come_back(make_server: Callable[..., Server]) -> None:
    server = make_server()
    name = mark()
    with cutter(server, iter([])) as proxy:
        with process(RCMD, "--keep", "1", "-e", f"{name}=1", proxy.host, "echo ready; sleep 1000",
                     env=base_environment(server.place.home), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                     stderr=subprocess.PIPE) as client:
            assert client.stdout.readline() == b"ready\n"
            server.place.authorize(wire.Key("somebody@else", os.urandom(32)))
            proxy.interrupt()
            assert client.wait(60) == 255
            told = client.stderr.read().decode().splitlines()
    assert "authentication failed" in told[-1] and "how it ended is unknown" in told[-1], told
    wait_for(lambda: not marked(name), "the job to be ended")


@pytest.mark.parametrize("jobs", ["1", "8"])
def test_several_jobs_of_one_connection(server: Server, tmp_path: Path, jobs: str) -> None:
    count = 200
    lines = b"".join(b"echo %d; seq %d | cksum\n" % (n, n) + b"echo %d >>%s\n" % (n, bytes(tmp_path / "ran")) for n in range(count))
    expected = run_rcmd(server.place, "--batch", "--jobs", "8", server.host, input=lines)
    (tmp_path / "ran").unlink()
    with cutter(server, at_random(4, 10, 5000, 15000)) as proxy:
        result = run_rcmd(server.place, "-q", "--batch", "--jobs", jobs, proxy.host, input=lines)
        assert (result.code, result.out) == (0, expected.out)
        assert proxy.cut == 10
    assert sorted(map(int, (tmp_path / "ran").read_text().split())) == list(range(count))


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


def test_the_time_to_keep_a_job_counts_again_when_a_stop_is_over(server: Server) -> None:
    """Also if the connection was lost meanwhile, and with it what the client said before."""
    name = mark()
    command = "trap 'echo usr' USR1; echo up; while :; do sleep 0.05; done"
    with cutter(server, iter([])) as proxy:
        with process(RCMD, "-n", "--keep", "1", "-e", f"{name}=1", proxy.host, command, env=base_environment(server.place.home),
                     stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=os.setpgrp) as client:
            assert client.stdout.readline() == b"up\n"
            client.send_signal(signal.SIGTSTP)
            wait_for(lambda: process_state(client.pid) == "T", "the client to be stopped")
            proxy.interrupt()
            client.send_signal(signal.SIGCONT)
            assert b"the connection was lost" in client.stderr.readline()
            assert b"connected again" in client.stderr.readline()
            client.send_signal(signal.SIGUSR1)
            assert client.stdout.readline() == b"usr\n"  # the server has heard what was said before
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


@contextmanager
def batch_and_events(server: Server) -> Iterator[tuple[subprocess.Popen, Callable[[], str]]]:
    """A batch that is fed by hand, and what tells the kind of its next event."""
    reading, writing = os.pipe()
    with server.start_rcmd(options=["--batch", "--status-fd", str(writing)], pass_fds=[writing], stdin=subprocess.PIPE,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE) as client, open(reading) as events:
        os.close(writing)
        yield client, lambda: json.loads(events.readline())["event"]


def test_a_line_that_is_given_while_the_server_is_away_runs_on_the_next_one(make_server: Callable[..., Server]) -> None:
    server = make_server()
    with batch_and_events(server) as (client, next_event):
        client.stdin.write(b"echo one\n")
        client.stdin.flush()
        assert [next_event() for _ in range(3)] == ["connected", "started", "exit"]
        server.kill()
        assert next_event() == "lost"
        client.stdin.write(b"echo two\necho three\n")
        client.stdin.flush()
        make_server("--listen", f"127.0.0.1:{server.port}", place=server.place)
        out, err = client.communicate()
        assert out == b"one\ntwo\nthree\n", err
        assert client.returncode == 0


def test_a_line_that_a_signal_reaches_before_a_server_does_is_not_waited_for(make_server: Callable[..., Server]) -> None:
    server = make_server()
    with batch_and_events(server) as (client, next_event):
        assert next_event() == "connected"
        server.kill()
        assert b"the connection was lost" in client.stderr.readline()
        client.stdin.write(b"echo never\n")
        client.stdin.flush()
        wait_for(lambda: unread(client.stdin) == 0, "the line to be read")
        client.send_signal(signal.SIGINT)
        assert client.wait(60) == 128 + signal.SIGINT


def test_a_restarted_server_does_not_know_the_job(make_server: object) -> None:
    server = make_server()
    with server.start_rcmd("echo ready; sleep 1000", stdout=subprocess.PIPE, stderr=subprocess.PIPE) as client:
        assert client.stdout.readline() == b"ready\n"
        server.kill()
        again = make_server("--listen", f"127.0.0.1:{server.port}", place=server.place)
        assert client.wait(60) == 255
        assert "restarted" in client.stderr.read().decode()
    assert again.serves()
