"""Mixed load on a real daemon, over networks that break, with clients and the daemon killed at random; all of it checked.
Run by scripts/soak."""
from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter, defaultdict
from pathlib import Path

from harness import Place, wait_for
from soak_client import Ended, Ledger
from soak_daemon import Daemon, grown, held_locks, processes_of
from soak_kinds import KEEPS, KINDS, MIB, Bench, Report, Work, networks

RETAIN = 600  # seconds; longer than any client asks again for its job
SILENCE = 15  # seconds after which either end gives a connection up
GRACE = 10  # seconds from HUP to KILL, for a job without a client
# What the clients of one moment may have under way in the daemon: a window of each, and something for the heap.
BOUND_KIB_PER_CLIENT = 1024
BOUND_KIB = 4096
PROBLEM_LENGTH = 1500  # characters that are told of each

USAGE = """\
Runs real clients against a real rcmd-server on the loopback interface, through networks that cut, reset, stall and delay
connections, while clients and the daemon are killed at random. Checks all the time that no command runs twice, that each
status and each byte of output is the command's own or else a line says that it is not, and in the end that nothing is
left: no process, no zombie, no lock, no descriptor, no memory. Prints a summary; exits with 1 and the seed if anything
was wrong, and leaves the logs then."""


class Tally:
    """What came of all the work so far."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.problems: list[str] = []
        self.ends: dict[str, Counter[str]] = defaultdict(Counter)

    def add(self, kind: str, work: Work) -> None:
        with self._lock:
            for ended in work.report.clients:
                self.ends[kind][outcome(ended)] += 1
            for problem in work.report.problems:
                self.note(f"{kind} over {work.network} ({told(work.report.clients)}): {problem}")

    def note(self, problem: str) -> None:
        self.problems.append(problem)
        print(f"soak: problem: {time.strftime('%H:%M:%S')} {problem[:PROBLEM_LENGTH]}", flush=True)

    def total(self, which: str) -> int:
        return sum(ends[which] for ends in self.ends.values())


def told(clients: list[Ended]) -> str:
    """The last clients of one piece of work: the status of each, the signal that it got, and how long it took."""
    return ", ".join(f"{each.code}{' after ' + each.got.name if each.got else ''} in {each.ended - each.began:.1f} s"
                     for each in clients[-3:])


def outcome(ended: Ended) -> str:
    if ended.got == signal.SIGKILL:
        return "killed"
    if ended.got:
        return "terminated"
    return "failed" if ended.code == 255 else "done"


class Soak:
    """One run: the daemon, the networks to it, and the clients."""

    def __init__(self, arguments: argparse.Namespace, root: Path):
        self.arguments = arguments
        self.seed = arguments.seed
        self.bound_kib = BOUND_KIB + arguments.jobs * BOUND_KIB_PER_CLIENT
        # The key's name is in the environment of all jobs of this run and of no others.
        place = Place(root, key_id=f"soak-{os.urandom(8).hex()}@here")
        self.daemon = Daemon(place, "--retain", str(RETAIN), "--max-keep", "60")
        data = random.Random(f"{self.seed} blob").randbytes(4 * MIB)
        (root / "blob").write_bytes(data)
        (root / "files").mkdir()
        self.bench = Bench(place, self.daemon, Ledger(root / "ledger"), networks(self.daemon.port, str(self.seed)),
                           root / "blob", data, root / "files")
        self.tally = Tally()
        self.stopping = threading.Event()

    def run(self) -> bool:
        """The load and the checks; whether all was well."""
        clients = [threading.Thread(target=self._work, args=(number,)) for number in range(self.arguments.jobs)]
        try:
            for client in clients:
                client.start()
            self._let_it_die_again_and_again()
        finally:
            self.stopping.set()
            for client in clients:
                client.join()
        self._check_what_is_left()
        for network in self.bench.networks.values():
            network.close()
        self._summary()
        return not self.tally.problems

    def _work(self, number: int) -> None:
        chance = random.Random(f"{self.seed} client {number}")
        while not self.stopping.is_set():
            kind = chance.choices(list(KINDS), list(KINDS.values()))[0]
            work = Work(self.bench, chance)
            try:
                kind(work)
            except Exception:
                work.find(f"the soak itself failed: {traceback.format_exc()}")
            self.tally.add(kind.__name__, work)

    def _let_it_die_again_and_again(self) -> None:
        """Ends the daemon every few seconds; one life in ten is long, for what only time shows."""
        chance = random.Random(f"{self.seed} daemon")
        end = time.monotonic() + self.arguments.seconds
        while (left := end - time.monotonic()) > 0:
            life = self.arguments.kill_every * chance.uniform(0.5, 1.5) * chance.choice([1] * 9 + [5])
            self._watch(min(life, left))
            if left > life:
                self.daemon.replace(chance)

    def _watch(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(min(1.0, max(0.0, end - time.monotonic())))
            if self.daemon.looks_dead():
                self.tally.note(f"the daemon has died by itself: {self.daemon.log_tail()}")
                raise SystemExit(1)

    def _check_what_is_left(self) -> None:
        """When the longest --keep is over there is the daemon, as it was in the beginning, and nothing else."""
        patience = SILENCE + max(KEEPS) + GRACE + 20
        self._expect(lambda: set(processes_of(self.bench.place)) <= {self.daemon.pid}, patience,
                     lambda: f"processes are left: {processes_of(self.bench.place)}")
        self._expect(lambda: not self.daemon.children(), 5, lambda: f"children are left: {self.daemon.children()}")
        # A job that has ended is kept, with a descriptor, for whoever might still come for its result.
        self._expect(lambda: self.daemon.descriptors() <= self.daemon.idle_descriptors, patience,
                     lambda: f"{self.daemon.descriptors()} descriptors, {self.daemon.idle_descriptors} in the beginning")
        self._expect(lambda: not held_locks(self.bench.place), 5,
                     lambda: f"locks of jobs are held: {held_locks(self.bench.place)}")
        self.last_descriptors = (self.daemon.idle_descriptors, self.daemon.descriptors())
        self.daemon.end(kill=False)
        self._expect(lambda: not processes_of(self.bench.place), 5,
                     lambda: f"the daemon has left {processes_of(self.bench.place)}")
        for name in self.bench.ledger.repeated():
            self.tally.note(f"{name} ran {self.bench.ledger.count(name)} times")
        for life in grown(self.daemon.lives, self.bound_kib):
            self.tally.note(f"memory: {life.warm_kib} KiB when it was warm, {life.end_kib} KiB after {life.seconds:.0f} s")
        for problem in self.daemon.problems:
            self.tally.note(problem)

    def _expect(self, condition, patience: float, problem) -> None:
        try:
            wait_for(condition, "the end", patience)
        except AssertionError:
            self.tally.note(problem())

    def _summary(self) -> None:
        lives = self.daemon.lives
        warm = [life for life in lives if life.warm_kib]
        print(f"soak: seed {self.seed}, {self.arguments.seconds:.0f} s, {self.arguments.jobs} clients at a time")
        for kind, ends in sorted(self.tally.ends.items()):
            print(f"  {kind:13} " + ", ".join(f"{count} {name}" for name, count in sorted(ends.items())))
        print(f"  commands that ran: {self.bench.ledger.lines}")
        print("  connections cut: " + ", ".join(f"{network.cut} of {network.connections} ({name})"
                                                for name, network in self.bench.networks.items()))
        print(f"  daemons: {len(lives)}, {sum(life.killed for life in lives)} of them killed; "
              f"clients killed: {self.tally.total('killed')}, terminated: {self.tally.total('terminated')}")
        if warm:
            print(f"  memory: warm {min(life.warm_kib for life in warm)} to {max(life.warm_kib for life in warm)} KiB, "
                  f"growth at most {max(life.growth_kib for life in warm)} KiB (bound {self.bound_kib})")
        print(f"  descriptors of the last daemon: {self.last_descriptors[0]} before, {self.last_descriptors[1]} after")
        print(f"  problems: {len(self.tally.problems)}", flush=True)


def parse(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/soak", description=USAGE,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30, metavar="N", help="how long (30)")
    parser.add_argument("--seconds", type=float, metavar="N", help="how long, instead")
    parser.add_argument("--jobs", type=int, default=8, metavar="N", help="clients at a time (8)")
    parser.add_argument("--kill-every", type=float, default=20, metavar="SECONDS", help="mean life of a daemon (20)")
    parser.add_argument("--seed", type=int, metavar="S", help="for the same choices again (at random)")
    arguments = parser.parse_args(words)
    arguments.seconds = arguments.seconds or arguments.minutes * 60
    if arguments.seed is None:
        arguments.seed = random.SystemRandom().randrange(1 << 32)
    return arguments


def main(words: list[str]) -> int:
    arguments = parse(words)
    root = Path(tempfile.mkdtemp(prefix="rcmd-soak."))
    print(f"soak: seed {arguments.seed}, in {root}", flush=True)
    well = Soak(arguments, root / "run").run()
    if well:
        shutil.rmtree(root)
    else:
        print(f"soak: failed; again with --seed {arguments.seed}; logs are in {root}", flush=True)
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
