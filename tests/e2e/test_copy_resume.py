"""rcmd cp when something breaks: it goes on where it was, and the target is at every moment the old file or the new one."""
from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import threading
from pathlib import Path
from typing import Any, Callable

import pytest

from callers import contents, plant
from copying import (BLOCK, MIB, SLOW, await_part, copy, digest, each_way, part_sizes, parts, random_file, start_copy, well,
                     without_cuts)
from cutter import at_random, cutter
from harness import RCMD_SERVER, Server, run, scaled, wait_for

MakeServer = Callable[..., Server]
SIZE = 24 * MIB
BROKEN_AT = 8 * MIB
# What a copy says besides the content: a few bytes for each block, the login, the acknowledgements.
SAID = 512 * 1024


def slowly(server: Server) -> Any:
    """A network on which a copy of SIZE lasts long enough to be broken."""
    return cutter(server, without_cuts(), delay=0.005)


def starts(server: Server) -> int:
    return server.log().count(" info job job=")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "source").mkdir()
    return random_file(tmp_path / "source" / "name", SIZE)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """A file that is there already."""
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "name").write_bytes(b"old")
    return tmp_path / "target" / "name"


def break_off(server: Server, way: str, source: Path, target: Path, number: int, *options: str) -> int:
    """Ends a copy by a signal in the midst of the file; returns how the client ended."""
    before = len(parts(target.parent))
    with slowly(server) as proxy, start_copy(proxy, way, source, target, *options, place=server.place) as client:
        wait_for(lambda: len(parts(target.parent)) > before and part_sizes(target.parent)[-1] > 0 or client.poll() is not None,
                 "a file under way")
        wait_for(lambda: min(part_sizes(target.parent), default=0) >= BROKEN_AT or client.poll() is not None, "the file to grow")
        assert client.poll() is None, client.stderr.read()
        client.send_signal(number)
        client.communicate(timeout=SLOW)
    return client.returncode


def newest_part_size(folder: Path) -> int:
    """Of the copy that was broken off last: one of another source may lie beside it."""
    return max(((folder / name).stat() for name in parts(folder)), key=lambda status: status.st_mtime_ns).st_size


def goes_on(server: Server, way: str, source: Path, target: Path, *options: str) -> None:
    """Copies again, over a network that would break if all were sent again; it is complete then."""
    there = newest_part_size(target.parent)
    assert there >= BROKEN_AT
    with cutter(server, iter([(source.stat().st_size - there) * (2 if way == "across" else 1) + SAID])) as proxy:
        well(copy(proxy, way, source, target, *options, place=server.place))
        assert proxy.cut == 0, "more was sent than what was missing"
    assert digest(target) == digest(source)


