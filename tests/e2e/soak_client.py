"""One client of the soak: what it is asked for, how it is disturbed, and whether what it says afterwards is true."""
from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from harness import MAY_HAVE_RUN, NEVER_STARTED, RCMD, Place, base_environment

# Only a guard: nothing that the soak asks for takes so long, silence of the network and all tries to come back included.
HANG = 240.0
TERMINATED = {128 + signal.SIGTERM, -signal.SIGTERM}
GIVEN_UP = frozenset({128 + signal.SIGHUP, 128 + signal.SIGTERM, 128 + signal.SIGKILL})


class Ledger:
    """A file to which each command appends a line of its own: who reads it knows how often each was run."""

    def __init__(self, path: Path):
        self._path = path
        self._path.touch()
        self._lock = threading.Lock()
        self._read = 0
        self._counts: Counter[str] = Counter()
        self._ids = 0

    def fresh(self) -> str:
        """An id that no command has yet."""
        with self._lock:
            self._ids += 1
            return f"run-{self._ids}"

    def command(self, name: str) -> str:
        """The shell command that writes the line; one write with O_APPEND, so that lines of different commands do not mix."""
        return f"echo {name} >> {self._path}"

    def count(self, name: str) -> int:
        with self._lock:
            self._take_new_lines()
            return self._counts[name]

    def repeated(self) -> list[str]:
        with self._lock:
            self._take_new_lines()
            return [name for name, count in self._counts.items() if count > 1]

    @property
    def lines(self) -> int:
        with self._lock:
            self._take_new_lines()
            return self._counts.total()

    def _take_new_lines(self) -> None:
        with self._path.open("rb") as source:
            source.seek(self._read)
            text = source.read()
        whole = text[:text.rfind(b"\n") + 1]
        self._read += len(whole)
        self._counts.update(whole.decode().splitlines())


@dataclass
class Order:
    """What a client is asked for. `ids`: what the commands append to the ledger; `code`, `out` and `err`: what is to come
    of it. `others`: what else they may end with when the client, the daemon or the network was ended, and then with a part
    of that output; a job that is given up gets HUP, TERM and KILL. `pieces`: the outputs of several commands one by one."""

    words: list[str]
    ids: list[str] = field(default_factory=list)
    code: int = 0
    out: bytes = b""
    err: bytes = b""
    input: bytes | None = None
    others: frozenset[int] = GIVEN_UP
    pieces: list[bytes] = field(default_factory=list)

    def is_part(self, out: bytes) -> bool:
        """Whether it is the beginning of stdout, or of several commands the beginnings of their outputs in their order."""
        if not self.pieces:
            return self.out.startswith(out)
        reached = {0}  # how much of it the commands so far may have written
        for piece in self.pieces:
            reached |= {at + size for at in reached for size in beginnings(piece, out[at:at + len(piece)])}
        return len(out) in reached


def beginnings(piece: bytes, out: bytes) -> range:
    """How many of its bytes may be there: as many as are the same, but the next command's first ones may be so by chance."""
    same = len(os.path.commonprefix([piece, out]))
    return range(max(0, same - 4), same + 1)


@dataclass
class Disturbance:
    """A signal for the client after so many seconds."""

    seconds: float
    number: signal.Signals


@dataclass
class Ended:
    """How a client ended, when it was there (monotonic seconds), and the signal it got, if any."""

    code: int
    out: bytes
    err: bytes
    began: float
    ended: float
    got: signal.Signals | None = None
    hung: bool = False

    @property
    def message(self) -> str:
        return self.err[-2000:].decode("utf-8", "replace")


def run_client(place: Place, order: Order, disturbance: Disturbance | None = None) -> Ended:
    """Runs a client to its end."""
    began = time.monotonic()
    stdin = subprocess.DEVNULL if order.input is None else subprocess.PIPE
    client = subprocess.Popen([RCMD, *order.words], env=base_environment(place.home), stdin=stdin, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE)
    sent: list[signal.Signals] = []
    timer = send_later(client, disturbance, sent)
    hung = False
    try:
        out, err = client.communicate(order.input, timeout=HANG)
    except subprocess.TimeoutExpired:
        hung = True
        client.kill()
        out, err = client.communicate()
    finally:
        timer.cancel()
        timer.join()
    return Ended(client.returncode, out, err, began, time.monotonic(), sent[0] if sent else None, hung)


