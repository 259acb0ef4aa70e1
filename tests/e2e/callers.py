"""What the tests with programs that call ssh share: their surroundings, the client's configuration, trees of files."""
from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pwd
import signal
import stat
from pathlib import Path
from typing import Any

from harness import BIN, Place, Result, base_environment, marked, run, scaled, wait_for

MIB = 1 << 20
USER = pwd.getpwuid(os.geteuid()).pw_name
SLOW = 300.0  # only a guard: other programs, some of them scripts, on a machine that does other things too

# File names that a shell, a wildcard or a line-wise reader would take for something else.
AWKWARD_NAMES = ["plain", "a b", " blank around ", "two\nlines", "it's", 'say "so"', "ümläut-日本", "*", "[a-z]?",
                 "$HOME", "`id`", "$(id)", "back\\slash", "\\n", "tab\there", "-rf", "~", "#x", "a;b&c|d", "<x>",
                 "{1,2}", "!!", "colon:name", "eq=al", "%h", "\x01\x1b[31m"]


def environment(place: Place, **more: str) -> dict[str, str]:
    """A user's environment, in which `rcmd` is found and has its key."""
    surroundings = base_environment(place.home)
    return surroundings | {"PATH": f"{BIN}:{surroundings['PATH']}"} | more


def call(place: Place, *command: str, env: dict[str, str] | None = None, **options: Any) -> Result:
    """Runs a program, as the user of that place would, to its end."""
    options.setdefault("timeout", SLOW)
    return run(*command, env=environment(place, **(env or {})), **options)


def succeeds(place: Place, *command: str, **options: Any) -> bytes:
    """Runs a program that has to end well, and returns what it wrote on stdout."""
    result = call(place, *command, **options)
    assert result.code == 0, (result.code, result.out[-2000:], result.message[-2000:])
    return result.out


def configure(place: Place, hosts: dict[str, dict[str, Any]]) -> None:
    """Writes the client's configuration file: for each pattern its settings."""
    lines = []
    for pattern, settings in hosts.items():
        lines.append(f"[host.{json.dumps(pattern)}]")
        lines += [f"{name} = {toml(value)}" for name, value in settings.items()]
    (place.home / ".config" / "rcmd" / "config.toml").write_text("\n".join(lines) + "\n")


def toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name} = {toml(each)}" for name, each in value.items()) + " }"
    return json.dumps(value)


def plant(root: Path) -> Path:
    """A tree with names of all kinds, in each of its directories; links, modes, empty files and directories."""
    for directory in [root, root / "a directory", root / "deep" / "de eper" / "ünten"]:
        directory.mkdir(parents=True, exist_ok=True)
        for number, name in enumerate(AWKWARD_NAMES):
            (directory / name).write_bytes(f"{number} {name}\n".encode())
    Path(os.fsdecode(os.fsencode(root) + b"/\xff not UTF-8 \xfe")).write_bytes(b"\xff\0\xfe")
    (root / "empty directory").mkdir()
    (root / "empty").touch()
    (root / "script").write_text("#!/bin/sh\nexit 3\n")
    (root / "script").chmod(0o755)
    (root / "private").write_text("secret\n")
    (root / "private").chmod(0o600)
    (root / "a link").symlink_to("a directory/a b")
    (root / "a dangling link").symlink_to("nowhere at all")
    (root / "large").write_bytes(os.urandom(scaled(8) * MIB + 17))
    os.utime(root / "large", (1_000_000_000, 1_000_000_000))
    return root


def tree(root: Path) -> dict[bytes, tuple[Any, ...]]:
    """All that is below: the kind of each, its mode, its content, and when a file was changed."""
    found: dict[bytes, tuple[Any, ...]] = {}
    for directory, _, _ in os.walk(os.fsencode(root)):
        for entry in os.scandir(directory):
            status = entry.stat(follow_symlinks=False)
            name = os.path.relpath(entry.path, os.fsencode(root))
            if entry.is_symlink():
                found[name] = ("link", os.readlink(entry.path))
            elif entry.is_dir():
                found[name] = ("directory", stat.S_IMODE(status.st_mode))
            else:
                found[name] = ("file", stat.S_IMODE(status.st_mode), int(status.st_mtime), digest(entry.path))
    return found


def contents(root: Path) -> dict[bytes, Any]:
    """As tree, but without modes and times, which not every program keeps."""
    return {name: (what[0], what[-1] if what[0] != "directory" else None) for name, what in tree(root).items()}


def digest(path: Path | bytes | str) -> str:
    summed = hashlib.sha256()
    with open(path, "rb") as source:
        while piece := source.read(MIB):
            summed.update(piece)
    return summed.hexdigest()


def random_file(path: Path, size: int) -> Path:
    with path.open("wb") as out:
        while size > 0:
            size -= out.write(os.urandom(min(size, MIB)))
    return path


def await_the_end_of(name: str) -> None:
    """Waits until no process has that mark any more; what does not end by itself is not left to the next test."""
    try:
        wait_for(lambda: not marked(name), "the processes over there to be gone")
    finally:
        for pid in marked(name):
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
