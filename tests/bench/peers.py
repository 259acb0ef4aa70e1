"""The contenders: each a server on loopback and how to run commands on it, as the same user with /bin/sh."""
from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Callable

from accounts import can_have_mounts_of_its_own, with_own_account
from harness import Place, base_environment, wait_for
from processes import start, stop

HERE = Path(__file__).resolve().parent
HOST = "127.0.0.1"


def free_port() -> int:
    with socket.create_server((HOST, 0)) as listening:
        return listening.getsockname()[1]


def answers(port: int) -> bool:
    try:
        socket.create_connection((HOST, port), timeout=1).close()
        return True
    except OSError:
        return False


class Surroundings:
    """A home of the benchmark's own; what is started in it ends with it. Where that is possible, which takes root, the servers see an
    account whose home that is and whose shell is /bin/sh."""

    def __init__(self, directory: Path, programs: Path, stack: ExitStack):
        self.place = Place(directory / "place")
        self.programs = programs
        self.env = base_environment(self.place.home)
        self._stack = stack
        self.own_account: Callable[[], None] | None = None
        if can_have_mounts_of_its_own():
            self.own_account = with_own_account(directory / "passwd", shell="/bin/sh", home=str(self.place.home))

    @property
    def home(self) -> Path:
        return self.place.home

    def program(self, name: str) -> str:
        return str(self.programs / name)

    def start_server(self, command: list[str], env: dict[str, str] | None = None, **options: object) -> subprocess.Popen:
        process = start(command, self.env | (env or {}), self.own_account, cwd=self.home, **options)
        self._stack.callback(stop, process)
        return process

    def start_client(self, command: list[str], **options: object) -> subprocess.Popen:
        process = start(command, self.env, **options)
        self._stack.callback(stop, process)
        return process

    def log(self, name: str) -> object:
        return self._stack.enter_context((self.place.root / f"{name}.log").open("wb"))


class Rcmd:
    """`ballast`: how many bytes the server is made to hold."""

    def __init__(self, world: Surroundings, ballast: int = 0):
        self._world = world
        env = {"LD_PRELOAD": world.program("tests/bench/libbench_ballast.so"), "BENCH_BALLAST": str(ballast)} if ballast else {}
        state = world.place.root / f"state-{free_port()}"
        # Thousands of sessions begin here at once, all from one address.
        command = [world.program("rcmd-server"), "--listen", f"{HOST}:0", "--authorized-keys", str(world.place.authorized_keys),
                   "--state-dir", str(state), "--max-sessions", "20000", "--max-jobs", "20000"]
        self.process = world.start_server(command, env, stdout=subprocess.PIPE, stderr=world.log(state.name))
        self.pid = self.process.pid
        self.port = int(self.process.stdout.readline().rsplit(b":", 1)[1])

    def command(self, *words: str, port: int | None = None, options: tuple[str, ...] = ()) -> list[str]:
        return [self._world.program("rcmd"), *options, f"{HOST}:{port or self.port}", *words]

    def sessions(self, count: int) -> list[subprocess.Popen]:
        """Opens sessions that do nothing, from processes with at most 1,000 each."""
        sizes = [1000] * (count // 1000) + [count % 1000] * (count % 1000 > 0)
        helpers = [self._world.start_client(
            [self._world.program("bench_sessions"), str(size), f"{HOST}:{self.port}"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE) for size in sizes]
        for helper in helpers:
            if helper.stdout.readline() != b"ready\n":
                raise RuntimeError("the sessions could not be opened")
        return helpers


class OpenSsh:
    """sshd with a configuration of its own; `master()` opens the connection that a ControlMaster keeps."""

    CIPHER = "aes128-gcm@openssh.com"

    def __init__(self, world: Surroundings):
        self._world = world
        self.directory = world.place.root / "openssh"
        self.directory.mkdir()
        for name in ("host", "key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.directory / name)], check=True)
        shutil.copy(self.directory / "key.pub", self.directory / "authorized_keys")
        self.port = free_port()
        (self.directory / "sshd_config").write_text(f"""ListenAddress {HOST}:{self.port}
HostKey {self.directory}/host
AuthorizedKeysFile {self.directory}/authorized_keys
StrictModes no
UsePAM no
PidFile none
PrintMotd no
MaxStartups 1000
LogLevel ERROR
""")
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)  # Debian's sshd does not start without it
        sshd = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/usr/bin")
        self.pid = world.start_server([sshd, "-D", "-e", "-f", str(self.directory / "sshd_config")], stderr=world.log("sshd")).pid
        wait_for(lambda: answers(self.port), "sshd to listen")

    @staticmethod
    def installed() -> bool:
        return bool(shutil.which("ssh") and shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/usr/bin"))

    def command(self, *words: str, port: int | None = None, options: tuple[str, ...] = ()) -> list[str]:
        return ["ssh", "-F", "none", "-p", str(port or self.port), "-i", str(self.directory / "key"), "-c", self.CIPHER,
                "-o", f"UserKnownHostsFile={self.directory}/known_hosts", "-o", "StrictHostKeyChecking=no", "-o", "BatchMode=yes",
                "-o", "LogLevel=ERROR", "-o", "IdentitiesOnly=yes", *options, HOST, *words]

    def master(self, name: str = "master") -> tuple[str, ...]:
        """Opens one; returns the options with which a client uses it."""
        path = self.directory / name
        use = ("-o", f"ControlPath={path}")
        self._world.start_client(self.command(options=(*use, "-M", "-N")))
        wait_for(path.exists, "the master connection to be open")
        return use


class Dropbear:
    """As root only: it looks for authorized_keys nowhere but in the account's home."""

    def __init__(self, world: Surroundings):
        directory = world.place.root / "dropbear"
        directory.mkdir()
        for name in ("host", "key"):
            subprocess.run(["dropbearkey", "-t", "ed25519", "-f", str(directory / name)], check=True, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)
        public = subprocess.run(["dropbearkey", "-y", "-f", str(directory / "key")], check=True, capture_output=True, text=True).stdout
        keys = world.home / ".ssh" / "authorized_keys"
        keys.parent.mkdir(mode=0o700)
        keys.write_text(next(line for line in public.splitlines() if line.startswith("ssh-")) + "\n")
        keys.chmod(0o600)
        self.port = free_port()
        self._key = str(directory / "key")
        world.start_server([shutil.which("dropbear", path="/usr/sbin:/usr/bin"), "-F", "-E", "-r", str(directory / "host"), "-p",
                            f"{HOST}:{self.port}", "-P", str(directory / "pid")], stderr=world.log("dropbear"))
        wait_for(lambda: answers(self.port), "dropbear to listen")

    @staticmethod
    def installed() -> bool:
        return bool(shutil.which("dbclient") and shutil.which("dropbear", path="/usr/sbin:/usr/bin"))

    def command(self, *words: str) -> list[str]:
        return ["dbclient", "-y", "-i", self._key, "-p", str(self.port), HOST, *words]


class Seed:
    def __init__(self, world: Surroundings):
        self._secret = world.place.root / "secret"
        self._secret.write_bytes(os.urandom(32))
        server = world.start_server([sys.executable, "-B", str(HERE / "seed.py"), "server", str(self._secret)], stdout=subprocess.PIPE)
        self._port = server.stdout.readline().decode().strip()

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-B", str(HERE / "seed.py"), "client", str(self._secret), self._port, *words]
