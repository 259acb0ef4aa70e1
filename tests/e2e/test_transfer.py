"""A gigabyte each way: every byte, and bounded memory."""
from __future__ import annotations

import hashlib
import json
import os
import subprocess
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Iterator

from harness import MEASURE_MEMORY, Server, memory_kib, process_state, scaled, wait_for

MIB = 1 << 20
GROWTH_KIB = 16 * 1024


class Memory:
    """Compares the most that two processes ever held with what they held at the start."""

    def __init__(self, *pids: int):
        self.before = {pid: memory_kib(pid) for pid in pids}
        self.most = dict(self.before)

    def look(self) -> None:
        for pid in self.before:
            try:
                self.most[pid] = max(self.most[pid], memory_kib(pid, "VmHWM"))
            except (OSError, AssertionError):
                pass  # it has ended

    def check(self) -> None:
        self.look()
        if MEASURE_MEMORY:
            for pid, before in self.before.items():
                grown = self.most[pid] - before
                assert grown <= GROWTH_KIB, f"{pid} grew from {before} KiB by {grown} KiB"


@contextmanager
def started_client(server: Server, command: str, **more: Any) -> Iterator[tuple[subprocess.Popen, int]]:
    """A client that has been told that its command started, and the pid of that."""
    read_end, write_end = os.pipe()
    options = ["--status-fd", str(write_end)]
    with server.start_rcmd(command, options=options, pass_fds=[write_end], **more) as client:
        os.close(write_end)
        with os.fdopen(read_end) as events:
            assert json.loads(events.readline())["event"] == "connected"
            started = json.loads(events.readline())
            assert started["event"] == "started"
            yield client, started["pid"]


def blocks(size: int) -> Iterator[bytes]:
    """Bytes that differ from block to block, so that a lost or repeated one shows."""
    noise = os.urandom(MIB - 8)
    for number in range(size // MIB):
        yield number.to_bytes(8, "big") + noise


def test_a_gigabyte_down_arrives_with_its_sum_in_bounded_memory(make_server: Callable[..., Server]) -> None:
    server = make_server()
    size = scaled(1024) * MIB
    command = f"head -c {size} /dev/urandom | bash -c 'tee >(sha256sum >&2)'"
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with started_client(server, command, **pipes) as (client, _):
        memory = Memory(client.pid, server.pid)
        received = hashlib.sha256()
        count = looks = 0
        while piece := os.read(client.stdout.fileno(), MIB):
            received.update(piece)
            count += len(piece)
            if count // (32 * MIB) > looks:
                looks += 1
                memory.look()
        memory.check()
        remote = client.stderr.read().split()[0].decode()
        assert client.wait(60) == 0
    assert (count, received.hexdigest()) == (size, remote)


def test_a_gigabyte_up_arrives_in_a_file_in_bounded_memory(make_server: Callable[..., Server],
                                                           tmp_path: Path) -> None:
    server = make_server()
    size = scaled(1024) * MIB
    target = tmp_path / "uploaded"
    with started_client(server, f"cat > {target}", stdin=subprocess.PIPE) as (client, _):
        memory = Memory(client.pid, server.pid)
        sent = hashlib.sha256()
        for number, block in enumerate(blocks(size)):
            sent.update(block)
            client.stdin.write(block)
            if number % 32 == 0:
                memory.look()
        memory.look()
        client.stdin.close()
        assert client.wait(120) == 0
    memory.check()
    stored = hashlib.sha256()
    with target.open("rb") as content:
        while piece := content.read(MIB):
            stored.update(piece)
    target.unlink()
    assert stored.hexdigest() == sent.hexdigest()


def test_both_directions_at_once_are_exact(server: Server) -> None:
    size = scaled(64) * MIB
    sums = [hashlib.sha256(), hashlib.sha256()]

    def feed(pipe: object) -> None:
        for block in blocks(size):
            sums[0].update(block)
            pipe.write(block)
        pipe.close()

    with server.start_rcmd("cat", stdin=subprocess.PIPE, stdout=subprocess.PIPE) as client:
        feeder = threading.Thread(target=feed, args=(client.stdin,))
        feeder.start()
        while piece := client.stdout.read(MIB):
            sums[1].update(piece)
        feeder.join(60)
        assert client.wait(60) == 0
    assert sums[0].hexdigest() == sums[1].hexdigest()


def test_both_output_streams_at_once_are_exact(server: Server, tmp_path: Path) -> None:
    size = scaled(32) * MIB
    command = f"yes out | head -c {size} & yes error | head -c {size} >&2; wait; exit 11"
    paths = [tmp_path / "out", tmp_path / "err"]
    with paths[0].open("wb") as out, paths[1].open("wb") as err:
        assert server.rcmd(command, stdout=out, stderr=err).code == 11
    for path, word in zip(paths, (b"out\n", b"error\n")):
        data = path.read_bytes()
        assert data == (word * (size // len(word) + 1))[:size]
        path.unlink()


def test_a_pipe_left_full_by_a_slow_client_is_read_to_its_last_byte(server: Server) -> None:
    # More than fits into the client's pipe and the window; what is over stays in the command's own pipe.
    size = MIB + 32 * 1024
    command = f"head -c {size} /dev/zero | tr '\\0' x"
    with started_client(server, command, stdout=subprocess.PIPE) as (client, pid):
        try:
            wait_for(lambda: process_state(pid) in ("Z", ""), "the command to have written everything", 10)
        except AssertionError:
            pass  # smaller buffers than these: it is still writing, which is as good a test
        time.sleep(2.5)  # longer than a job's output may be quiet after its exit
        assert client.stdout.read() == b"x" * size
        assert client.wait(60) == 0


def test_a_slow_reader_gets_everything(server: Server) -> None:
    size = scaled(8, least=2) * MIB
    with server.start_rcmd(f"yes | head -c {size}; exit 12", stdout=subprocess.PIPE) as client:
        received = bytearray()
        while piece := os.read(client.stdout.fileno(), 65536):
            received += piece
            time.sleep(0.001)
        assert client.wait(60) == 12
    assert bytes(received) == b"y\n" * (size // 2)