def send_later(client: subprocess.Popen, disturbance: Disturbance | None, sent: list[signal.Signals]) -> threading.Timer:
    def send() -> None:
        if disturbance and client.poll() is None:
            sent.append(disturbance.number)
            client.send_signal(disturbance.number)

    timer = threading.Timer(disturbance.seconds if disturbance else HANG, send)
    timer.daemon = True
    timer.start()
    return timer


def close_early(place: Place, order: Order, least: int) -> Ended:
    """Runs a client whose reader goes away after so many bytes, as `head` does."""
    began = time.monotonic()
    client = subprocess.Popen([RCMD, *order.words], env=base_environment(place.home), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out = client.stdout.read(least)
    client.stdout.close()
    hung = False
    try:
        client.wait(HANG)
    except subprocess.TimeoutExpired:
        hung = True
        client.kill()
        client.wait()
    with client.stderr:
        return Ended(client.returncode, out, client.stderr.read(), began, time.monotonic(), hung=hung)


def problems_of(order: Order, ended: Ended, ledger: Ledger) -> list[str]:
    """What is wrong with it; empty when all is as it has to be."""
    found = []
    counts = {name: ledger.count(name) for name in order.ids}
    if ended.hung:
        found.append(f"the client hung for {HANG:.0f} s")
    found += [f"{name} ran {count} times" for name, count in counts.items() if count > 1]
    if ended.code == order.code:
        found += problems_of_success(order, ended, counts)
    elif ended.code == 255:
        found += problems_of_failure(order, ended, counts)
    elif ended.code == -signal.SIGKILL and (ended.got == signal.SIGKILL or ended.hung):
        pass
    elif ended.code in order.others or (ended.got == signal.SIGTERM and ended.code in TERMINATED):
        found += problems_of_a_part(order, ended)
    else:
        found.append(f"status {ended.code}, not {order.code}: {ended.message!r}")
    return found


def problems_of_success(order: Order, ended: Ended, counts: dict[str, int]) -> list[str]:
    found = []
    if ended.out != order.out:
        found.append(difference(order.out, ended.out, "stdout"))
    if ended.err != order.err:
        found.append(difference(order.err, ended.err, "stderr"))
    if never := [name for name, count in counts.items() if count == 0]:
        found.append(f"{len(never)} of {len(counts)} commands never ran ({never[0]} ...), but the client says {ended.code}")
    return found


def problems_of_failure(order: Order, ended: Ended, counts: dict[str, int]) -> list[str]:
    """255 comes with a part of the output and, behind it, with a line that says so and is true: one, or in a batch one for
    each command that it is true of."""
    match = re.search(rb"(rcmd: [^\n]*\n)+\Z", ended.err)
    if not match:
        return [f"status 255 without a line that says why: {ended.message!r}"]
    lines = match[0].decode("utf-8", "replace").splitlines()
    found = problems_of_a_part(order, ended)
    said = ended.err[:match.start()]
    if not order.err.startswith(said.removesuffix(b"\n")):
        found.append(difference(order.err, said, "stderr"))
    if len(lines) > max(1, len(order.ids)):
        found.append(f"{len(lines)} lines for {len(order.ids)} commands: {lines}")
    never = [bool(NEVER_STARTED.search(line)) for line in lines]
    perhaps = [bool(MAY_HAVE_RUN.search(line)) for line in lines]
    if order.ids and not all(one != other for one, other in zip(never, perhaps)):
        found.append(f"a line that does not say whether the command may have run: {lines}")
    if len(order.ids) == 1 and all(never) and any(counts.values()):
        found.append(f"it ran, but the client says: {lines}")
    return found


def problems_of_a_part(order: Order, ended: Ended) -> list[str]:
    return [] if order.is_part(ended.out) else [difference(order.out, ended.out, "stdout")]


def difference(expected: bytes, got: bytes, name: str) -> str:
    at = len(os.path.commonprefix([expected, got]))
    return (f"{name} has {len(got)} bytes of {len(expected)}, the first wrong one at {at}: "
            f"{got[at:at + 60]!r} instead of {expected[at:at + 60]!r}")


def without_a_reason(ended: Ended, order: Order, outages: list[tuple[float, float]]) -> bool:
    """Whether it did not do what it was to do although nobody had ended it or the daemon meanwhile."""
    disturbed = ended.got or any(ended.began < back and down < ended.ended for down, back in outages)
    return ended.code != order.code and not disturbed

