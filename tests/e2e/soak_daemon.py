"""The daemon of the soak: its lives one after the other at one address, and what each of them takes of the machine."""
from __future__ import annotations

import contextlib
import os
import random
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from harness import MEASURE_MEMORY, Place, Server, children, descriptors, memory_kib, process_state, wait_for

WARM = 8.0  # seconds of load after which a daemon has what it needs
PAUSE = 0.25  # between two looks at its memory


@dataclass
class Life:
    """One daemon: how long it lived, and its memory when it was warm and in the end (medians of several looks, in KiB)."""

    seconds: float
    warm_kib: int
    end_kib: int
    killed: bool

    @property
    def growth_kib(self) -> int:
        return self.end_kib - self.warm_kib


class Daemon:
    """`port`: the same for all lives. `outages`: when there was none, from when it was told to end until the next was ready.
    `idle_descriptors`: how many descriptors it has when nobody is connected."""

    def __init__(self, place: Place, *options: str):
        self._place = place
        self._options = options
        self._server = Server(place, *options)
        self.port = self._server.port
        assert self._server.serves()  # a daemon has all its descriptors once it has served somebody
        self.idle_descriptors = wait_for(self._idle_descriptors, "the first client's connection to be closed")
        self.outages: list[tuple[float, float]] = []
        self.lives: list[Life] = []
        self.problems: list[str] = []
        self._begin()

    @property
    def pid(self) -> int:
        return self._server.pid

    def replace(self, chance: random.Random) -> None:
        """Ends the daemon, by SIGKILL or, each fourth time, by SIGTERM, and starts another one."""
        down = time.monotonic()
        self.outages.append((down, float("inf")))
        self.end(kill=len(self.lives) % 4 != 2)
        time.sleep(chance.choice([0, 0, chance.uniform(0, 1.5)]))
        self._server = Server(self._place, *self._options, "--listen", f"127.0.0.1:{self.port}")
        self._begin()
        self.outages[-1] = (down, time.monotonic())

    def end(self, kill: bool) -> None:
        self._watch_over.set()
        self._watcher.join()
        self.lives.append(Life(time.monotonic() - self._started, median(self._warm), median(self._late), kill))
        try:
            if kill:
                self._server.kill()
            self._server.stop()
        except AssertionError as failure:
            self.problems.append(f"the daemon: {failure}")

    def _idle_descriptors(self) -> int:
        """How many there are when only the two that listen, for clients and for the administrator, are sockets; else 0."""
        try:
            links = [os.readlink(entry) for entry in Path(f"/proc/{self.pid}/fd").iterdir()]
        except FileNotFoundError:  # it was just closed
            return 0
        return len(links) if sum(link.startswith("socket:") for link in links) == 2 else 0

    def descriptors(self) -> int:
        return descriptors(self.pid)

    def zombies(self) -> list[int]:
        return [pid for pid in children(self.pid) if process_state(pid) == "Z"]

    def children(self) -> list[int]:
        return children(self.pid)

    def looks_dead(self) -> bool:
        """Whether it has ended by itself."""
        return self._server.process.poll() is not None and not self._server.killed

    def log_tail(self) -> str:
        return self._server.log()[-2000:]

    def _begin(self) -> None:
        self._started = time.monotonic()
        self._warm: list[int] = []
        self._late: list[int] = []
        self._watch_over = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def _watch(self) -> None:
        """Keeps the memory of the second half of the warm-up, and that of the last such time."""
        while not self._watch_over.wait(PAUSE):
            with contextlib.suppress(OSError, AssertionError):  # it may have died
                now = memory_kib(self.pid)
                age = time.monotonic() - self._started
                if WARM / 2 < age <= WARM:
                    self._warm.append(now)
                self._late = [*self._late, now][-int(WARM / 2 / PAUSE):]


def median(numbers: list[int]) -> int:
    return sorted(numbers)[len(numbers) // 2] if numbers else 0


def grown(lives: list[Life], bound_kib: int) -> list[Life]:
    """The lives that took more memory in their last seconds than when they were warm, by more than so much."""
    judged = [life for life in lives if life.seconds > 2 * WARM] if MEASURE_MEMORY else []
    return [life for life in judged if life.growth_kib > bound_kib]


def processes_of(place: Place) -> dict[int, str]:
    """All that runs for that place: its daemons and supervisors by their home, its jobs by their key."""
    marks = [os.fsencode(f"HOME={place.home}") + b"\0", os.fsencode(f"RCMD_KEY={place.key.key_id}") + b"\0"]
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                surroundings = (entry / "environ").read_bytes() + b"\0"
                if any(mark in surroundings for mark in marks):
                    found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
    return found


def held_locks(place: Place) -> list[Path]:
    """The lock files of jobs that some process holds."""
    inodes = set()
    for line in Path("/proc/locks").read_text().splitlines():
        words = [word for word in line.split() if word != "->"]
        inodes.add(words[5].rpartition(":")[2])
    return [path for path in place.state.glob("jobs/*/*/lock") if str(path.stat().st_ino) in inodes]
