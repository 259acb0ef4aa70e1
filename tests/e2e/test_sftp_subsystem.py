"""The subsystem sftp: the host's own program, which a client talks to on stdin and stdout."""
from __future__ import annotations

import os
import pwd
import struct
from pathlib import Path
from typing import Any, Callable

import pytest

import wire
from harness import Server

PLACES = ("/usr/lib/openssh", "/usr/libexec/openssh", "/usr/libexec", "/usr/lib/ssh")
MISSING = not any(os.access(f"{place}/sftp-server", os.X_OK) for place in PLACES)
needs_program = pytest.mark.skipif(MISSING, reason="this host has no sftp-server")

ACCOUNT = pwd.getpwuid(os.geteuid())

# draft-ietf-secsh-filexfer-02: an INIT and a VERSION of version 3
INIT = struct.pack(">IBI", 5, 1, 3)
VERSION = struct.pack(">BI", 2, 3)
REALPATH, NAME = 16, 104


def packet(kind: int, number: int, text: bytes) -> bytes:
    """A request that has one string."""
    return struct.pack(">IBII", 9 + len(text), kind, number, len(text)) + text


def answers(job: wire.Job) -> list[bytes]:
    """The whole packets that have come so far, without their lengths."""
    found, rest = [], job.out
    while len(rest) >= 4 and len(rest) >= 4 + struct.unpack(">I", rest[:4])[0]:
        size = struct.unpack(">I", rest[:4])[0]
        found.append(rest[4:4 + size])
        rest = rest[4 + size:]
    return found


def sftp(client: wire.Wire) -> wire.Job:
    return client.execute("sftp", mode="subsystem", stdin=True)


@needs_program
def test_it_speaks_sftp_in_the_home_directory_and_ends_with_its_input(server: Server) -> None:
    with server.login() as client:
        job = sftp(client)
        client.until(lambda: job.started or job.over)
        assert job.started, job.error
        client.write(job, INIT + packet(REALPATH, 1, b"."))
        client.until(lambda: len(answers(job)) == 2 or job.over)
        version, name = answers(job)
        assert version.startswith(VERSION)
        assert name[0] == NAME and os.fsencode(ACCOUNT.pw_dir) in name
        client.end_stdin(job)
        client.finish(job)
        assert job.exit["code"] == 0 and job.exit["stdin"] == job.sent


def test_the_program_may_be_named_and_is_run_without_a_shell(make_server: Callable[..., Server],
                                                             tmp_path: Path) -> None:
    program = tmp_path / "a $(touch x) program"
    program.write_text("#!/bin/sh\npwd; printf '%s,' \"$USER\" $#; cat; echo err >&2; exit 3\n")
    program.chmod(0o755)
    server = make_server("--sftp-server", str(program))
    with server.login() as client:
        job = sftp(client)
        client.write(job, b"input")
        client.end_stdin(job)
        client.finish(job)
        assert job.out.decode() == f"{ACCOUNT.pw_dir}\n{ACCOUNT.pw_name},0,input"
        assert job.err == b"err\n" and job.exit["code"] == 3


def test_a_host_without_the_program_says_what_to_do(make_server: Callable[..., Server],
                                                    tmp_path: Path) -> None:
    server = make_server("--sftp-server", str(tmp_path / "nothing"))
    with server.login() as client:
        error = client.finish(sftp(client)).error
        assert error and error["code"] == "unsupported"
        for text in (str(tmp_path / "nothing"), "openssh-sftp-server", "--sftp-server"):
            assert text in error["message"]
        client.ping()


@pytest.mark.parametrize("name", ["sftp", "complete"])
@pytest.mark.parametrize("fields", [{"durable": True}, {"durable": True, "detach": True}, {
    "pty": {"rows": 24, "columns": 80, "term": "xterm", "typed": 0}, "combine": True}],
    ids=["durable", "detached", "terminal"])
def test_a_subsystem_is_neither_durable_nor_on_a_terminal(server: Server, fields: dict[str, Any],
                                                          name: str) -> None:
    with server.login() as client:
        job = client.finish(client.execute(name, mode="subsystem", **fields))
        assert job.error and job.error["code"] == "unsupported" and not job.started
        known = client.finish(client.attach(job, os.urandom(16).hex(), 1))
        assert known.error["code"] == "no_such_job", "something is left of it"
