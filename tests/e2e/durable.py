"""What the tests of durable jobs share; its fixtures are for the files that import them."""
from __future__ import annotations

import json
import os
import signal
import uuid
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

from harness import Place, Result, Server, run_rcmd, wait_for

LAST = 200_000  # more than a window holds
NUMBERS = "".join(f"{number}\n" for number in range(1, LAST + 1)).encode()
COUNT = f"seq {LAST}"
MakeServer = Callable[..., Server]


def fresh_name() -> str:
    return f"job-{uuid.uuid4().hex}"


def detach(server: Server, command: str, *options: str, **more: Any) -> str:
    """Starts a detached job; its id."""
    result = server.rcmd(command, options=["-d", *options], **more)
    assert (result.code, result.err) == (0, b""), result
    return result.out.decode().removesuffix("\n")


def named(server: Server, name: str, command: str, *options: str, **more: Any) -> Result:
    return server.rcmd(command, options=["-n", "--job", name, *options], **more)


def attach(server: Server, job: str, *options: str, **more: Any) -> Result:
    return run_rcmd(server.place, "attach", *options, server.host, job, **more)


def kill(server: Server, job: str, *options: str) -> Result:
    return run_rcmd(server.place, "kill", *options, server.host, job)


def listed(server: Server, *options: str) -> dict[str, dict[str, Any]]:
    """What `rcmd jobs --json` says, by job."""
    result = run_rcmd(server.place, "jobs", "--json", *options, server.host)
    assert (result.code, result.err) == (0, b""), result
    entries = [json.loads(line) for line in result.out.splitlines()]
    found = {entry["job"]: entry for entry in entries}
    assert len(found) == len(entries), f"a job is listed twice: {entries}"
    return found


def wait_until(server: Server, job: str, state: str) -> None:
    wait_for(lambda: listed(server)[job]["state"] == state, f"{job} to be {state}")


def directory(place: Place, job: str) -> Path:
    return place.state / "jobs" / place.key.key_id / job


def supervisor(path: Path) -> int:
    """The process that runs the job of that directory; 0 when there is none."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"supervise" in words and os.fsencode(path) in words:
                return int(entry.name)
    return 0


def restarted(make_server: MakeServer, server: Server, *options: str) -> Server:
    """A server in the place of one that has ended, where its clients find it."""
    return make_server("--listen", server.host, *options, place=server.place)


def gate(path: Path) -> str:
    """A command that goes on when the file is there."""
    return f"while [ ! -e {path} ]; do sleep 0.05; done"


class Runs:
    """Counts how often a command is run."""

    def __init__(self, path: Path):
        self.path = path
        self.command = f"echo x >> {path}"

    @property
    def count(self) -> int:
        return len(self.path.read_bytes().splitlines()) if self.path.exists() else 0


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path / "runs")


@pytest.fixture
def go(tmp_path: Path) -> Path:
    return tmp_path / "go"


@pytest.fixture(autouse=True)
def nothing_is_left(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[None]:
    """Durable jobs outlive their server, so those of a test are ended after it."""
    yield
    roots = [tmp_path]
    if "place" in request.fixturenames:
        roots.append(request.getfixturevalue("place").root)
    paths = [path for root in roots for path in root.glob("**/state/jobs/*/*")]
    for path in paths:
        if pid := supervisor(path):
            os.kill(pid, signal.SIGKILL)
    for pid in running_jobs({b"RCMD_JOB=" + os.fsencode(path.name) for path in paths}):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def running_jobs(variables: set[bytes]) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if variables & set((entry / "environ").read_bytes().split(b"\0")):
                    found.append(int(entry.name))
            except OSError:
                pass
    return found
