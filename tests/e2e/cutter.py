"""A network that breaks: a proxy that cuts, resets, stalls, delays and splits connections."""
from __future__ import annotations

import contextlib
import random
import select
import selectors
import socket
import struct
import threading
from typing import Any, Iterator


class Cutter:
    """Between a client and a server on loopback. `cuts`: after how many bytes, in both directions together, the first
    connection is cut, the second, and so on; later ones are left alone. `how`: "close", "reset", or "stall", which carries
    nothing any more and says nothing. `piece`: the most bytes that are carried at once. `delay`: seconds before each piece."""

    def __init__(self, port: int, cuts: Iterator[int], how: str = "close", piece: int = 65536, delay: float = 0):
        self._server_port = port
        self._cuts = cuts
        self._how = how
        self._piece = piece
        self._delay = delay
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self.connections = 0
        self.cut = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def close(self) -> None:
        """Ends what is still carried."""
        self._closing.set()
        with self._lock:
            for end in [self._listener, *self._open]:
                shut_down(end)
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def lead_to(self, port: int) -> None:
        """Later connections go to another server."""
        self._server_port = port

    def interrupt(self) -> None:
        """Cuts all connections now."""
        with self._lock:
            for end in self._open:
                shut_down(end)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._threads.append(threading.Thread(target=self._carry, args=(client,), daemon=True))
            self._threads[-1].start()

    def _carry(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(("127.0.0.1", self._server_port))
        except OSError:
            return client.close()  # there is no server just now
        with client, server:
            for end in (client, server):  # no network waits for more before it carries a byte
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                left = next(self._cuts, None)
                self._open |= {client, server}
            self._pass_on(client, server, left)
            with self._lock:
                self._open -= {client, server}

    def _pass_on(self, client: socket.socket, server: socket.socket, left: int | None) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(client, selectors.EVENT_READ, server)
            selector.register(server, selectors.EVENT_READ, client)
            try:
                while True:
                    for source, _ in selector.select():
                        piece = source.fileobj.recv(self._piece if left is None else min(left, self._piece) or 1)
                        if not piece:
                            return
                        if left == 0:
                            return self._break(client, server)
                        left = left and left - len(piece)
                        self._closing.wait(self._delay)
                        source.data.sendall(piece)
            except OSError:
                return  # either end was quicker

    def _break(self, client: socket.socket, server: socket.socket) -> None:
        self.cut += 1
        if self._how == "stall":
            self._await_the_end_of(client, server)
        if self._how == "reset":
            for end in (client, server):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


    def _await_the_end_of(self, *ends: socket.socket) -> None:
        """Until both have given the connection up: a half-open one is not there for either."""
        for end in ends:
            gone = select.poll()
            gone.register(end, select.POLLRDHUP)
            while not self._closing.is_set() and not gone.poll(200):
                pass


def shut_down(end: socket.socket) -> None:
    """Wakes whoever waits for it, as closing alone does not."""
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)


def at_random(seed: int, count: int, least: int, most: int) -> Iterator[int]:
    chance = random.Random(seed)
    return iter([chance.randrange(least, most) for _ in range(count)])


@contextlib.contextmanager
def cutter(server: Any, cuts: Iterator[int], **network: Any) -> Iterator[Cutter]:
    """A broken network to the server; see Cutter."""
    proxy = Cutter(server.port, cuts, **network)
    try:
        yield proxy
    finally:
        proxy.close()
