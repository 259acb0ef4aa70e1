"""What every end-to-end test needs: a home with a key, a running server, the client, and ways to wait."""
from __future__ import annotations

import base64
import fcntl
import json
import os
import re
import select
import signal
import struct
import subprocess
import termios
import time
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Callable, Iterator

import wire

REPOSITORY = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("RCMD_BIN_DIR") or REPOSITORY / "build" / "release").resolve()
RCMD = str(BIN / "rcmd")
RCMD_SERVER = str(BIN / "rcmd-server")

# Sizes and counts are divided by this: 1 in a release build, more under a sanitizer.
SCALE = int(os.environ.get("RCMD_TEST_SCALE") or 1)
SANITIZED = SCALE != 1
MEASURE_MEMORY = not SANITIZED
# Only guards against hangs; no test depends on being quicker.
DEADLINE = 60.0
AS_ROOT = os.geteuid() == 0
SANITIZER_OPTIONS = ("ASAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS")
SANITIZER_REPORT = re.compile(r"AddressSanitizer|ThreadSanitizer|LeakSanitizer|runtime error:")

# How rcmd says on stderr which of the two it was.
NEVER_STARTED = re.compile(r"(never|not) (been )?(started|run|executed)|nothing was (started|run)", re.I)
MAY_HAVE_RUN = re.compile(r"may have|unknown whether|outcome (is )?unknown|how it ended is unknown", re.I)


