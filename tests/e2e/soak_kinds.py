"""What the clients of the soak do: each kind is a function that runs one client, or a few in turn, and judges them."""
from __future__ import annotations

import hashlib
import json
import random
import shutil
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Iterator

from callers import contents
from copying import parts
from cutter import Cutter
from harness import NEVER_STARTED, SCALE, Place, scaled
from soak_client import (GIVEN_UP, Disturbance, Ended, Ledger, Order, close_early, problems_of, run_client, without_a_reason)
from soak_daemon import Daemon

MIB = 1 << 20
KEEPS = [6, 8, 10] if SCALE == 1 else [30]  # seconds; a sanitizer makes all slower
PAUSE = 0.25  # seconds between two tries
TRIES = 200  # of a client that asks for a job again until it is told what became of it


@dataclass
class Bench:
    """What all clients share."""

    place: Place
    daemon: Daemon
    ledger: Ledger
    networks: dict[str, Cutter]
    blob: Path
    bytes: bytes
    files: Path


@dataclass
class Report:
    """What one piece of work came to: its clients, and what was wrong with them."""

    clients: list[Ended] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


class Work:
    """One piece of work, with its own chances."""

    def __init__(self, bench: Bench, chance: random.Random):
        self.bench = bench
        self.chance = chance
        self.report = Report()
        self.network = chance.choices(["steady", "close", "reset", "stall", "slow"], [3, 4, 3, 1, 1])[0]

    @property
    def port(self) -> int:
        return self.bench.networks[self.network].port if self.network in self.bench.networks else self.bench.daemon.port

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def options(self) -> list[str]:
        return ["-q", "--keep", str(self.chance.choice(KEEPS))]

    def size(self, most: int) -> int:
        """A number of bytes of any magnitude."""
        return 0 if self.chance.random() < 0.1 else int(2 ** self.chance.uniform(0, (max(2, most)).bit_length() - 1))

    def disturbance(self) -> Disturbance | None:
        """A sudden end for one client in six."""
        if self.chance.random() > 1 / 6:
            return None
        number = self.chance.choice([signal.SIGKILL, signal.SIGTERM])
        return Disturbance(self.chance.choice([self.chance.uniform(0, 0.1), self.chance.uniform(0, 3)]), number)

    def piece(self, most: int) -> tuple[str, bytes]:
        """A shell command that writes a part of the blob, and that part."""
        size = min(self.size(most), len(self.bench.bytes))
        begin = self.chance.randrange(len(self.bench.bytes) - size + 1)
        return f"tail -c +{begin + 1} {self.bench.blob} | head -c {size}", self.bench.bytes[begin:begin + size]

    def run(self, order: Order, disturbance: Disturbance | None = None) -> Ended:
        ended = run_client(self.bench.place, order, disturbance)
        self.judge(order, ended)
        return ended

    def may_fail(self, ended: Ended) -> bool:
        """Whether the network is reason enough. After a silence of it the two ends may give up so far apart that a short
        --keep is over; and who breaks off again and again in the handshake is not taken for an rcmd-server (a copy says only that)."""
        never_there = NEVER_STARTED.search(ended.message) or "is not an rcmd-server" in ended.message
        return self.network == "stall" or (self.network != "steady" and bool(never_there))

    def judge(self, order: Order, ended: Ended, excused: bool = False) -> None:
        """`excused`: there is a reason why it did not do what it was to do."""
        self.report.clients.append(ended)
        self.report.problems += problems_of(order, ended, self.bench.ledger)
        if not excused and not self.may_fail(ended) and without_a_reason(ended, order, self.bench.daemon.outages):
            said = f"status {ended.code}: {ended.message!r}"
            self.report.problems.append(f"it failed, and nobody had ended it or the daemon: {said}")

    def find(self, problem: str) -> None:
        self.report.problems.append(problem)

    def pause(self) -> str:
        return f"sleep {self.chance.choice([0, 0, 0, 0.1, 0.5, 2])}"


