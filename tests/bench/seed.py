"""What rcmd grew out of, written again: a threaded server with an HMAC challenge and a JSON header after its length. No encryption.

    seed.py server SECRET_FILE              prints its port
    seed.py client SECRET_FILE PORT WORD…   runs the words; without any, each line of stdin
"""
from __future__ import annotations

import hashlib
import hmac
import json
import os
import socket
import socketserver
import struct
import subprocess
import sys
from pathlib import Path


def send(connection: socket.socket, header: dict, body: bytes = b"") -> None:
    text = json.dumps(header).encode()
    connection.sendall(struct.pack(">I", len(text)) + text + body)


def exactly(connection: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        piece = connection.recv(size - len(data))
        if not piece:
            raise EOFError
        data += piece
    return bytes(data)


def receive(connection: socket.socket) -> tuple[dict, bytes]:
    header = json.loads(exactly(connection, struct.unpack(">I", exactly(connection, 4))[0]))
    return header, exactly(connection, header.get("size", 0))


def proof(secret: bytes, nonce: bytes) -> bytes:
    return hmac.new(secret, nonce, hashlib.sha256).digest()


class Handler(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        nonce = os.urandom(32)
        self.request.sendall(nonce)
        if not hmac.compare_digest(exactly(self.request, 32), proof(self.server.secret, nonce)):
            return
        try:
            while True:
                command = receive(self.request)[0]["command"]
                done = subprocess.run(command, shell=True, stdin=subprocess.DEVNULL, capture_output=True)
                body = done.stdout + done.stderr
                send(self.request, {"code": done.returncode, "stdout": len(done.stdout), "size": len(body)}, body)
        except EOFError:
            pass


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


def serve(secret: bytes) -> None:
    with Server(("127.0.0.1", 0), Handler) as server:
        server.secret = secret
        print(server.server_address[1], flush=True)
        server.serve_forever()


def ask(secret: bytes, port: int, words: list[str]) -> int:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(proof(secret, exactly(connection, 32)))
        worst = 0
        for command in [" ".join(words)] if words else map(str.strip, sys.stdin):
            send(connection, {"command": command})
            header, body = receive(connection)
            sys.stdout.buffer.write(body[:header["stdout"]])
            sys.stderr.buffer.write(body[header["stdout"]:])
            worst = worst or header["code"]
        return worst


def main(role: str, secret_file: str, *rest: str) -> int:
    secret = Path(secret_file).read_bytes()
    if role == "server":
        serve(secret)
    return ask(secret, int(rest[0]), list(rest[1:]))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
