"""A network that breaks: a proxy that cuts connections after so many bytes."""
from __future__ import annotations

import random
import select
import socket
import threading
from typing import Iterator


class Cutter:
    """Between a client and a server on loopback. `cuts`: after how many bytes, in both directions together, the first
    connection is cut, the second, and so on; later ones are left alone."""

    def __init__(self, port: int, cuts: Iterator[int]):
        self._server_port = port
        self._cuts = cuts
        self._lock = threading.Lock()
        self.connections = 0
        self.cut = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", self._server_port)) as server:
            with self._lock:
                left = next(self._cuts, None)
            self._pass_on(client, server, left)

    def _pass_on(self, client: socket.socket, server: socket.socket, left: int | None) -> None:
        try:
            while True:
                for source in select.select([client, server], [], [])[0]:
                    piece = source.recv(65536 if left is None else min(left, 65536) or 1)
                    if not piece:
                        return
                    if left == 0:
                        self.cut += 1
                        return
                    left = left and left - len(piece)
                    (server if source is client else client).sendall(piece)
        except OSError:
            return  # either end was quicker


def at_random(seed: int, count: int, least: int, most: int) -> Iterator[int]:
    chance = random.Random(seed)
    return iter([chance.randrange(least, most) for _ in range(count)])