def receivers(target: Path) -> list[int]:
    """The processes at the far end that write that target."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                words = (entry / "cmdline").read_bytes().split(b"\0")
                if b"copy-receive" in words and os.fsencode(target) in words:
                    found.append(int(entry.name))
    return found


# The connection breaks.

CUTS = scaled(60, least=10)


@pytest.mark.parametrize("way", ["up", "down"])
def test_a_large_file_over_a_network_that_breaks(server: Server, tmp_path: Path, way: str) -> None:
    size = scaled(192) * MIB
    source = random_file(tmp_path / "source", size)
    before = starts(server)
    with cutter(server, at_random(11, CUTS, size // (2 * CUTS), size * 20 // (21 * CUTS))) as proxy:
        well(copy(proxy, way, source, tmp_path / "target", "-q", place=server.place))
        assert proxy.cut == CUTS
    assert digest(tmp_path / "target") == digest(source) and parts(tmp_path) == []
    wait_for(lambda: starts(server) == before + 1, "the one job")


@each_way
@pytest.mark.parametrize("network", [{}, {"how": "reset"}, {"piece": 1400, "how": "reset"}], ids=["close", "reset", "split"])
def test_a_tree_over_a_network_that_breaks(server: Server, tmp_path: Path, way: str, network: dict[str, Any]) -> None:
    source = plant(tmp_path / "source")
    for number in range(scaled(400)):
        (source / f"small {number}").write_bytes(os.urandom(number * 10))
    with cutter(server, at_random(12, 20, 3000, 120_000), **network) as proxy:
        well(copy(proxy, way, source, tmp_path / "target", "-q", "-r", place=server.place))
        assert proxy.cut == 20
    assert contents(tmp_path / "target") == contents(source)


@pytest.mark.parametrize("way", ["up", "down"])
def test_a_network_that_falls_silent(server: Server, tmp_path: Path, way: str) -> None:
    source = random_file(tmp_path / "source", 3 * MIB)
    with cutter(server, iter([MIB]), how="stall") as proxy:
        result = copy(proxy, way, source, tmp_path / "target", place=server.place)
    told = result.message.splitlines()
    assert (result.code, len(told)) == (0, 2) and "was lost" in told[0] and "again" in told[1], result
    assert digest(tmp_path / "target") == digest(source)


@pytest.mark.parametrize("way", ["up", "down"])
def test_without_keep_a_cut_ends_it_and_the_next_one_goes_on(server: Server, source: Path, target: Path, way: str) -> None:
    with cutter(server, iter([16 * MIB])) as proxy:
        result = copy(proxy, way, source, target, "--keep", "0", place=server.place)
    assert result.code == 255 and "the connection was lost" in result.message, result
    assert target.read_bytes() == b"old"
    wait_for(lambda: not receivers(target), "the far end to be gone")
    goes_on(server, way, source, target)
    assert os.listdir(target.parent) == ["name"]


# The client is ended.


@each_way
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP], ids=lambda number: number.name)
def test_the_next_copy_goes_on_where_one_was_ended(make_server: MakeServer, source: Path, target: Path, way: str,
                                                  number: signal.Signals) -> None:
    server = make_server()
    code = break_off(server, way, source, target, number)
    assert code == (-number if number == signal.SIGKILL else 128 + number)
    assert target.read_bytes() == b"old"
    goes_on(server, way, source, target)
    server.stop()  # with what still lingers for the client that is no more
    assert os.listdir(target.parent) == ["name"]


@each_way
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_an_ended_copy_says_so_in_one_line(server: Server, source: Path, target: Path, way: str, number: signal.Signals) -> None:
    with slowly(server) as proxy, start_copy(proxy, way, source, target, place=server.place) as client:
        await_part(target.parent, MIB)
        client.send_signal(number)
        _, err = client.communicate(timeout=SLOW)
    [line] = err.decode().splitlines()
    assert line.startswith("rcmd: ") and "before it was complete" in line


@pytest.mark.parametrize("way", ["up", "across"])
def test_while_the_first_ones_job_still_lingers(make_server: MakeServer, source: Path, target: Path, way: str) -> None:
    """What it has is taken over although it still has its hands on it."""
    server = make_server()
    break_off(server, way, source, target, signal.SIGKILL)
    assert receivers(target), "nothing lingers"
    goes_on(server, way, source, target)
    break_off(server, way, random_file(source, SIZE), target, signal.SIGKILL)
    goes_on(server, way, source, target)
    server.stop()
    assert os.listdir(target.parent) == ["name"]


@pytest.mark.parametrize("way", ["up", "across"])
def test_two_are_ended_while_they_overlap(make_server: MakeServer, source: Path, target: Path, way: str) -> None:
    """The second one cannot have the first one's file. When the third is complete, nothing of both is left."""
    server = make_server()
    for _ in range(2):
        break_off(server, way, source, target, signal.SIGKILL, "--keep", "1h")
    assert run(RCMD_SERVER, "kill", "-s", "HUP", "--state-dir", str(server.place.state), server.place.key.key_id).code == 0
    wait_for(lambda: not receivers(target), "the jobs to be given up")
    goes_on(server, way, source, target)
    assert os.listdir(target.parent) == ["name"]


