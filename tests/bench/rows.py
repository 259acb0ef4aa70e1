"""What is measured, a function a row. Each row has its contenders' figures, the physical limits beside them, and what rcmd must reach."""
from __future__ import annotations

import re
import statistics
import subprocess
import time
from dataclasses import dataclass, field
from typing import Any, Callable

from delay import Delay
from harness import memory_kib
from peers import Dropbear, OpenSsh, Rcmd, Seed, Surroundings
from processes import PeakMemory, in_turn, medians, pss_kib, start, timed

MIB = 1 << 20
AWAY = 0.025  # seconds, each way


@dataclass
class Required:
    """One demand: `figure` of rcmd's may be at most, or must be at least, that many times another figure, or a number."""

    text: str
    value: float
    bound: float
    at_most: bool

    @property
    def reached(self) -> bool:
        return self.value <= self.bound if self.at_most else self.value >= self.bound


@dataclass
class Row:
    name: str
    unit: str
    figures: dict[str, float] = field(default_factory=dict)
    limits: dict[str, float] = field(default_factory=dict)
    required: list[Required] = field(default_factory=list)
    samples: dict[str, list[float]] = field(default_factory=dict)

    def need(self, own: str, other: str, at_most: float | None = None, at_least: float | None = None) -> None:
        """`own`'s figure against `other`'s, if that has been measured."""
        everything = self.figures | self.limits
        if other not in everything:
            return
        bound = at_most if at_most is not None else at_least
        sign = "≤" if at_most is not None else "≥"
        self.required.append(Required(f"{own} {sign} {bound:.3g} × {other}", everything[own] / everything[other], bound, at_most is not None))

    def need_number(self, own: str, at_most: float) -> None:
        self.required.append(Required(f"{own} ≤ {at_most:g} {self.unit}", self.figures[own], at_most, True))