def one_shot(work: Work) -> None:
    """Known output on both streams, with pauses, and a status."""
    name, code = work.bench.ledger.fresh(), work.chance.randrange(100)
    commands = [work.bench.ledger.command(name)]
    out, err = b"", b""
    combined = work.chance.random() < 0.2
    for _ in range(work.chance.randrange(1, 5)):
        command, data = work.piece(scaled(4 * MIB, least=MIB // 4))
        if work.chance.random() < 0.3:
            command += " >&2"
            out, err = (out + data, err) if combined else (out, err + data)
        else:
            out += data
        commands += [command, work.pause()]
    script = "; ".join([*commands, f"exit {code}"])
    words = ["--argv", work.host, "sh", "-c", script] if work.chance.random() < 0.3 else [work.host, script]
    options = work.options() + (["--combine"] if combined else [])
    work.run(Order([*options, *words], [name], code, out, err), work.disturbance())


def both_streams(work: Work) -> None:
    """stdout and stderr at one time."""
    name = work.bench.ledger.fresh()
    (first, out), (second, err) = work.piece(2 * MIB), work.piece(2 * MIB)
    script = f"{work.bench.ledger.command(name)}; {first} & {second} >&2; wait; exit 4"
    work.run(Order([*work.options(), work.host, script], [name], 4, out, err), work.disturbance())


def upload(work: Work) -> None:
    """stdin arrives whole: its sum is the output."""
    name, code = work.bench.ledger.fresh(), work.chance.randrange(100)
    _, data = work.piece(scaled(4 * MIB, least=MIB // 4))
    script = f"{work.bench.ledger.command(name)}; {work.pause()}; sha256sum; exit {code}"
    out = f"{hashlib.sha256(data).hexdigest()}  -\n".encode()
    work.run(Order([*work.options(), work.host, script], [name], code, out, input=data), work.disturbance())


def echo(work: Work) -> None:
    """Both directions at one time."""
    name = work.bench.ledger.fresh()
    _, data = work.piece(2 * MIB)
    script = f"{work.bench.ledger.command(name)}; cat; exit 5"
    work.run(Order([*work.options(), work.host, script], [name], 5, data, input=data), work.disturbance())


def terminal(work: Work) -> None:
    """A terminal without one here; its output comes with the terminal's line ends."""
    name, last, code = work.bench.ledger.fresh(), work.size(100_000), work.chance.randrange(100)
    out = "".join(f"{number}\r\n" for number in range(1, last + 1)).encode()
    script = f"{work.bench.ledger.command(name)}; seq {last}; {work.pause()}; exit {code}"
    work.run(Order([*work.options(), "-n", "-tt", work.host, script], [name], code, out), work.disturbance())


def batch(work: Work) -> None:
    """Many jobs on one connection; whole outputs in the order of the lines."""
    ids = [work.bench.ledger.fresh() for _ in range(work.chance.randrange(1, 60))]
    lines, pieces = "", []
    for name in ids:
        command, data = work.piece(MIB // 16)
        lines += f"{work.bench.ledger.command(name)}; {command}; echo {name}\n"
        pieces.append(data + f"{name}\n".encode())
    words = [*work.options(), "--batch", "--jobs", str(work.chance.choice([1, 4, 16])), work.host]
    work.run(Order(words, ids, 0, b"".join(pieces), input=lines.encode(), pieces=pieces), work.disturbance())


def early_close(work: Work) -> None:
    """A reader that goes away: the client ends by SIGPIPE, and the command with it."""
    name, least = work.bench.ledger.fresh(), work.chance.randrange(1, 300_000)
    script = f"{work.bench.ledger.command(name)}; exec yes {'y' * 20}"
    order = Order([*work.options(), work.host, script], [name], -signal.SIGPIPE)
    ended = close_early(work.bench.place, order, least)
    order.out = (b"y" * 20 + b"\n") * (least // 21 + 1)
    if ended.code == order.code:
        order.out = order.out[:least]
    work.judge(order, ended)


def again_and_again(work: Work, order: Order, excused: bool = False) -> Ended | None:
    """Asks until there is an answer. None: the answer is that what became of it is not known, or never came."""
    for _ in range(TRIES):
        ended = run_client(work.bench.place, order)
        if ended.code != 255:
            work.judge(order, ended, excused)
            return ended
        work.report.clients.append(ended)
        if "outcome" in ended.message:
            work.find(f"a job that survives the daemon is lost: {ended.message!r}")
            return None
        time.sleep(PAUSE)
    work.find(f"no answer after {TRIES} tries: {ended.message!r}")
    return None


def detached(work: Work) -> None:
    """A job that nobody waits for, looked at afterwards, by two at a time: it survives whatever becomes of the daemon."""
    name, code = work.bench.ledger.fresh(), work.chance.randrange(100)
    command, out = work.piece(MIB // 2)
    script = f"{work.bench.ledger.command(name)}; {command}; {work.pause()}; exit {code}"
    asked = Order([*work.options(), "-d", "--job", name, work.host, script], [], 0, f"{name}\n".encode())
    if again_and_again(work, asked):
        again_and_again(work, Order(["attach", "-q", work.host, name], [name], code, out))
        again_and_again(work, Order(["attach", "-q", work.host, name], [name], code, out))


def named(work: Work) -> None:
    """A named job that is asked for again, also when its client was killed: it runs once, and is told the same each time."""
    name, code = work.bench.ledger.fresh(), work.chance.randrange(100)
    command, out = work.piece(MIB // 2)
    script = f"{work.bench.ledger.command(name)}; {command}; {work.pause()}; exit {code}"
    order = Order([*work.options(), "-n", "--job", name, work.host, script], [name], code, out)
    ended = run_client(work.bench.place, order, work.disturbance())
    work.report.clients.append(ended)
    work.report.problems += problems_of(order, ended, work.bench.ledger)
    # A job whose client has gone, or lost it for longer than --keep, is ended, and that is what the next one is told.
    again = again_and_again(work, order, excused=ended.code != order.code)
    if again and ended.got is None and ended.code not in (255, again.code):
        work.find(f"status {ended.code}, and then {again.code}")


def killed_job(work: Work) -> None:
    """A detached job without an end, ended by `rcmd kill`."""
    name = work.bench.ledger.fresh()
    script = f"{work.bench.ledger.command(name)}; echo begun; exec sleep 1000"
    asked = Order([*work.options(), "-d", "--job", name, work.host, script], [], 0, f"{name}\n".encode())
    if not again_and_again(work, asked):
        return
    # A kill whose answer was lost may have been done: then there is no such job that runs.
    for _ in range(TRIES):
        ended = run_client(work.bench.place, Order(["kill", "-q", "-s", "KILL", work.host, name]))
        if ended.code == 0 or "no such job" in ended.message or "has ended" in ended.message:
            break
        time.sleep(PAUSE)
    else:
        return work.find(f"it could not be killed: {ended.message!r}")
    order = Order(["attach", "-q", work.host, name], out=b"begun\n", others=frozenset({128 + signal.SIGKILL}))
    again_and_again(work, order, excused=True)  # it may have been killed before it had written anything


def listing(work: Work) -> None:
    """`rcmd jobs`: each line is an object, each job there once."""
    order = Order(["jobs", "-q", "--json", work.host])
    ended = run_client(work.bench.place, order)
    work.report.clients.append(ended)
    if ended.code not in (0, 255):
        work.find(f"rcmd jobs: status {ended.code}: {ended.message!r}")
    if ended.code == 0:
        jobs = [json.loads(line)["job"] for line in ended.out.splitlines()]
        if len(set(jobs)) != len(jobs):
            work.find(f"a job is listed twice: {jobs}")


def copy_file(work: Work) -> None:
    """One file, up or down: the target is the old file or the new one, whole, and the new one if rcmd says so."""
    _, data = work.piece(scaled(4 * MIB, least=MIB // 4))
    at = work.bench.files / work.bench.ledger.fresh()
    at.mkdir()
    source, target = at / "source", at / "target"
    source.write_bytes(data)
    old = work.chance.choice([None, b"old"])
    if old is not None:
        target.write_bytes(old)
    ended = copy(work, source, target)
    now = target.read_bytes() if target.exists() else None
    if now not in ((data,) if ended.code == 0 else (data, old)):
        work.find(f"rcmd cp ended with {ended.code}, and the target has {len(now or b'')} bytes that are neither file's")
    if ended.code == 0:
        left_parts(work, at)
        shutil.rmtree(at)


def copy_tree(work: Work) -> None:
    """A directory of small files."""
    at = work.bench.files / work.bench.ledger.fresh()
    source, target = at / "source", at / "target"
    for number in range(work.chance.randrange(1, 40)):
        where = source / str(number % 4)
        where.mkdir(parents=True, exist_ok=True)
        (where / f"file {number}").write_bytes(work.piece(MIB // 32)[1])
    ended = copy(work, source, target, "-r")
    if ended.code == 0:
        if contents(source) != contents(target):
            work.find("rcmd cp -r ended with 0, and the trees differ")
        left_parts(work, at)
        shutil.rmtree(at)


def copy(work: Work, source: Path, target: Path, *options: str) -> Ended:
    names = work.chance.choice([[str(source), f"127.0.0.1:{target}"], [f"127.0.0.1:{source}", str(target)]])
    order = Order(["cp", *options, *work.options(), "-P", str(work.port), *names], others=frozenset({1}) | GIVEN_UP)
    return work.run(order, work.disturbance())


def left_parts(work: Work, at: Path) -> None:
    if left := parts(at):
        work.find(f"left of a copy that ended well: {left}")


Kind = Callable[[Work], None]
KINDS: dict[Kind, int] = {one_shot: 6, both_streams: 2, upload: 4, echo: 2, terminal: 3, batch: 2, early_close: 1,
                          detached: 2, named: 2, killed_job: 1, listing: 1, copy_file: 2, copy_tree: 1}


def without_end(chance: random.Random) -> Iterator[int | None]:
    """After how many bytes connections are cut: of any magnitude, and one in three never."""
    while True:
        yield None if chance.random() < 1 / 3 else int(2 ** chance.uniform(8, 22))


def networks(port: int, seed: str) -> dict[str, Cutter]:
    """The ways to a server that break, by name. What is slow breaks as well."""
    def cuts(name: str) -> Iterator[int | None]:
        return without_end(random.Random(f"{seed} {name}"))

    return {"close": Cutter(port, cuts("close")), "reset": Cutter(port, cuts("reset"), how="reset"),
            "stall": Cutter(port, cuts("stall"), how="stall"),
            "slow": Cutter(port, cuts("slow"), piece=1400, delay=0.0005)}


