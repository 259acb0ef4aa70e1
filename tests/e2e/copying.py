"""What the tests of `rcmd cp` share: the ways a copy can go, and what is looked at when it has ended."""
from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path
from typing import Any, Iterator

import pytest

from callers import digest, random_file
from harness import RCMD, Place, Result, base_environment, process, run_rcmd, wait_for

MIB = 1 << 20
BLOCK = 65536  # a file is sent in blocks of so many bytes
HOST = "127.0.0.1"
SLOW = 300.0  # only a guard: this machine does other things too

# Up: from here to there. Down: from there to here. Across: both sides are remote. There is this machine too.
WAYS = ["up", "down", "across"]
each_way = pytest.mark.parametrize("way", WAYS)


def far(path: Path | str | bytes, host: str = HOST) -> str:
    return f"{host}:{os.fsdecode(path)}"


def places(way: str, sources: list[Any], target: Any) -> list[str]:
    """The sources and the target as the command line has them."""
    near = [os.fsdecode(source) for source in sources]
    there = os.fsdecode(target)
    return [far(source) if way != "up" else source for source in near] + [far(there) if way != "down" else there]


def command(way: str, sources: Any, target: Any, *options: str) -> list[str]:
    listed = sources if isinstance(sources, list) else [sources]
    return ["cp", *options, "--", *places(way, listed, target)]


def copy(server: Any, way: str, sources: Any, target: Any, *options: str, **more: Any) -> Result:
    """Runs `rcmd cp` to its end. `server` is one, or a broken network to one together with `place`."""
    more.setdefault("timeout", SLOW)
    place = more.pop("place", None) or server.place
    return run_rcmd(place, *command(way, sources, target, "-P", str(server.port), *options), **more)


def start_copy(server: Any, way: str, sources: Any, target: Any, *options: str, place: Place | None = None, **more: Any) -> Any:
    """Starts `rcmd cp`; to be used in a with statement."""
    more.setdefault("stdin", subprocess.DEVNULL)
    more.setdefault("stdout", subprocess.PIPE)
    more.setdefault("stderr", subprocess.PIPE)
    words = command(way, sources, target, "-P", str(server.port), *options)
    return process(RCMD, *words, env=base_environment((place or server.place).home), **more)


def well(result: Result) -> None:
    """All is copied, and there was nothing to say."""
    assert (result.code, result.out, result.err) == (0, b"", b""), result


def complains(result: Result, *about: str, code: int = 1) -> list[str]:
    """Some files are not copied: a line for each, that names it."""
    lines = result.message.splitlines()
    assert (result.code, result.out) == (code, b""), result
    assert len(lines) == len(about), lines
    for line in lines:
        assert line.startswith("rcmd: ") and len(line) < 2000, lines
    for name in about:
        assert any(name in line for line in lines), (name, lines)
    return lines


def parts(root: Path) -> list[str]:
    """What copies that did not end have left below a directory."""
    return [os.path.join(at, name) for at, _, names in os.walk(root) for name in names if name.endswith(".rcmd-part")]


def part_sizes(root: Path) -> list[int]:
    sizes = []
    for part in parts(root):
        with contextlib.suppress(OSError):  # it has just got its name
            sizes.append(os.stat(part).st_size)
    return sizes


def await_part(root: Path, size: int) -> None:
    """Waits until a file under way below a directory has grown to that size."""
    wait_for(lambda: any(each >= size for each in part_sizes(root)), f"{size} bytes of a file under way")


def without_cuts() -> Iterator[int]:
    return iter([])