class Bench:
    """`quick`: fewer rounds and less data; the same rows."""

    def __init__(self, world: Surroundings, quick: bool):
        self.world = world
        self.quick = quick
        self.env = world.env
        self.rcmd = Rcmd(world)
        self.ssh = OpenSsh(world) if OpenSsh.installed() else None
        self.master = self.ssh.master() if self.ssh else ()
        self.dropbear = Dropbear(world) if Dropbear.installed() and world.own_account else None
        self.seed = Seed(world)

    def rows(self) -> list[Callable[[], Row]]:
        return [self.one_shot, self.round_trips, self.one_after_the_other, self.sixteen_at_a_time, self.stdout, self.stdin,
                self.streams, self.idle_memory, self.thousand_sessions, self.beside_idle_sessions, self.peak_memory]

    def rounds(self, full: int, quick: int) -> int:
        return quick if self.quick else full

    # What is run

    def time(self, command: list[str], stdin: str = "/dev/null") -> float:
        return timed(command, self.env, stdin)

    def shell(self, script: str) -> float:
        return self.time(["sh", "-c", script])

    def spawn_loop(self, count: int, workers: int) -> float:
        words = [self.world.program("bench_spawn_loop"), str(count), str(workers)]
        return float(subprocess.run(words, env=self.env, check=True, capture_output=True, text=True).stdout)

    def lines(self, count: int) -> str:
        path = self.world.place.root / f"{count} lines"
        path.write_text("true\n" * count)
        return str(path)

    def row(self, name: str, unit: str, rounds: int, contenders: dict[str, Callable[[], float]], limits: dict[str, Callable[[], float]],
            figure: Callable[[float], float]) -> Row:
        """Measures them all in turn; `figure` makes a row's figure of a contender's seconds."""
        samples = in_turn(rounds, contenders | limits)
        middle = {who: figure(value) for who, value in medians(samples).items()}
        return Row(name, unit, {who: middle[who] for who in contenders}, {who: middle[who] for who in limits}, samples=samples)

    # Rows

    def one_shot(self) -> Row:
        contenders = {"rcmd": lambda: self.time(self.rcmd.command("true"))}
        if self.ssh:
            contenders["ssh, open master"] = lambda: self.time(self.ssh.command("true", options=self.master))
            contenders["ssh"] = lambda: self.time(self.ssh.command("true"))
        if self.dropbear:
            contenders["dropbear"] = lambda: self.time(self.dropbear.command("true"))
        contenders["seed"] = lambda: self.time(self.seed.command("true"))
        limits = {"sh -c true": lambda: self.shell("true")}
        row = self.row("fresh one-shot: true", "ms", self.rounds(101, 21), contenders, limits, lambda seconds: 1000 * seconds)
        row.need("rcmd", "ssh, open master", at_most=0.8)
        row.need("rcmd", "ssh", at_most=1 / 15)
        row.need("rcmd", "dropbear", at_most=0.5)
        return row

    def round_trips(self) -> Row:
        """By what they take longer when each byte is on its way for 25 ms; the proxy cannot delay TCP's own, which is added."""
        near = {"rcmd": lambda: self.time(self.rcmd.command("true"))}
        proxies = {"rcmd": Delay(self.rcmd.port, AWAY)}
        far = {"rcmd": lambda: self.time(self.rcmd.command("true", port=proxies["rcmd"].port, options=("-o", "HostKeyAlias=far")))}
        if self.ssh:
            proxies["ssh"] = Delay(self.ssh.port, AWAY)
            near["ssh"] = lambda: self.time(self.ssh.command("true"))
            far["ssh"] = lambda: self.time(self.ssh.command("true", port=proxies["ssh"].port))
        rounds = self.rounds(21, 5)
        here, there = in_turn(rounds, near), in_turn(rounds, far)
        for proxy in proxies.values():
            proxy.close()
        trips = {who: 1 + (statistics.median(there[who]) - statistics.median(here[who])) / (2 * AWAY) for who in near}
        row = Row("round trips of a fresh one-shot", "", trips, {"TCP, TLS 1.3, command": 3}, samples=there)
        row.required.append(Required("rcmd ≤ 4, rounded", round(trips["rcmd"]), 4, True))
        return row

    def one_after_the_other(self) -> Row:
        count = self.rounds(1000, 500)
        input = self.lines(count)
        contenders = {"rcmd --batch": lambda: self.time(self.rcmd.command(options=("--batch",)), stdin=input),
                      "seed": lambda: self.time(self.seed.command(), stdin=input)}
        if self.ssh:
            few = count // 20
            master = self.ssh.command("true", options=self.master)
            contenders["ssh, open master"] = lambda: sum(self.time(master) for _ in range(few)) * count / few
        limits = {"posix_spawn loop": lambda: self.spawn_loop(count, 1)}
        row = self.row("commands one after the other", "/s", self.rounds(9, 3), contenders, limits, lambda seconds: count / seconds)
        row.need("rcmd --batch", "posix_spawn loop", at_least=0.75)
        return row

    def sixteen_at_a_time(self) -> Row:
        count = self.rounds(4000, 1000)
        input = self.lines(count)
        heavy = Rcmd(self.world, ballast=500 * MIB)
        batch = ("--batch", "--jobs", "16")
        contenders = {"rcmd": lambda: self.time(self.rcmd.command(options=batch), stdin=input),
                      "rcmd, server of 500 MB": lambda: self.time(heavy.command(options=batch), stdin=input)}
        limits = {"posix_spawn loop, both cores": lambda: self.spawn_loop(count, 2)}
        row = self.row("commands, --batch --jobs 16", "/s", self.rounds(7, 3), contenders, limits, lambda seconds: count / seconds)
        for own in contenders:
            row.need(own, "posix_spawn loop, both cores", at_least=0.8)
        heavy.process.terminate()
        return row

    def stdout(self) -> Row:
        return self.throughput("stdout of one command", ">/dev/null",
                               lambda peer, size: self.time(peer.command(f"head -c {size} /dev/zero")))

    def stdin(self) -> Row:
        # A shell starts the pipeline: what it costs is nothing beside the rest.
        return self.throughput("stdin of one command", "| cat >/dev/null", lambda peer, size: self.time(
            ["sh", "-c", f'head -c {size} /dev/zero | "$@"', "sh", *peer.command("cat >/dev/null")]))

    def throughput(self, name: str, end: str, move: Callable[[Any, int], float]) -> Row:
        """`move` takes that many bytes through a contender; the slow one gets an eighth of them. `end`: where they go, for a shell."""
        size = self.rounds(2048, 256) * MIB
        contenders = {"rcmd": lambda: move(self.rcmd, size)}
        if self.ssh:
            contenders["ssh"] = lambda: move(self.ssh, size)
        if self.dropbear:
            contenders["dropbear"] = lambda: 8 * move(self.dropbear, size // 8)
        bare = self.world.program("bench_bare_stream")
        limits = {"head to cat": lambda: self.shell(f"head -c {size} /dev/zero | cat >/dev/null"), "AES-128-GCM": lambda: self.aes(size),
                  "bare": lambda: self.shell(f"head -c {size} /dev/zero | {bare} {size} {end}")}
        row = self.row(name, "MiB/s", self.rounds(5, 3), contenders, limits, lambda seconds: size / MIB / seconds)
        row.need("rcmd", "ssh", at_least=2.5)
        return row

    def aes(self, size: int) -> float:
        """Seconds that one thread of OpenSSL takes to encrypt that much in records of TLS's size."""
        words = ["openssl", "speed", "-mr", "-elapsed", "-seconds", "1", "-bytes", "16384", "-evp", "aes-128-gcm"]
        said = subprocess.run(words, env=self.env, check=True, capture_output=True, text=True).stdout
        return size / float(re.search(r"^\+F:.*:([0-9.]+)$", said, re.M).group(1))

    def streams(self) -> Row:
        size = self.rounds(2048, 256) * MIB
        one = self.rcmd.command(f"head -c {size} /dev/zero")
        sixteenth = self.rcmd.command(f"head -c {size // 16} /dev/zero")

        def sixteen() -> float:
            begin = time.perf_counter()
            running = [start(sixteenth, self.env, stdout=subprocess.DEVNULL) for _ in range(16)]
            if any([each.wait() for each in running]):
                raise RuntimeError("a stream failed")
            return time.perf_counter() - begin

        row = self.row("16 streams at once", "MiB/s", self.rounds(5, 3), {"16 streams": sixteen, "one stream": lambda: self.time(one)}, {},
                       lambda seconds: size / MIB / seconds)
        row.need("16 streams", "one stream", at_least=1)
        return row

    def idle_memory(self) -> Row:
        server = Rcmd(self.world)
        count = 1000
        self.time(server.command("true"))
        before = pss_kib(server.pid)
        helpers = server.sessions(count)
        row = Row("memory of an idle session", "KiB", {"rcmd": (pss_kib(server.pid) - before) / count})
        for helper in helpers:
            helper.stdin.close()
            helper.wait()
        server.process.terminate()
        if self.ssh:
            few = 10
            listener = self.ssh.pid
            before = pss_kib(listener)
            for number in range(few):
                self.ssh.master(f"idle-{number}")
            row.figures["ssh"] = (pss_kib(listener) - before) / few
        row.need_number("rcmd", at_most=110)
        return row

    def thousand_sessions(self) -> Row:
        count = 1000
        server = Rcmd(self.world)
        [helper] = server.sessions(count)

        def run(at_once: int) -> float:
            helper.stdin.write(b"%d\n" % at_once)
            helper.stdin.flush()
            succeeded, seconds = helper.stdout.readline().split()
            if int(succeeded) != count:
                raise RuntimeError(f"{succeeded} of {count} commands succeeded")
            return float(seconds)

        row = self.row("1,000 sessions, a command in each", "s", self.rounds(9, 3), {"all at once": lambda: run(count), "2 at a time": lambda: run(2)},
                       {"posix_spawn loop, both cores": lambda: self.spawn_loop(count, 2)}, lambda seconds: seconds)
        row.need("all at once", "2 at a time", at_most=1.3)
        helper.stdin.close()
        helper.wait()
        server.process.terminate()
        return row

    def beside_idle_sessions(self) -> Row:
        servers = {count: Rcmd(self.world) for count in ((0, 10, 100, 1000) if self.quick else (0, 10, 100, 1000, 5000))}
        helpers = [helper for count, server in servers.items() for helper in server.sessions(count)]
        contenders = {f"{count:,} idle": lambda server=server: self.time(server.command("true")) for count, server in servers.items()}
        row = self.row("true beside idle sessions", "ms", self.rounds(51, 21), contenders, {}, lambda seconds: 1000 * seconds)
        for own in list(contenders)[1:]:
            row.need(own, "0 idle", at_most=1.3)
        for helper in helpers:
            helper.stdin.close()
            helper.wait()
        for server in servers.values():
            server.process.terminate()
        return row

    def peak_memory(self) -> Row:
        """What much data makes them grow by, each way; the client against one through which a byte has gone."""
        size = self.rounds(2048, 512) * MIB
        row = Row(f"memory that {size // MIB:,} MiB take", "MiB")
        for way, command in (("stdout", f"head -c {size} /dev/zero"), ("stdin", "cat >/dev/null")):
            server = Rcmd(self.world)
            self.time(server.command("true"))
            before = memory_kib(server.pid, "VmHWM")
            idle = start(server.command("cat"), self.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            idle.stdin.write(b"x")
            idle.stdin.flush()
            idle.stdout.read(1)
            small = memory_kib(idle.pid, "VmHWM")
            idle.communicate()
            with subprocess.Popen(["head", "-c", str(size), "/dev/zero"], stdout=subprocess.PIPE) as source:
                client = start(server.command(command), self.env, stdin=source.stdout if way == "stdin" else subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL)
                source.stdout.close()
                peak = PeakMemory(client).join()
            if client.returncode != 0:
                raise RuntimeError(f"{size} bytes of {way} failed")
            row.figures[f"server, {way}"] = (memory_kib(server.pid, "VmHWM") - before) / 1024
            row.figures[f"client, {way}"] = (peak - small) / 1024
            server.process.terminate()
        for own in row.figures:
            row.need_number(own, at_most=16)
        return row
