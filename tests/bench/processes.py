"""Starting, timing and looking at processes."""
from __future__ import annotations

import os
import signal
import statistics
import subprocess
import threading
import time
from pathlib import Path
from typing import Any, Callable

from accounts import LIBC
from harness import children, memory_kib

PR_SET_PDEATHSIG = 1


def end_with_this_process() -> None:
    """In a process that is about to start: it must not be there when the benchmark, killed perhaps, is gone."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def timed(command: list[str], env: dict[str, str], stdin: str = os.devnull) -> float:
    """Runs a program to its end, which must be a good one, and returns the seconds from before its start to its end."""
    actions = [(os.POSIX_SPAWN_OPEN, 0, stdin, os.O_RDONLY, 0),
               (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    start = time.perf_counter()
    pid = os.posix_spawnp(command[0], command, env, file_actions=actions)
    _, status = os.waitpid(pid, 0)
    took = time.perf_counter() - start
    if status != 0:
        raise RuntimeError(f"{' '.join(command)}: ended with {os.waitstatus_to_exitcode(status)}")
    return took


def in_turn(rounds: int, contenders: dict[str, Callable[[], float]]) -> dict[str, list[float]]:
    """Calls each in every round, each round beginning with another one: whatever else the machine does meets all alike."""
    values: dict[str, list[float]] = {name: [] for name in contenders}
    names = list(contenders)
    for number in range(rounds):
        shift = number % len(names)
        for name in names[shift:] + names[:shift]:
            values[name].append(contenders[name]())
    return values


def medians(values: dict[str, list[float]]) -> dict[str, float]:
    return {name: statistics.median(each) for name, each in values.items()}


def descendants(pid: int) -> list[int]:
    """A process and all that it has started."""
    return [pid] + [each for child in children(pid) for each in descendants(child)]


def pss_kib(pid: int) -> int:
    """The memory of a process and all that it has started, shared pages counted in parts."""
    total = 0
    for each in descendants(pid):
        lines = Path(f"/proc/{each}/smaps_rollup").read_text().splitlines()
        total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total


class PeakMemory:
    """The most memory that a process has had, in KiB, looked at until it ends."""

    def __init__(self, process: subprocess.Popen):
        self.kib = 0
        self._process = process
        self._thread = threading.Thread(target=self._look)
        self._thread.start()

    def _look(self) -> None:
        while self._process.poll() is None:
            try:
                self.kib = max(self.kib, memory_kib(self._process.pid, "VmHWM"))
            except (OSError, AssertionError):
                pass  # it has just ended
            time.sleep(0.01)

    def join(self) -> int:
        self._thread.join()
        return self.kib


def start(command: list[str], env: dict[str, str], preexec: Callable[[], None] | None = None, **options: Any) -> subprocess.Popen:
    """Starts a process that does not outlive this one."""

    def prepare() -> None:
        end_with_this_process()
        if preexec:
            preexec()

    options.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.Popen(command, env=env, preexec_fn=prepare, **options)


def stop(process: subprocess.Popen) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream:
            stream.close()
