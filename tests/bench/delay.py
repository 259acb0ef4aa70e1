"""A network that is far away: a proxy that holds each byte for a while, as many at a time as there are."""
from __future__ import annotations

import queue
import socket
import threading
import time


class Delay:
    def __init__(self, port: int, seconds: float):
        self._to = port
        self._seconds = seconds
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._to))
            for source, target in ((client, server), (server, client)):
                target.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                pieces: queue.SimpleQueue[tuple[float, bytes]] = queue.SimpleQueue()
                threading.Thread(target=self._take, args=(source, pieces), daemon=True).start()
                threading.Thread(target=self._give, args=(target, pieces), daemon=True).start()

    def _take(self, source: socket.socket, pieces: queue.SimpleQueue) -> None:
        data = b"-"
        while data:
            try:
                data = source.recv(65536)
            except OSError:
                data = b""
            pieces.put((time.monotonic() + self._seconds, data))

    @staticmethod
    def _give(target: socket.socket, pieces: queue.SimpleQueue) -> None:
        while True:
            due, data = pieces.get()
            time.sleep(max(0.0, due - time.monotonic()))
            try:
                if not data:
                    return target.shutdown(socket.SHUT_WR)
                target.sendall(data)
            except OSError:
                return
