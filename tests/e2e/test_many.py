"""Many commands and many clients: all exact, and nothing grows in the server."""
from __future__ import annotations

import hashlib
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Callable

from harness import (MEASURE_MEMORY, SCALE, Server, children, descriptors, memory_kib, process_state, scaled,
                     wait_for)

MIB = 1 << 20
CLIENTS = scaled(200, least=12)


def run_batch(server: Server, count: int) -> None:
    lines = b"".join(b"echo %d\n" % number for number in range(count))
    result = server.rcmd(options=["--batch", "--jobs", "16"], input=lines, timeout=300)
    assert result.code == 0, result.message
    assert result.out == b"".join(b"%d\n" % number for number in range(count))


def run_clients(server: Server, count: int) -> None:
    def one(number: int) -> bool:
        result = server.rcmd(f"echo {number}; exit {number % 100}", timeout=120)
        return (result.code, result.out) == (number % 100, b"%d\n" % number)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(one, range(count)))


def test_10000_commands_leave_no_zombie_no_descriptor_and_no_memory(make_server: Callable[...,
                                                                                          Server]) -> None:
    server = make_server()
    run_clients(server, scaled(200))
    run_batch(server, scaled(1300))
    wait_for(lambda: not children(server.pid), "the first children to be reaped")
    before_memory = memory_kib(server.pid)
    before_descriptors = wait_for(lambda: settled(server), "the connections to be closed")
    run_clients(server, scaled(500))
    run_batch(server, scaled(8000))
    wait_for(lambda: not children(server.pid), "every child to be reaped")
    wait_for(lambda: descriptors(server.pid) <= before_descriptors,
             "the descriptors to be as many as before")
    if MEASURE_MEMORY:
        grown = memory_kib(server.pid) - before_memory
        assert grown < 6 * 1024, f"{grown} KiB more after 8500 commands"


def settled(server: Server) -> int:
    """How many descriptors there are once no connection is open any more."""
    sockets = [link for link in links(server.pid) if link.startswith("socket:")]
    return descriptors(server.pid) if len(sockets) <= 2 else 0


def links(pid: int) -> list[str]:
    found = []
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found.append(str(entry.readlink()))
        except OSError:
            pass
    return found


def test_children_are_reaped_while_the_server_is_idle(server: Server) -> None:
    run_clients(server, 16)
    wait_for(lambda: not [pid for pid in children(server.pid) if process_state(pid) == "Z"], "no zombie")


def test_200_clients_at_once_get_a_different_mebibyte_each(server: Server, tmp_path: Path) -> None:
    size = MIB if SCALE == 1 else MIB // 4
    paths = [tmp_path / str(number) for number in range(CLIENTS)]
    with ExitStack() as stack:
        clients = []
        for number, path in enumerate(paths):
            output = stack.enter_context(path.open("wb"))
            command = f"read go; yes 'client {number}' | head -c {size}; exit {number % 100}"
            clients.append(stack.enter_context(
                server.start_rcmd(command, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.PIPE)))
        for client in clients:  # all are there before the first one gets its output
            client.stdin.write(b"go\n")
            client.stdin.close()
        for number, client in enumerate(clients):
            assert client.wait(300) == number % 100, client.stderr.read()
    for number, path in enumerate(paths):
        word = b"client %d\n" % number
        expected = (word * (size // len(word) + 1))[:size]
        assert hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(expected).digest(), number
        path.unlink()
    assert server.serves()


def test_many_idle_background_jobs_do_not_slow_an_honest_client_to_a_stop(server: Server) -> None:
    with ExitStack() as stack:
        for _ in range(scaled(64, least=8)):
            client = stack.enter_context(server.start_rcmd("echo up; sleep 1000", stdout=subprocess.PIPE))
            assert client.stdout.readline() == b"up\n"
        assert server.serves()