def test_ended_again_and_again(server: Server, source: Path, target: Path) -> None:
    """Each one goes on with what the one before has left."""
    reached = 0
    for quarter in range(1, 4):
        with slowly(server) as proxy, start_copy(proxy, "down", source, target, place=server.place) as client:
            await_part(target.parent, max(1, quarter * SIZE // 5))
            client.kill()
        [size] = part_sizes(target.parent)
        assert size > reached
        reached = size
    goes_on(server, "down", source, target)
    assert os.listdir(target.parent) == ["name"]


@each_way
def test_a_tree_goes_on_too(server: Server, tmp_path: Path, way: str) -> None:
    source, target = tmp_path / "source", tmp_path / "target" / "below"
    (source / "a").mkdir(parents=True)
    target.parent.mkdir()
    random_file(source / "a" / "large", SIZE)
    for number in range(100):
        (source / f"small {number}").write_bytes(os.urandom(number * 10))
    with slowly(server) as proxy, start_copy(proxy, way, source, target, "-rp", place=server.place) as client:
        await_part(target.parent, BROKEN_AT)
        client.terminate()
        client.wait(SLOW)
    wait_for(lambda: not receivers(target), "the far end to be gone")
    there = max(part_sizes(target.parent))
    with cutter(server, iter([(SIZE - there) * (2 if way == "across" else 1) + SAID])) as proxy:
        well(copy(proxy, way, f"{source}/.", target, "-rp", place=server.place))
        assert proxy.cut == 0, "more was sent than what was missing"
    assert contents(target) == contents(source) and parts(target) == []


# The source, or what is left of it, is not what it was.


@each_way
def test_other_content_of_the_same_size_and_time(server: Server, source: Path, target: Path, way: str) -> None:
    os.utime(source, ns=(10**18, 10**18))
    break_off(server, way, source, target, signal.SIGTERM)
    random_file(source, SIZE)
    os.utime(source, ns=(10**18, 10**18))
    well(copy(server, way, source, target))
    assert digest(target) == digest(source) and os.listdir(target.parent) == ["name"]


@each_way
def test_other_content_behind_what_was_sent(server: Server, source: Path, target: Path, way: str) -> None:
    os.utime(source, ns=(10**18, 10**18))
    break_off(server, way, source, target, signal.SIGTERM)
    with source.open("r+b") as out:
        out.seek(SIZE - 100)
        out.write(b"changed")
    os.utime(source, ns=(10**18, 10**18))
    goes_on(server, way, source, target)
    assert os.listdir(target.parent) == ["name"]


@each_way
@pytest.mark.parametrize("size", [100, 2 * MIB, SIZE, SIZE + 1, SIZE + 5 * BLOCK])
def test_another_source_is_a_new_copy(server: Server, source: Path, target: Path, way: str, size: int) -> None:
    os.utime(source, (1000, 1000))
    break_off(server, way, source, target, signal.SIGTERM)
    random_file(source, size)
    well(copy(server, way, source, target))
    assert digest(target) == digest(source)


def plant_part(kind: str, part: Path, bystander: Path) -> None:
    """Puts something else where the next copy looks for what is left."""
    content = part.read_bytes()
    part.unlink()
    if kind == "link":
        part.symlink_to(bystander)
    elif kind == "dangling-link":
        part.symlink_to(bystander.with_name("nowhere"))
    elif kind == "hard-link":
        part.hardlink_to(bystander)
    elif kind == "fifo":
        os.mkfifo(part)
    elif kind == "directory":
        part.mkdir()
    else:
        part.write_bytes({"empty": b"", "odd": content[:BROKEN_AT - 777], "garbage": os.urandom(len(content)),
                          "garbage-at-the-end": content[:-100] + bytes(100), "longer": content + os.urandom(SIZE),
                          "holes": b""}[kind])
        if kind == "holes":
            os.truncate(part, SIZE)


@pytest.mark.parametrize("way", ["up", "down"])
@pytest.mark.parametrize("kind", ["link", "dangling-link", "hard-link", "fifo", "directory", "empty", "odd", "garbage",
                                  "garbage-at-the-end", "longer", "holes"])
def test_what_is_left_is_not_trusted(server: Server, tmp_path: Path, source: Path, target: Path, way: str, kind: str) -> None:
    bystander = random_file(tmp_path / "bystander", SIZE)
    before = digest(bystander)
    break_off(server, way, source, target, signal.SIGTERM)
    [part] = parts(target.parent)
    plant_part(kind, Path(part), bystander)
    well(copy(server, way, source, target))
    assert digest(target) == digest(source) and not target.is_symlink() and target.stat().st_nlink == 1
    assert digest(bystander) == before and not (tmp_path / "nowhere").exists()
    left = set(os.listdir(target.parent)) - {"name"}
    assert left <= ({os.path.basename(part)} if kind in ("link", "dangling-link", "hard-link", "fifo", "directory") else set())


@pytest.mark.parametrize("way", ["up", "down"])
def test_a_complete_rest_is_enough(server: Server, source: Path, target: Path, way: str) -> None:
    """All had arrived, but for its name."""
    break_off(server, way, source, target, signal.SIGTERM)
    [part] = parts(target.parent)
    Path(part).write_bytes(source.read_bytes())
    goes_on(server, way, source, target)
    assert os.listdir(target.parent) == ["name"]


@pytest.mark.parametrize("way", ["up", "down"])
def test_a_sparse_file_goes_on(server: Server, tmp_path: Path, target: Path, way: str) -> None:
    source = random_file(tmp_path / "sparse", SIZE)
    with source.open("r+b") as out:
        out.truncate(64 * MIB)
        out.seek(64 * MIB)
        out.write(b"end")
    break_off(server, way, source, target, signal.SIGTERM)
    goes_on(server, way, source, target)
    assert target.stat().st_blocks * 512 < 2 * SIZE and os.listdir(target.parent) == ["name"]


# The far end is ended.


@pytest.mark.parametrize("way", ["up", "down"])
def test_the_server_is_killed_and_started_again(make_server: MakeServer, source: Path, target: Path, way: str) -> None:
    server = make_server()
    with slowly(server) as proxy, start_copy(proxy, way, source, target, "-q", place=server.place) as client:
        await_part(target.parent, BROKEN_AT)
        server.kill()
        again = make_server("--listen", f"127.0.0.1:{server.port}", place=server.place)
        _, err = client.communicate(timeout=SLOW)
    assert client.returncode == 255 and len(err.splitlines()) == 1 and b"restarted" in err, (client.returncode, err)
    assert target.read_bytes() == b"old"
    wait_for(lambda: not receivers(target), "the far end to be gone")
    goes_on(again, way, source, target)
    assert os.listdir(target.parent) == ["name"]


@pytest.mark.parametrize("way", ["up", "down"])
def test_the_server_is_stopped(make_server: MakeServer, source: Path, target: Path, way: str) -> None:
    server = make_server()
    with slowly(server) as proxy, start_copy(proxy, way, source, target, "-q", place=server.place) as client:
        await_part(target.parent, BROKEN_AT)
        server.stop()
        _, err = client.communicate(timeout=SLOW)
    assert client.returncode not in (0, 1) and len(err.splitlines()) == 1, (client.returncode, err)
    assert target.read_bytes() == b"old"
    goes_on(make_server(), way, source, target)
    assert os.listdir(target.parent) == ["name"]


@pytest.mark.parametrize("way", ["up", "across"])
def test_the_process_at_the_far_end_is_killed(server: Server, source: Path, target: Path, way: str) -> None:
    with slowly(server) as proxy, start_copy(proxy, way, source, target, place=server.place) as client:
        await_part(target.parent, BROKEN_AT)
        [receiver] = receivers(target)
        os.kill(receiver, signal.SIGKILL)
        _, err = client.communicate(timeout=SLOW)
    assert client.returncode not in (0, 1) and len(err.splitlines()) == 1, (client.returncode, err)
    assert target.read_bytes() == b"old"
    goes_on(server, way, source, target)
    assert os.listdir(target.parent) == ["name"]


# At every moment.


class Reader:
    """Reads a file over and over; each time it has to be one of the known contents, whole."""

    def __init__(self, path: Path):
        self._path = path
        self._known: set[str] = set()
        self._done = threading.Event()
        self.read = 0
        self.wrong: list[str] = []
        self._thread = threading.Thread(target=self._run, daemon=True)

    def may_be(self, path: Path) -> None:
        self._known.add(digest(path))

    def __enter__(self) -> Reader:
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._done.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._done.is_set() and not self.wrong:
            try:
                if digest(self._path) not in self._known:
                    self.wrong.append(f"{self._path.stat().st_size} bytes of something else")
            except OSError as problem:
                self.wrong.append(str(problem))
            self.read += 1


@each_way
def test_at_every_moment_the_target_is_the_old_file_or_a_new_one(make_server: MakeServer, tmp_path: Path, way: str) -> None:
    """Copies of other contents of one size and time, each ended at some moment: at once, in its midst, never."""
    server = make_server()
    chance = random.Random(way)
    (tmp_path / "target").mkdir()
    source, target = tmp_path / "name", random_file(tmp_path / "target" / "name", 3 * MIB)
    endings = [signal.SIGKILL, signal.SIGTERM, signal.SIGINT]
    reader = Reader(target)
    reader.may_be(target)
    with reader:
        for _ in range(scaled(40, least=8)):
            random_file(source, 3 * MIB)
            os.utime(source, (1000, 1000))
            reader.may_be(source)
            with start_copy(server, way, source, target) as client:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    client.wait(chance.random() * 0.2)  # the moment is to be any
                client.send_signal(chance.choice(endings))
                client.communicate(timeout=SLOW)
            assert reader.wrong == []
        wait_for(lambda: reader.read > 20, "the reader to have had its turns")
        well(copy(server, way, source, target))
        assert digest(target) == digest(source)
    assert reader.wrong == []


@pytest.mark.parametrize("way", ["up", "down"])
def test_files_that_arrived_before_the_end_are_whole(server: Server, tmp_path: Path, way: str) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    for number in range(400):
        random_file(source / str(number), 50_000)
    with slowly(server) as proxy, start_copy(proxy, way, source, target, "-r", place=server.place) as client:
        wait_for(lambda: target.exists() and len(os.listdir(target)) - len(parts(target)) > 50, "some files")
        client.terminate()
        client.wait(SLOW)
    wait_for(lambda: not receivers(target), "the far end to be gone")
    arrived = os.listdir(target)
    assert 50 < len(arrived) < 400 and parts(target) == []
    for name in arrived:
        assert digest(target / name) == digest(source / name), name
    well(copy(server, way, f"{source}/.", target, "-r"))
    assert contents(target) == contents(source)