def scaled(count: int, least: int = 1) -> int:
    """A size or a count of the specification, reduced under a sanitizer."""
    return max(least, count // SCALE)


def wait_for(condition: Callable[[], Any], what: str, deadline: float = DEADLINE) -> Any:
    """Polls until the condition is true and returns its value; fails when the deadline has passed."""
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"waited {deadline} s in vain for: {what}"
        time.sleep(0.01)


def base_environment(home: Path) -> dict[str, str]:
    environment = {"HOME": str(home), "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
                   "LANG": "C.UTF-8", "SHELL": "/bin/sh", "USER": "tester", "TERM": "dumb"}
    for name in SANITIZER_OPTIONS:
        if name in os.environ:
            environment[name] = os.environ[name]
    return environment


@dataclass
class Result:
    """How a program ended, and what it wrote."""

    code: int
    out: bytes
    err: bytes

    @property
    def message(self) -> str:
        return self.err.decode("utf-8", "replace")

    @property
    def json(self) -> dict[str, Any]:
        lines = self.out.splitlines()
        assert len(lines) == 1, f"one JSON object on one line was expected: {self.out!r} {self.message}"
        return json.loads(lines[0])

    def failed_by_itself(self) -> None:
        """255, with exactly one line on stderr that begins with the program's name."""
        assert self.code == 255, self
        lines = self.message.splitlines()
        assert len(lines) == 1 and lines[0].startswith("rcmd: "), self.message


class Place:
    """A temporary home with a key, and the authorized_keys and state directory of a server."""

    def __init__(self, root: Path, key_id: str = "tester@here"):
        self.root = root
        self.home = root / "home"
        self.key = wire.Key(key_id, os.urandom(32))
        self.key_file = self.home / ".config" / "rcmd" / "key"
        self.key_file.parent.mkdir(parents=True)
        write_private(self.key_file, self.key.file_text())
        self.authorized_keys = root / "authorized_keys"
        self.state = root / "state"
        self.authorize(self.key)

    def authorize(self, *keys: wire.Key) -> None:
        """Replaces authorized_keys by a line for each key."""
        self.write_authorized("".join(authorized_line(key) + "\n" for key in keys))

    def write_authorized(self, text: str) -> None:
        fresh = self.authorized_keys.with_suffix(".new")
        write_private(fresh, text)
        fresh.replace(self.authorized_keys)

    def add_key_file(self, name: str, key: wire.Key) -> str:
        path = self.home / name
        write_private(path, key.file_text())
        return str(path)


def authorized_line(key: wire.Key, options: str | None = None) -> str:
    """The key's line, with the user that a server started by root demands."""
    if options is None:
        options = "user=root" if AS_ROOT else ""
    return f"{key.authorized_line(os.urandom(16))} {options}".rstrip()


def write_private(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o600)


@contextmanager
def process(*command: str, **options: Any) -> Iterator[subprocess.Popen]:
    """A process that is gone when the block is left."""
    child = subprocess.Popen(command, **options)
    try:
        yield child
    finally:
        if child.poll() is None:
            child.kill()
        child.wait()
        for stream in (child.stdin, child.stdout, child.stderr):
            if stream:
                try:
                    stream.close()
                except BrokenPipeError:
                    pass


def run(*command: str, input: bytes | None = None, timeout: float = DEADLINE, **options: Any) -> Result:
    if input is not None:
        options["input"] = input
    else:
        options.setdefault("stdin", subprocess.DEVNULL)
    options.setdefault("stdout", subprocess.PIPE)
    options.setdefault("stderr", subprocess.PIPE)
    done = subprocess.run(command, timeout=timeout, **options)
    result = Result(done.returncode, done.stdout or b"", done.stderr or b"")
    assert not SANITIZER_REPORT.search(result.message), result.message
    return result


def run_rcmd(place: Place, *arguments: str, env: dict[str, str] | None = None, **options: Any) -> Result:
    """Runs the client to its end, with nothing on its stdin unless `input` or `stdin` is given."""
    return run(RCMD, *arguments, env=base_environment(place.home) | (env or {}), **options)


def run_server(place: Place, *options: str) -> Result:
    """Runs a server that is expected to end by itself."""
    return run(*server_command(place, *options), env=base_environment(place.home))


def server_command(place: Place, *options: str) -> list[str]:
    command = [RCMD_SERVER, "--authorized-keys", str(place.authorized_keys), "--state-dir", str(place.state)]
    if "--listen" not in options:
        command += ["--listen", "127.0.0.1:0"]
    return command + list(options)


class Server:
    """A real server on a free port of the loopback interface."""

    started = 0

    def __init__(self, place: Place, *options: str, env: dict[str, str] | None = None, preexec: Any = None):
        Server.started += 1
        self.place = place
        self.log_path = place.root / f"server-{Server.started}.log"
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(
                server_command(place, *options), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=log,
                env=base_environment(place.home) | (env or {}), preexec_fn=preexec)
        self.pid = self.process.pid
        self.killed = False
        try:
            self.port = self._read_port()
        except BaseException:
            self.process.kill()
            self.process.wait()
            raise

    def _read_port(self) -> int:
        line = b""
        end = time.monotonic() + DEADLINE
        readable = select.poll()
        readable.register(self.process.stdout, select.POLLIN)
        while not line.endswith(b"\n"):
            ready = readable.poll(max(0.0, end - time.monotonic()) * 1000)
            piece = os.read(self.process.stdout.fileno(), 1) if ready else b""
            assert piece, f"no readiness line: {line!r}, log: {self.log()}"
            line += piece
        match = re.fullmatch(rb"listening on 127\.0\.0\.1:(\d+)\n", line)
        assert match, line
        return int(match.group(1))

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def log(self) -> str:
        return self.log_path.read_bytes().decode("utf-8", "replace")

    def rcmd(self, *words: str, options: tuple[str, ...] | list[str] = (), **more: Any) -> Result:
        """Runs `rcmd OPTIONS HOST WORDS`."""
        return run_rcmd(self.place, *options, self.host, *words, **more)

    def start_rcmd(self, *words: str, options: tuple[str, ...] | list[str] = (), **more: Any) -> Any:
        """Starts `rcmd OPTIONS HOST WORDS`; to be used in a with statement."""
        environment = base_environment(self.place.home) | more.pop("env", {})
        more.setdefault("stdin", subprocess.DEVNULL)
        return process(RCMD, *options, self.host, *words, env=environment, **more)

    def login(self, key: wire.Key | None = None, **options: Any) -> wire.Wire:
        """A connection of the independent client, authenticated."""
        return wire.Wire(self.port, key or self.place.key, **options).login()

    def serves(self) -> bool:
        """Whether an honest client gets what it asks for."""
        result = self.rcmd("echo honest; exit 3")
        assert (result.code, result.out) == (3, b"honest\n"), (result, self.log()[-3000:])
        return True

    def kill(self) -> None:
        """Ends the server as a crash would; there is nothing to stop any more."""
        self.process.kill()
        self.process.wait()
        self.killed = True

    def stop(self) -> None:
        """Ends the server as an administrator would, and looks at what it leaves."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"the server ignored SIGTERM: {self.log()[-3000:]}") from None
        finally:
            self.process.stdout.close()
        assert not SANITIZER_REPORT.search(self.log()), self.log()
        assert code == 0 or self.killed, f"the server ended with {code}: {self.log()[-3000:]}"


def mark() -> str:
    """A name for --env that no other process on the machine has."""
    return f"MARK_{uuid.uuid4().hex}"


def marked(name: str) -> list[int]:
    """The processes whose environment has that name, zombies aside."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if name.encode() + b"=" in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                pass
    return found


def marked_programs(name: str) -> list[str]:
    """The names of the programs that these processes are."""
    found = []
    for pid in marked(name):
        try:
            found.append(Path(f"/proc/{pid}/comm").read_text().strip())
        except OSError:
            pass  # it has ended meanwhile
    return found


def unread(pipe: BinaryIO) -> int:
    """How many bytes are in it."""
    return struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, b"1234"))[0]


def process_state(pid: int) -> str:
    """The state letter of a process, empty when there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def children(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += [int(child) for child in (task / "children").read_text().split()]
    return found


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def memory_kib(pid: int, field: str = "VmRSS") -> int:
    """VmRSS, or VmHWM for the most that it has ever been."""
    match = re.search(rf"{field}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert match, f"no {field} of {pid}"
    return int(match.group(1))


def from_base64(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
