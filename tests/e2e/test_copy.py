"""rcmd cp: what arrives, where it arrives, and what is said of what does not."""
from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import pty
import pwd
import re
import select
import shlex
import shutil
import socket
import stat
import struct
import subprocess
import tempfile
import termios
import uuid
from pathlib import Path
from typing import Any, Callable, Iterator

import pexpect
import pytest

from accounts import USER, can_have_mounts_of_its_own, with_accounts
from callers import configure, contents, plant, tree
from copying import (BLOCK, HOST, MIB, SLOW, await_part, command, complains, copy, digest, each_way, far, parts, random_file,
                     start_copy, well, without_cuts)
from cutter import cutter
from harness import (AS_ROOT, MEASURE_MEMORY, RCMD, Place, Server, authorized_line, base_environment, memory_kib, process, run,
                     run_rcmd, scaled, wait_for)

MakePlace = Callable[..., Place]
MakeServer = Callable[..., Server]
MASK = 0o027
SECOND = 1_000_000_000  # in nanoseconds


@pytest.fixture(scope="module")
def masked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose commands make files with that umask."""
    running = Server(Place(tmp_path_factory.mktemp("masked")), preexec=lambda: os.umask(MASK))
    yield running
    running.stop()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def file(path: Path, content: bytes | None = None, permissions: int = 0o644) -> Path:
    path.write_bytes(os.urandom(1000) if content is None else content)
    path.chmod(permissions)
    return path


def folder(path: Path) -> Path:
    path.mkdir()
    return path


# One file.


@each_way
def test_a_file_arrives(server: Server, tmp_path: Path, way: str) -> None:
    source = random_file(tmp_path / "source", 100_000)
    well(copy(server, way, source, tmp_path / "target"))
    assert (tmp_path / "target").read_bytes() == source.read_bytes()
    assert sorted(os.listdir(tmp_path)) == ["source", "target"]


SIZES = [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, MIB - 1, MIB, MIB + 1, MIB + BLOCK, 3 * MIB + 17]


@each_way
def test_sizes(server: Server, tmp_path: Path, way: str) -> None:
    """Those around which a piece, a window or the question of what is there already begins."""
    sources = [random_file(tmp_path / str(size), size) for size in SIZES]
    target = folder(tmp_path / "target")
    well(copy(server, way, sources, target))
    assert sorted(os.listdir(target)) == sorted(str(size) for size in SIZES)
    for source in sources:
        assert digest(target / source.name) == digest(source), source.name


@each_way
@pytest.mark.parametrize("size", SIZES)
def test_a_file_is_replaced_whatever_its_size_was(server: Server, tmp_path: Path, way: str, size: int) -> None:
    source = random_file(tmp_path / "source", size)
    target = random_file(tmp_path / "target", MIB + 5)
    well(copy(server, way, source, target))
    assert digest(target) == digest(source)
    assert parts(tmp_path) == []


MODES = [0o644, 0o600, 0o400, 0o444, 0o755, 0o777, 0o666, 0o640, 0o711, 0o4755, 0o2755, 0o6777, 0o1644]


def files_of_all_modes(root: Path, modes: list[int] = MODES) -> list[Path]:
    root.mkdir()
    return [file(root / f"{each:o}", permissions=each) for each in modes]


@each_way
def test_without_p_the_umask_counts(masked: Server, tmp_path: Path, way: str) -> None:
    sources = files_of_all_modes(tmp_path / "sources")
    target = folder(tmp_path / "target")
    well(copy(masked, way, sources, target, umask=MASK))
    assert {each.name: mode(target / each.name) for each in sources} == {f"{each:o}": each & 0o777 & ~MASK for each in MODES}


@each_way
def test_with_p_modes_are_kept_but_set_id_and_sticky_bits(masked: Server, tmp_path: Path, way: str) -> None:
    sources = files_of_all_modes(tmp_path / "sources")
    target = folder(tmp_path / "target")
    well(copy(masked, way, sources, target, "-p", umask=MASK))
    assert {each.name: mode(target / each.name) for each in sources} == {f"{each:o}": each & 0o777 for each in MODES}


@each_way
def test_a_replaced_file_keeps_its_mode_without_p(masked: Server, tmp_path: Path, way: str) -> None:
    replaced = [0o600, 0o640, 0o666, 0o777, 0o444]
    targets = files_of_all_modes(tmp_path / "targets", replaced)
    sources = [file(folder(tmp_path / each.name) / each.name, permissions=0o755) for each in targets]
    well(copy(masked, way, sources, tmp_path / "targets", umask=MASK))
    assert [mode(each) for each in targets] == replaced
    assert [each.read_bytes() for each in targets] == [each.read_bytes() for each in sources]
    well(copy(masked, way, sources, tmp_path / "targets", "-p", umask=MASK))
    assert [mode(each) for each in targets] == [0o755] * len(replaced)


@each_way
@pytest.mark.parametrize("options", [[], ["-p"]], ids=["plain", "p"])
def test_new_content_does_not_get_the_old_ones_set_id_bits(server: Server, tmp_path: Path, way: str, options: list[str]) -> None:
    source = file(tmp_path / "source", permissions=0o755)
    for bits in (0o4755, 0o2755, 0o1755):
        target = file(tmp_path / "target", permissions=bits)
        well(copy(server, way, source, target, *options))
        assert (mode(target), target.read_bytes()) == (0o755, source.read_bytes())


@each_way
def test_times_are_kept_with_p_and_only_then(server: Server, tmp_path: Path, way: str) -> None:
    times = [0, 1, 1_000_000_000 * SECOND + 123_456_789, 4_000_000_000 * SECOND + 999_999_999]
    sources = []
    for number, time in enumerate(times):
        sources.append(file(tmp_path / str(number)))
        os.utime(sources[-1], ns=(time, time))
    kept, fresh = folder(tmp_path / "kept"), folder(tmp_path / "fresh")
    before = file(tmp_path / "now").stat().st_mtime_ns
    well(copy(server, way, sources, kept, "-p"))
    well(copy(server, way, sources, fresh))
    after = file(tmp_path / "now").stat().st_mtime_ns
    assert [(kept / each.name).stat().st_mtime_ns for each in sources] == times
    assert all(before <= (fresh / each.name).stat().st_mtime_ns <= after for each in sources)


@each_way
def test_a_large_file_has_its_time_and_mode_too(server: Server, tmp_path: Path, way: str) -> None:
    source = random_file(tmp_path / "source", 3 * MIB)
    source.chmod(0o4750)
    os.utime(source, ns=(5 * SECOND + 7, 5 * SECOND + 7))
    well(copy(server, way, source, tmp_path / "target", "-p"))
    assert ((tmp_path / "target").stat().st_mtime_ns, mode(tmp_path / "target")) == (5 * SECOND + 7, 0o750)


# Where it goes.


@each_way
@pytest.mark.parametrize("ending", ["", "/", "/.", "//"])
def test_into_a_directory(server: Server, tmp_path: Path, way: str, ending: str) -> None:
    source = file(tmp_path / "source")
    target = folder(tmp_path / "target")
    well(copy(server, way, source, f"{target}{ending}"))
    assert os.listdir(target) == ["source"] and (target / "source").read_bytes() == source.read_bytes()


@each_way
def test_several_sources_go_into_a_directory(server: Server, tmp_path: Path, way: str) -> None:
    sources = [file(tmp_path / name) for name in ("a", "b", "c")]
    target = folder(tmp_path / "target")
    well(copy(server, way, sources, target))
    assert contents(target) == {each.name.encode(): contents(tmp_path)[each.name.encode()] for each in sources}


@each_way
@pytest.mark.parametrize("options", [[], ["-r"]], ids=["plain", "r"])
def test_several_sources_need_a_directory(server: Server, tmp_path: Path, way: str, options: list[str]) -> None:
    sources = [file(tmp_path / name) for name in ("a", "b")]
    occupied = file(tmp_path / "occupied", b"old")
    complains(copy(server, way, sources, occupied, *options), str(occupied))
    complains(copy(server, way, sources, tmp_path / "missing", *options), str(tmp_path / "missing"))
    assert occupied.read_bytes() == b"old"
    assert sorted(os.listdir(tmp_path)) == ["a", "b", "occupied"]


@each_way
@pytest.mark.parametrize("name", ["missing/", "occupied/", "missing/name", "occupied/name"])
def test_a_target_that_cannot_be(server: Server, tmp_path: Path, way: str, name: str) -> None:
    source = file(tmp_path / "source")
    occupied = file(tmp_path / "occupied", b"old")
    complains(copy(server, way, source, f"{tmp_path}/{name}"), name.partition("/")[0])
    assert occupied.read_bytes() == b"old" and sorted(os.listdir(tmp_path)) == ["occupied", "source"]


@each_way
def test_a_file_does_not_replace_a_directory_nor_a_directory_a_file(server: Server, tmp_path: Path, way: str) -> None:
    sources = [file(tmp_path / "a"), folder(tmp_path / "b"), file(tmp_path / "c")]
    target = folder(tmp_path / "target")
    folder(target / "a")
    file(target / "b", b"old")
    complains(copy(server, way, sources, target, "-r"), f"{target}/a", f"{target}/b")
    assert (target / "a").is_dir() and (target / "b").read_bytes() == b"old"
    assert (target / "c").read_bytes() == (tmp_path / "c").read_bytes()


@each_way
def test_of_two_sources_with_one_name_the_last_stays(server: Server, tmp_path: Path, way: str) -> None:
    sources = [file(folder(tmp_path / name) / "same", name.encode() * 10) for name in ("a", "b", "c")]
    for source in sources:
        os.utime(source, (1000, 1000))
    target = folder(tmp_path / "target")
    well(copy(server, way, sources, target))
    assert (target / "same").read_bytes() == b"c" * 10 and os.listdir(target) == ["same"]


@each_way
def test_what_is_in_a_directory_that_cannot_be_made_is_told_by_its_path(server: Server, tmp_path: Path, way: str) -> None:
    """Else nobody could tell files with one name from each other."""
    source = folder(tmp_path / "source")
    for name in ("a", "b", "c"):
        file(folder(source / name) / "same")
    target = folder(folder(tmp_path / "target") / "source")
    file(target / "a", b"old")
    file(target / "c", b"old")
    result = copy(server, way, source, tmp_path / "target", "-r")
    assert result.code == 1 and {f"{target}/a", f"{target}/c"} <= set(re.findall(rf"{re.escape(str(target))}/\w", result.message))
    about_files = [line for line in result.message.splitlines() if "same" in line]
    assert all("a/same" in line or "c/same" in line for line in about_files), result.message
    assert os.listdir(target / "b") == ["same"] and (target / "a").read_bytes() == (target / "c").read_bytes() == b"old"


@each_way
def test_a_link_as_target_stays_one(server: Server, tmp_path: Path, way: str) -> None:
    """It is the user's own word, so what it points to gets the content, and keeps its mode."""
    source = file(tmp_path / "source")
    real = file(folder(tmp_path / "elsewhere") / "real", b"old", 0o600)
    link = tmp_path / "link"
    link.symlink_to("elsewhere/real")
    well(copy(server, way, source, link))
    assert os.readlink(link) == "elsewhere/real" and real.read_bytes() == source.read_bytes() and mode(real) == 0o600
    assert os.listdir(tmp_path / "elsewhere") == ["real"]


@each_way
def test_a_link_to_a_directory_as_target_is_followed(server: Server, tmp_path: Path, way: str) -> None:
    source = file(tmp_path / "source")
    real = folder(tmp_path / "real")
    (tmp_path / "link").symlink_to("real")
    well(copy(server, way, source, tmp_path / "link"))
    assert (real / "source").read_bytes() == source.read_bytes() and (tmp_path / "link").is_symlink()


@each_way
def test_a_link_in_a_target_directory_is_replaced(server: Server, tmp_path: Path, way: str) -> None:
    source = file(tmp_path / "source")
    bystander = file(tmp_path / "bystander", b"untouched")
    target = folder(tmp_path / "target")
    (target / "source").symlink_to("../bystander")
    well(copy(server, way, source, target))
    assert not (target / "source").is_symlink() and (target / "source").read_bytes() == source.read_bytes()
    assert bystander.read_bytes() == b"untouched"


@each_way
def test_a_link_in_a_target_directory_does_not_lead_a_directory_away(server: Server, tmp_path: Path, way: str) -> None:
    source = folder(tmp_path / "source")
    file(source / "new")
    bystander = folder(tmp_path / "bystander")
    target = folder(tmp_path / "target")
    (target / "source").symlink_to("../bystander")
    result = copy(server, way, source, target, "-r")
    assert result.code == 1 and f"{target}/source" in result.message
    assert os.listdir(bystander) == [] and os.readlink(target / "source") == "../bystander"


@each_way
def test_a_file_copied_onto_itself_is_as_it_was(server: Server, tmp_path: Path, way: str) -> None:
    source = random_file(tmp_path / "source", 2 * MIB)
    before = digest(source)
    well(copy(server, way, source, source))
    assert digest(source) == before and os.listdir(tmp_path) == ["source"]


# Trees.


@each_way
def test_a_tree_with_p_is_the_same_tree(server: Server, tmp_path: Path, way: str) -> None:
    source = plant(tmp_path / "source")
    (source / "deep").chmod(0o750)
    os.utime(source / "deep", (1000, 1000))
    os.utime(source / "empty directory", (2000, 2000))
    well(copy(server, way, source, tmp_path / "target", "-rp"))
    assert tree(tmp_path / "target") == tree(source)
    assert (tmp_path / "target" / "deep").stat().st_mtime == 1000
    assert (tmp_path / "target" / "empty directory").stat().st_mtime == 2000
    assert (tmp_path / "target").stat().st_mtime_ns == source.stat().st_mtime_ns


@each_way
def test_a_tree_goes_into_a_directory_that_is_there(server: Server, tmp_path: Path, way: str) -> None:
    source = plant(tmp_path / "source")
    target = folder(tmp_path / "target")
    file(target / "bystander", b"untouched")
    for ending in ("", "/"):  # and once more, onto what is there now
        well(copy(server, way, f"{source}{ending}", target, "-r"))
        assert sorted(os.listdir(target)) == ["bystander", "source"]
        assert contents(target / "source") == contents(source)
    assert (target / "bystander").read_bytes() == b"untouched"


@each_way
def test_what_has_no_name_of_its_own_goes_into_the_target_itself(server: Server, tmp_path: Path, way: str) -> None:
    source = plant(tmp_path / "source")
    target = folder(tmp_path / "target")
    well(copy(server, way, f"{source}/.", target, "-r"))
    assert contents(target) == contents(source)


@each_way
def test_modes_of_directories(masked: Server, tmp_path: Path, way: str) -> None:
    source = folder(tmp_path / "source")
    for each in (0o755, 0o700, 0o777, 0o555, 0o500, 0o3775, 0o6755, 0o1777):
        file(folder(source / f"{each:o}") / "file")
        (source / f"{each:o}").chmod(each)
    kept, fresh = tmp_path / "kept", tmp_path / "fresh"
    well(copy(masked, way, source, kept, "-rp", umask=MASK))
    well(copy(masked, way, source, fresh, "-r", umask=MASK))
    found = {at: {each.name: f"{mode(each):o}" for each in at.iterdir()} for at in (source, kept, fresh)}
    assert found[kept] == {name: f"{int(name, 8) & 0o777:o}" for name in found[source]}
    assert found[fresh] == {name: f"{int(name, 8) & 0o777 & ~MASK:o}" for name in found[source]}


@each_way
def test_links_stay_links_with_r(server: Server, tmp_path: Path, way: str) -> None:
    source = folder(tmp_path / "source")
    points_to = [b"nowhere", b"../source", b"/etc/passwd", b".", b"a b\n\xff", b"x" * 4000]
    for number, each in enumerate(points_to):
        os.symlink(each, os.fsencode(source / str(number)))
    well(copy(server, way, source, tmp_path / "target", "-r"))
    assert [os.readlink(os.fsencode(tmp_path / "target" / str(number))) for number in range(len(points_to))] == points_to
    well(copy(server, way, source, tmp_path / "target" / "..", "-r"))  # they are replaced by themselves
    assert parts(tmp_path) == []


@each_way
def test_a_link_named_as_source(server: Server, tmp_path: Path, way: str) -> None:
    real = file(tmp_path / "real")
    file(folder(tmp_path / "directory") / "inner")
    for name, points_to in {"link": "real", "dangling": "nowhere", "away": "directory"}.items():
        (tmp_path / name).symlink_to(points_to)
    sources = [tmp_path / name for name in ("link", "dangling", "away")]
    with_r, without = folder(tmp_path / "with"), folder(tmp_path / "without")
    well(copy(server, way, sources, with_r, "-r"))
    assert {name: os.readlink(with_r / name) for name in os.listdir(with_r)} == {"link": "real", "dangling": "nowhere",
                                                                               "away": "directory"}
    complains(copy(server, way, sources, without), str(sources[1]), str(sources[2]))
    assert os.listdir(without) == ["link"] and not (without / "link").is_symlink()
    assert (without / "link").read_bytes() == real.read_bytes()
    well(copy(server, way, f"{sources[2]}/", folder(tmp_path / "third"), "-r"))  # the / says: what is behind it
    assert os.listdir(tmp_path / "third" / "away") == ["inner"] and not (tmp_path / "third" / "away").is_symlink()


@each_way
def test_a_path_longer_than_a_path_may_be(server: Server, tmp_path: Path, way: str) -> None:
    name, depth = "n" * 200, 40
    (tmp_path / "source").mkdir()
    descend(tmp_path / "source", name, depth, make=True)
    well(copy(server, way, tmp_path / "source", tmp_path / "target", "-r"))
    assert descend(tmp_path / "target", name, depth) == b"at the bottom"


def descend(root: Path, name: str, depth: int, make: bool = False) -> bytes:
    """Goes down the directories of that name, makes them if asked for, and returns what the file at the bottom holds."""
    at = os.open(root, os.O_DIRECTORY)
    for _ in range(depth):
        if make:
            os.mkdir(name, dir_fd=at)
        below = os.open(name, os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=at)
        os.close(at)
        at = below
    bottom = os.open("bottom", os.O_RDWR | (os.O_CREAT if make else 0), dir_fd=at)
    os.close(at)
    with open(bottom, "r+b") as opened:
        if make:
            opened.write(b"at the bottom")
        return b"" if make else opened.read()


@each_way
@pytest.mark.parametrize("depth", [400, 3000])
def test_a_deep_tree_arrives_or_is_told(server: Server, tmp_path: Path, way: str, depth: int) -> None:
    (tmp_path / "source").mkdir()
    file(tmp_path / "source" / "a file")
    descend(tmp_path / "source", "d", depth, make=True)
    file(tmp_path / "source" / "z file")
    result = copy(server, way, tmp_path / "source", tmp_path / "target", "-r")
    try:
        assert sorted(os.listdir(tmp_path / "target")) == ["a file", "d", "z file"]
        if depth == 400:
            well(result)
            assert descend(tmp_path / "target", "d", depth) == b"at the bottom"
        else:  # too many open directories: but for that, all is copied
            assert result.code == 1, result.code
            assert 1 <= len(result.message.splitlines()) <= 10 and "deep" in result.message, result.message[:3000]
    finally:
        run("rm", "-rf", str(tmp_path / "source"), str(tmp_path / "target"))


@each_way
def test_many_small_files(server: Server, tmp_path: Path, way: str) -> None:
    source = folder(tmp_path / "source")
    for number in range(scaled(2000)):
        at = source / str(number % 7)
        at.mkdir(exist_ok=True)
        (at / f"file {number}").write_bytes(os.urandom(number % 4096))
    well(copy(server, way, source, tmp_path / "target", "-r"))
    assert contents(tmp_path / "target") == contents(source)


def test_many_small_files_with_few_descriptors(make_server: MakeServer, tmp_path: Path) -> None:
    """As many as some systems give to a process."""
    few = ["/bin/sh", "-c", "ulimit -n 256; exec \"$0\" \"$@\""]
    source = folder(tmp_path / "source")
    for number in range(scaled(1000, least=300)):
        (source / str(number)).write_bytes(b"%d" % number)
    server = make_server()
    result = run(*few, RCMD, "cp", "-r", "-P", str(server.port), far(source), str(tmp_path / "target"),
                 env=base_environment(server.place.home))
    well(result)
    assert contents(tmp_path / "target") == contents(source)


NAMES = {"blank": b"a b", "leading-blank": b" a", "newline": b"a\nb", "quote": b"it's", "quotes": b'say "so"', "backslash": b"a\\b",
         "trailing-backslash": b"a\\", "not-utf8": b"\xff\xfe", "dash": b"-rf", "dashes": b"--", "colon": b"a:b", "star": b"*",
         "question": b"?", "bracket": b"[a]", "open-bracket": b"[", "tilde": b"~", "tilde-user": b"~root", "dollar": b"$(id)",
         "escape": b"\x1b[31m", "longest": b"n" * 255, "longest-bytes": b"\xc3\xa4" * 127, "hidden": b".a", "dots": b"...",
         "part": b".a.00000000.rcmd-part", "at": b"a@b:c", "percent": b"%s%n", "control": bytes(range(1, 32)), "comma": b"a,b=c"}


@each_way
@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES.keys())
def test_any_name_will_do(server: Server, tmp_path: Path, way: str, name: bytes) -> None:
    root = os.fsencode(tmp_path)
    os.mkdir(root + b"/from")
    os.mkdir(root + b"/to")
    with open(root + b"/from/" + name, "wb") as out:
        out.write(b"as a source")
    well(copy(server, way, root + b"/from/" + name, root + b"/to"))
    assert os.listdir(root + b"/to") == [name]
    well(copy(server, way, root + b"/from/" + name, root + b"/to/" + name))  # as the target, replaced and new
    os.unlink(root + b"/to/" + name)
    well(copy(server, way, root + b"/from/" + name, root + b"/to/" + name))
    assert os.listdir(root + b"/to") == [name]
    with open(root + b"/to/" + name, "rb") as arrived:
        assert arrived.read() == b"as a source"


def test_local_names_with_colons_and_dashes(server: Server, tmp_path: Path) -> None:
    """./a:b is here, as any name with a / before the colon."""
    here, there = folder(tmp_path / "here"), folder(tmp_path / "there")
    for name in ("a:b", "-p", "-:-"):
        file(here / name, name.encode())
        port = ["-P", str(server.port)]
        well(run_rcmd(server.place, "cp", *port, f"./{name}", far(there), cwd=here))
        well(run_rcmd(server.place, "cp", *port, far(there / name), f"./{name} again", cwd=here))
        assert (there / name).read_bytes() == (here / f"{name} again").read_bytes() == name.encode()
    well(run_rcmd(server.place, "cp", *port, "--", "-p", far(f"{there}/dash"), cwd=here))
    assert (there / "dash").read_bytes() == b"-p"


# What cannot be copied.


@each_way
def test_a_directory_needs_r(server: Server, tmp_path: Path, way: str) -> None:
    sources = [file(tmp_path / "a"), folder(tmp_path / "b"), file(tmp_path / "c")]
    target = folder(tmp_path / "target")
    complains(copy(server, way, sources, target), str(sources[1]))
    assert sorted(os.listdir(target)) == ["a", "c"]
    complains(copy(server, way, sources[1], tmp_path / "new"), str(sources[1]))
    assert not (tmp_path / "new").exists()


@each_way
def test_missing_files_are_told_and_the_rest_is_copied(server: Server, tmp_path: Path, way: str) -> None:
    sources = [tmp_path / "x1", file(tmp_path / "a"), tmp_path / "x2", file(tmp_path / "b"), tmp_path / "x3"]
    target = folder(tmp_path / "target")
    complains(copy(server, way, sources, target), *(str(sources[number]) for number in (0, 2, 4)))
    assert sorted(os.listdir(target)) == ["a", "b"]


@each_way
@pytest.mark.skipif(AS_ROOT, reason="root can read every file")
def test_unreadable_files_are_told_and_the_rest_is_copied(server: Server, tmp_path: Path, way: str) -> None:
    source = with_secrets(tmp_path / "source")
    result = copy(server, way, source, tmp_path / "target", "-r")
    (source / "closed").chmod(0o755)
    complains(result, f"{source}/secret", f"{source}/closed")
    assert {"a", "z"} <= set(os.listdir(tmp_path / "target")) <= {"a", "z", "closed"}


def with_secrets(source: Path) -> Path:
    source.mkdir()
    for name, permissions in {"a": 0o644, "secret": 0, "z": 0o644}.items():
        file(source / name, permissions=permissions)
    file(folder(source / "closed") / "inner")
    (source / "closed").chmod(0)
    return source


@pytest.fixture
def others(make_place: MakePlace, make_server: MakeServer) -> Server:
    """A server that runs what it is asked for as another user."""
    place = make_place()
    place.write_authorized(authorized_line(place.key, f"user={USER.name}") + "\n")
    return make_server(place=place, preexec=with_accounts(place.root))


@pytest.fixture
def open_to_all() -> Iterator[Path]:
    """A directory that every user can reach."""
    with tempfile.TemporaryDirectory() as at:
        os.chmod(at, 0o755)
        yield Path(at)


@pytest.mark.skipif(not can_have_mounts_of_its_own(), reason="only root can run commands as another user, whom only the test sees")
def test_the_remote_user_may_not_read_or_write_everything(others: Server, open_to_all: Path) -> None:
    source = with_secrets(open_to_all / "source")
    complains(copy(others, "down", source, open_to_all / "target", "-r"), f"{source}/secret", f"{source}/closed")
    assert {"a", "z"} <= set(os.listdir(open_to_all / "target")) <= {"a", "z", "closed"}
    ours, theirs, old = folder(open_to_all / "ours"), folder(open_to_all / "theirs"), file(open_to_all / "theirs" / "z", b"old")
    os.chown(theirs, USER.uid, USER.uid)
    complains(copy(others, "up", source / "a", ours / "new"), f"{ours}/new")
    complains(copy(others, "up", source / "a", "/etc/rcmd-test-of-a-copy"), "/etc/rcmd-test-of-a-copy")
    well(copy(others, "up", source / "z", theirs))  # it is in the directory's hands who may replace what is in it
    well(copy(others, "up", source / "a", theirs))
    assert os.listdir(ours) == [] and old.read_bytes() == (source / "z").read_bytes()
    assert (theirs / "a").stat().st_uid == (theirs / "z").stat().st_uid == USER.uid


@pytest.mark.parametrize("points_to", ["/proc/self/fd/1", "nowhere"], ids=["pipe", "nothing"])
def test_a_link_to_what_is_no_file_is_not_replaced(server: Server, tmp_path: Path, points_to: str) -> None:
    source, target = file(tmp_path / "source"), tmp_path / "target"
    target.symlink_to(points_to)
    complains(copy(server, "down", source, target), str(target))
    assert os.readlink(target) == points_to


@each_way
def test_a_directory_that_is_there_keeps_its_special_bits(server: Server, tmp_path: Path, way: str) -> None:
    source = folder(folder(tmp_path / "from") / "name")
    target = folder(folder(tmp_path / "to") / "name")
    source.chmod(0o751)
    target.chmod(0o3777)
    well(copy(server, way, source, target.parent, "-rp"))
    assert mode(target) == 0o3751


@each_way
def test_a_file_that_is_not_as_empty_as_it_says_is_told(server: Server, tmp_path: Path, way: str) -> None:
    complains(copy(server, way, Path("/proc/version"), tmp_path), "/proc/version")
    assert os.listdir(tmp_path) == []


def test_what_is_below_a_directory_that_cannot_be_made_is_told_by_its_new_name(server: Server, tmp_path: Path) -> None:
    file(folder(tmp_path / "source") / "inner")
    complains(copy(server, "up", tmp_path / "source", file(tmp_path / "target"), "-r"), f"{tmp_path}/target", f"{tmp_path}/target/inner")



@each_way
def test_what_is_no_file_is_told_and_the_rest_is_copied(server: Server, tmp_path: Path, way: str) -> None:
    source = folder(tmp_path / "source")
    file(source / "a")
    os.mkfifo(source / "fifo")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(os.path.relpath(source / "socket"))
        file(source / "z")
        complains(copy(server, way, source, tmp_path / "target", "-r"), f"{source}/fifo", f"{source}/socket")
    assert sorted(os.listdir(tmp_path / "target")) == ["a", "z"]
    complains(copy(server, way, source / "fifo", tmp_path / "new"), f"{source}/fifo")
    assert not (tmp_path / "new").exists()


@each_way
def test_devices_and_fifos_are_not_replaced(server: Server, tmp_path: Path, way: str) -> None:
    source = file(tmp_path / "source")
    os.mkfifo(tmp_path / "fifo")
    complains(copy(server, way, source, tmp_path / "fifo"), f"{tmp_path}/fifo")
    assert stat.S_ISFIFO((tmp_path / "fifo").lstat().st_mode)
    before = os.lstat("/dev/full")
    complains(copy(server, way, source, "/dev/full"), "/dev/full")
    after = os.lstat("/dev/full")
    assert (after.st_ino, after.st_mode, after.st_rdev) == (before.st_ino, before.st_mode, before.st_rdev)


@pytest.mark.skipif(not AS_ROOT, reason="only root can give files away")
@each_way
@pytest.mark.parametrize("options", [[], ["-p"]], ids=["plain", "preserve"])
def test_a_replaced_file_keeps_its_owner(server: Server, tmp_path: Path, way: str, options: list[str]) -> None:
    source, target = file(tmp_path / "source", b"new"), file(tmp_path / "target", b"old")
    source.chmod(0o640)
    target.chmod(0o600)
    os.chown(target, 54321, 54322)
    well(copy(server, way, source, target, *options))
    status = target.stat()
    assert target.read_bytes() == b"new"
    assert (status.st_uid, status.st_gid, status.st_mode & 0o7777) == (54321, 54322, 0o640 if options else 0o600)


@each_way
def test_names_in_messages_are_escaped(server: Server, tmp_path: Path, way: str) -> None:
    [line] = complains(copy(server, way, f"{tmp_path}/no\x1b[2J\nrcmd: all is well", tmp_path / "new"), "No such file")
    assert "\x1b" not in line


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB."""
    if not AS_ROOT:
        pytest.skip("only root can mount a file system")
    at = folder(tmp_path / "disk")
    if run("mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(at)).code != 0:
        pytest.skip("no file system can be mounted here")
    yield at
    run("umount", "-l", str(at))


@each_way
def test_a_full_disk_leaves_the_old_file(server: Server, tmp_path: Path, small_disk: Path, way: str) -> None:
    large = random_file(tmp_path / "large", 8 * MIB)
    old = file(small_disk / "large", b"old")
    complains(copy(server, way, large, small_disk), str(old))
    assert old.read_bytes() == b"old"
    # With more room, all is as if nothing had happened.
    assert run("mount", "-o", "remount,size=40m", str(small_disk)).code == 0
    well(copy(server, way, large, small_disk))
    assert os.listdir(small_disk) == ["large"] and digest(old) == digest(large)


@each_way
def test_a_file_too_large_for_a_disk_does_not_keep_others_out(server: Server, tmp_path: Path, small_disk: Path, way: str) -> None:
    sources = [file(tmp_path / "a"), random_file(tmp_path / "large", 8 * MIB), random_file(tmp_path / "small", 3 * BLOCK)]
    complains(copy(server, way, sources, small_disk), f"{small_disk}/large")
    assert (small_disk / "a").read_bytes() == sources[0].read_bytes()
    assert (small_disk / "small").read_bytes() == sources[2].read_bytes()


@each_way
def test_a_full_disk_and_small_files(server: Server, tmp_path: Path, small_disk: Path, way: str) -> None:
    """What had room is there, whole; each of the others is told; no piece of one stays."""
    source = folder(tmp_path / "source")
    for number in range(20):
        random_file(source / f"{number:02}", 5 * BLOCK)
    file(folder(small_disk / "source") / "19", b"old")
    result = copy(server, way, source, small_disk, "-r")
    arrived = {each for each in os.listdir(small_disk / "source") if digest(small_disk / "source" / each) == digest(source / each)}
    lines = complains(result, *(f"{number:02}" for number in range(20) if f"{number:02}" not in arrived))
    assert 0 < len(arrived) < 20 and len(lines) + len(arrived) == 20
    left = set(os.listdir(small_disk / "source")) - arrived
    assert left <= {"19"} and (not left or (small_disk / "source" / "19").read_bytes() == b"old")


# Holes.


def blocks(path: Path) -> int:
    return path.stat().st_blocks * 512


@each_way
def test_holes_stay_holes(server: Server, tmp_path: Path, way: str) -> None:
    source = tmp_path / "source"
    size = 64 * MIB
    with source.open("wb") as out:
        for offset in (0, 5 * BLOCK + 100, 10 * MIB - 1, 20 * MIB, 40 * MIB + 12345):
            out.seek(offset)
            out.write(b"an island")
        out.truncate(size + 777)
    assert blocks(source) < MIB
    well(copy(server, way, source, tmp_path / "target"))
    assert digest(tmp_path / "target") == digest(source)
    assert blocks(tmp_path / "target") < MIB and (tmp_path / "target").stat().st_size == size + 777


@each_way
@pytest.mark.parametrize("layout", ["hole", "hole-data", "data-hole", "small-hole", "uneven"])
def test_kinds_of_holes(server: Server, tmp_path: Path, way: str, layout: str) -> None:
    size, data = {"hole": (2 * MIB, []), "hole-data": (2 * MIB + 3, [2 * MIB]), "data-hole": (2 * MIB + 3, [0]),
                  "small-hole": (300_000, [0, 290_000]), "uneven": (3 * MIB + 1, [4096, BLOCK * 3 - 4096, MIB + 4096])}[layout]
    source = tmp_path / "source"
    with source.open("wb") as out:
        out.truncate(size)
        for offset in data:
            out.seek(offset)
            out.write(b"\1\2\3")
    well(copy(server, way, source, tmp_path / "target"))
    assert (tmp_path / "target").read_bytes() == source.read_bytes()


@each_way
def test_a_huge_file_of_holes_is_quick(server: Server, tmp_path: Path, way: str) -> None:
    """A hundred GiB, were it not for the holes, would not arrive before the deadline."""
    source, target = tmp_path / "source", tmp_path / "target"
    size = scaled(100) << 30
    with source.open("wb") as out:
        out.truncate(size)
        for offset in (0, size // 2, size - 5):
            out.seek(offset)
            out.write(b"truth")
    well(copy(server, way, source, target))
    assert target.stat().st_size == size and blocks(target) < MIB
    with target.open("rb") as arrived:
        for offset in (0, size // 2, size - 5):
            arrived.seek(offset)
            assert arrived.read(5) == b"truth"
        arrived.seek(size // 4)
        assert arrived.read(5) == bytes(5)


# Remote paths.


@pytest.fixture
def in_home() -> Iterator[Path]:
    """A directory in the home directory of the account: there remote jobs run."""
    at = Path(pwd.getpwuid(os.geteuid()).pw_dir) / f"rcmd-test-{uuid.uuid4().hex}"
    at.mkdir()
    yield at
    shutil.rmtree(at)


def test_a_remote_path_is_relative_to_the_home_directory(server: Server, tmp_path: Path, in_home: Path) -> None:
    port = ["-P", str(server.port)]
    source = file(tmp_path / "source")
    for path in (f"{in_home.name}/a", f"~/{in_home.name}/b", f"./{in_home.name}/c"):
        well(run_rcmd(server.place, "cp", *port, str(source), f"{HOST}:{path}"))
        well(run_rcmd(server.place, "cp", *port, f"{HOST}:{path}", str(tmp_path / "back")))
        assert (tmp_path / "back").read_bytes() == source.read_bytes()
        (tmp_path / "back").unlink()
    assert sorted(os.listdir(in_home)) == ["a", "b", "c"]
    target = folder(tmp_path / "target")
    well(run_rcmd(server.place, "cp", *port, "-r", f"{HOST}:~/{in_home.name}", str(target)))
    assert contents(target / in_home.name) == contents(in_home)


@pytest.mark.parametrize("path", ["", ".", "~", "~/", "./"])
def test_the_home_directory_itself(server: Server, tmp_path: Path, path: str) -> None:
    name = f"rcmd-test-{uuid.uuid4().hex}"
    source = file(tmp_path / name)
    arrived = Path(pwd.getpwuid(os.geteuid()).pw_dir) / name
    try:
        well(run_rcmd(server.place, "cp", "-P", str(server.port), str(source), f"{HOST}:{path}"))
        assert arrived.read_bytes() == source.read_bytes()
    finally:
        arrived.unlink(missing_ok=True)


PATTERNS = {"*": ["a.txt", "b.txt", "c", "d", "two words", "éé"], "*.txt": ["a.txt", "b.txt"], "?": ["c", "d"],
            "[bc]*": ["b.txt", "c"],
            "[!a-d]*": ["two words", "éé"], "* *": ["two words"], ".h*": [".hidden"], "a.txt": ["a.txt"]}


@pytest.mark.parametrize("way", ["down", "across"])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_remote_patterns(server: Server, tmp_path: Path, way: str, pattern: str) -> None:
    source, target = folder(tmp_path / "source"), folder(tmp_path / "target")
    for name in ("a.txt", "b.txt", "c", "d", "two words", "éé", ".hidden"):
        file(source / name)
    well(copy(server, way, f"{source}/{pattern}", target))
    assert sorted(os.listdir(target)) == PATTERNS[pattern]
    for name in PATTERNS[pattern]:
        assert (target / name).read_bytes() == (source / name).read_bytes()


@pytest.mark.parametrize("way", ["down", "across"])
def test_a_file_whose_name_is_a_pattern_is_that_file(server: Server, tmp_path: Path, way: str) -> None:
    source, target = folder(tmp_path / "source"), folder(tmp_path / "target")
    for name in ("*", "a", "[ab]", "b"):
        file(source / name)
    well(copy(server, way, [source / "*", source / "[ab]"], target))
    assert sorted(os.listdir(target)) == ["*", "[ab]"]


@pytest.mark.parametrize("way", ["down", "across"])
def test_patterns_in_directories(server: Server, tmp_path: Path, way: str) -> None:
    target = folder(tmp_path / "target")
    for name in ("d1", "d2", "other"):
        file(folder(tmp_path / name) / f"in {name}")
    well(copy(server, way, f"{tmp_path}/d?/in*", target))
    assert sorted(os.listdir(target)) == ["in d1", "in d2"]
    well(copy(server, way, f"{tmp_path}/d[12]", target, "-r"))
    assert sorted(os.listdir(target)) == ["d1", "d2", "in d1", "in d2"]
    well(copy(server, way, f"{tmp_path}/[o]*/", target, "-r"))
    assert os.listdir(target / "other") == ["in other"]
    complains(copy(server, way, [f"{tmp_path}/d*", f"{tmp_path}/other/*"], target), f"{tmp_path}/d1", f"{tmp_path}/d2")
    assert (target / "in other").exists()


@pytest.mark.parametrize("way", ["down", "across"])
def test_a_pattern_that_matches_nothing_is_told(server: Server, tmp_path: Path, way: str) -> None:
    source, target = file(tmp_path / "source"), folder(tmp_path / "target")
    complains(copy(server, way, [f"{tmp_path}/no*", source], target), f"{tmp_path}/no*")
    assert os.listdir(target) == ["source"]


@pytest.mark.parametrize("way", ["down", "across"])
def test_a_pattern_with_several_matches_needs_a_directory(server: Server, tmp_path: Path, way: str) -> None:
    source = folder(tmp_path / "source")
    file(source / "a")
    file(source / "b")
    old = file(tmp_path / "target", b"old")
    result = copy(server, way, f"{source}/*", old)
    assert result.code == 1 and str(old) in result.message, result
    assert old.read_bytes() in (b"old", (source / "a").read_bytes())


def test_local_patterns_are_the_shells_business(server: Server, tmp_path: Path) -> None:
    file(tmp_path / "a")
    complains(copy(server, "up", f"{tmp_path}/*", folder(tmp_path / "target")), f"{tmp_path}/*")
    file(tmp_path / "pattern")
    well(copy(server, "up", tmp_path / "a", f"{tmp_path}/p*"))
    assert (tmp_path / "p*").exists()  # nor is a target one


# Hosts.


@pytest.fixture
def two(make_place: MakePlace, make_server: MakeServer) -> tuple[Server, Server]:
    """Two servers, and a user who knows both by their names."""
    mine, other = make_place(), make_place(key_id="other@there")
    other.authorize(mine.key)
    servers = make_server(place=mine), make_server(place=other)
    configure(mine, {"one": {"address": HOST, "port": servers[0].port}, "two": {"address": HOST, "port": servers[1].port}})
    return servers


def starts(server: Server) -> int:
    return server.log().count(" info job job=")


def test_from_one_host_to_another(two: tuple[Server, Server], tmp_path: Path) -> None:
    source = plant(tmp_path / "source")
    well(run_rcmd(two[0].place, "cp", "-rp", far(source, "one"), far(tmp_path / "target", "two"), timeout=SLOW))
    assert tree(tmp_path / "target") == tree(source)
    assert [starts(each) for each in two] == [1, 1]


def test_from_one_host_to_another_what_is_not_copied_is_told_once(two: tuple[Server, Server], tmp_path: Path) -> None:
    sources = [file(tmp_path / "a"), tmp_path / "missing", file(tmp_path / "occupied"), random_file(tmp_path / "z", 2 * MIB)]
    target = folder(tmp_path / "target")
    folder(target / "occupied")
    result = run_rcmd(two[0].place, "cp", *(far(each, "one") for each in sources), far(target, "two"))
    complains(result, str(sources[1]), f"{target}/occupied")
    assert sorted(os.listdir(target)) == ["a", "occupied", "z"] and digest(target / "z") == digest(sources[3])


def test_sources_on_two_hosts_and_here(two: tuple[Server, Server], tmp_path: Path) -> None:
    sources = [file(tmp_path / name) for name in ("a", "b", "c", "d")]
    here, there = folder(tmp_path / "here"), folder(tmp_path / "there")
    hosts = ["one", "two", "one", "two"]
    well(run_rcmd(two[0].place, "cp", *(far(each, host) for each, host in zip(sources, hosts)), str(here)))
    well(run_rcmd(two[0].place, "cp", far(sources[0], "one"), str(sources[1]), far(sources[2], "two"), str(sources[3]),
                  far(there, "two")))
    expected = {each.name.encode(): ("file", digest(each)) for each in sources}
    assert contents(here) == expected
    assert contents(there) == expected


def test_one_of_two_hosts_is_not_there(two: tuple[Server, Server], tmp_path: Path) -> None:
    sources = [file(tmp_path / name) for name in ("a", "b")]
    target = folder(tmp_path / "target")
    two[0].kill()
    result = run_rcmd(two[0].place, "cp", far(sources[0], "one"), far(sources[1], "two"), str(target))
    complains(result, "one", code=255)
    assert os.listdir(target) == ["b"]


def test_files_in_the_configuration_and_users(server: Server, tmp_path: Path) -> None:
    source = file(tmp_path / "source")
    user = pwd.getpwuid(os.geteuid()).pw_name
    settings = tmp_path / "settings.toml"
    settings.write_text(f'[host.alias]\naddress = "{HOST}"\nport = {server.port}\n')
    port = ["-P", str(server.port)]
    for number, words in enumerate([["-F", str(settings), str(source), "alias:"], [*port, "-l", user, str(source), f"{HOST}:"],
                                    [*port, str(source), f"{user}@{HOST}:"], ["-o", f"Port={server.port}", str(source), f"{HOST}:"],
                                    ["-4", *port, "-F", "none", str(source), "localhost:"],
                                    ["-i", str(server.place.key_file), *port, str(source), f"[{HOST}]:"]]):
        target = tmp_path / f"target {number}"
        well(run_rcmd(server.place, "cp", *words[:-1], f"{words[-1]}{target}"))
        assert target.read_bytes() == source.read_bytes(), words
        well(run_rcmd(server.place, "cp", *words[:-2], f"{words[-1]}{source}", f"{target} down"))
        assert Path(f"{target} down").read_bytes() == source.read_bytes(), words


@pytest.mark.parametrize("words", [["-l", "nobody-here"], ["-i", "/no/such/key"], ["-F", "/no/such/file"], ["-P", "1"]],
                         ids=["user", "key", "file", "port"])
def test_what_does_not_let_one_in_is_255(server: Server, tmp_path: Path, words: list[str]) -> None:
    source = file(tmp_path / "source")
    port = [] if "-P" in words else ["-P", str(server.port)]
    for places in ([str(source), far(tmp_path / "new")], [far(source), str(tmp_path / "new")]):
        run_rcmd(server.place, "cp", *port, *words, *places).failed_by_itself()
    assert os.listdir(tmp_path) == ["source"]


def free_port() -> int:
    with socket.create_server((HOST, 0)) as listening:
        return listening.getsockname()[1]


def test_an_ipv6_address(make_server: MakeServer, tmp_path: Path) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("there is no IPv6 here")
    port = free_port()
    server = make_server("--listen", f"{HOST}:{port}", "--listen", f"[::1]:{port}")
    source = file(tmp_path / "source")
    well(run_rcmd(server.place, "cp", "-P", str(port), str(source), f"[::1]:{tmp_path}/up"))
    well(run_rcmd(server.place, "cp", "-6", "-P", str(port), f"[::1]:{source}", str(tmp_path / "down")))
    user = pwd.getpwuid(os.geteuid()).pw_name
    well(run_rcmd(server.place, "cp", "-P", str(port), f"{user}@[::1]:{source}", f"[::1]:{tmp_path}/across"))
    assert {(tmp_path / name).read_bytes() for name in ("up", "down", "across")} == {source.read_bytes()}


@pytest.mark.parametrize("words", [[], ["a"], ["h:a"], ["a", "b"], ["./h:a", "b"], ["-r", "a", "b"],
                                   ["--no-such-option", "a", "h:b"],
                                   ["-P", "0", "a", "h:b"], ["-P", "70000", "a", "h:b"], ["a", "@h:b"], ["a", "[::1:b"]],
                         ids=" ".join)
def test_a_command_line_that_says_no_copy_is_255(place: Place, tmp_path: Path, words: list[str]) -> None:
    file(tmp_path / "a")
    run_rcmd(place, "cp", *words, cwd=tmp_path).failed_by_itself()
    assert os.listdir(tmp_path) == ["a"]


def test_a_loop_over_lines_loses_none(server: Server, tmp_path: Path) -> None:
    """It does not read its stdin."""
    for name in ("a", "b", "c"):
        file(tmp_path / name)
    target = folder(tmp_path / "target")
    loop = f'while read name; do "$0" cp -P {server.port} "$1/$name" {HOST}:"$1/target" && "$0" cp -P {server.port} ' \
           f'{HOST}:"$1/$name" "$1/target/$name again"; done'
    result = run("/bin/sh", "-c", loop, RCMD, str(tmp_path), input=b"a\nb\nc\n", env=base_environment(server.place.home))
    well(result)
    assert len(os.listdir(target)) == 6


# At once.


def test_eight_clients_upload_and_download_at_once(server: Server, tmp_path: Path) -> None:
    sources = [folder(tmp_path / f"source {number}") for number in range(8)]
    for source in sources:
        for number in range(20):
            random_file(source / str(number), 3000 * number)
        random_file(source / "large", scaled(32) * MIB + 5)
    ways = itertools.cycle(["up", "down"])
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(start_copy(server, way, source, f"{source} {way}", "-r"))
                   for source, way in zip(sources, ways)]
        for client in clients:
            assert (client.communicate(timeout=SLOW), client.returncode) == ((b"", b""), 0)
    for source, way in zip(sources, itertools.cycle(["up", "down"])):
        assert contents(Path(f"{source} {way}")) == contents(source)


@pytest.mark.parametrize("way", ["up", "down"])
@pytest.mark.parametrize("size", [100_000, 5 * MIB + 3], ids=["small", "large"])
@pytest.mark.parametrize("alike", [True, False], ids=["same-source", "other-content"])
def test_several_clients_copy_to_the_same_target(server: Server, tmp_path: Path, way: str, size: int, alike: bool) -> None:
    """One of them wins, whole; also if they have one name for what is under way: of the same name, size and time."""
    content = os.urandom(size)
    sources = []
    for number in range(6):
        sources.append(file(folder(tmp_path / str(number)) / "name", content if alike else os.urandom(size)))
        os.utime(sources[-1], (1000, 1000))
    target = folder(tmp_path / "target")
    for _ in range(scaled(5)):
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(start_copy(server, way, source, target)) for source in sources]
            for client in clients:
                assert (client.communicate(timeout=SLOW), client.returncode) == ((b"", b""), 0)
        assert os.listdir(target) == ["name"]
        assert digest(target / "name") in {digest(source) for source in sources}


# While it is read.


def slowly(server: Server) -> Any:
    """A network on which a copy of some MiB can be interfered with."""
    return cutter(server, without_cuts(), delay=0.005)


@pytest.mark.parametrize("way", ["up", "down"])
@pytest.mark.parametrize("sparse", [False, True], ids=["plain", "sparse"])
def test_a_source_that_becomes_shorter_is_told(server: Server, tmp_path: Path, way: str, sparse: bool) -> None:
    source = random_file(tmp_path / "source", 24 * MIB)
    if sparse:
        with source.open("r+b") as out:  # every other piece of 64 KiB
            out.truncate(0)
            for offset in range(0, 48 * MIB, 2 * BLOCK):
                out.seek(offset)
                out.write(os.urandom(BLOCK))
            out.truncate(48 * MIB)
    target = file(folder(tmp_path / "target") / "name", b"old")
    with slowly(server) as proxy, start_copy(proxy, way, source, target, place=server.place) as client:
        await_part(tmp_path / "target", 2 * MIB)
        os.truncate(source, MIB)
        out, err = client.communicate(timeout=SLOW)
    assert (client.returncode, out) == (1, b""), (client.returncode, err)
    assert len(err.splitlines()) == 1 and str(source).encode() in err, err
    assert target.read_bytes() == b"old"


@pytest.mark.parametrize("way", ["up", "down"])
def test_what_a_source_that_became_shorter_has_left_is_not_kept(server: Server, tmp_path: Path, way: str) -> None:
    """Its time is another one now: nobody will go on with that."""
    source = random_file(tmp_path / "source", 24 * MIB)
    target = folder(tmp_path / "target")
    with slowly(server) as proxy, start_copy(proxy, way, source, target, place=server.place) as client:
        await_part(target, 2 * MIB)
        os.truncate(source, MIB)
        client.communicate(timeout=SLOW)
    well(copy(server, way, source, target))
    assert os.listdir(target) == ["source"]


@pytest.mark.parametrize("way", ["up", "down"])
def test_a_source_that_grows_is_copied_as_it_was(server: Server, tmp_path: Path, way: str) -> None:
    source = random_file(tmp_path / "source", 16 * MIB)
    before = digest(source)
    target = folder(tmp_path / "target")
    with slowly(server) as proxy, start_copy(proxy, way, source, target / "name", place=server.place) as client:
        await_part(target, 2 * MIB)
        with source.open("ab") as out:
            out.write(b"more")
        assert (client.communicate(timeout=SLOW), client.returncode) == ((b"", b""), 0)
    assert digest(target / "name") == before


# The progress bar.


def on_a_terminal(words: list[str], place: Place, columns: int = 100) -> tuple[int, bytes]:
    """Runs the client with a terminal as its stderr; returns its status and what was to be seen there."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    seen = b""
    with process(RCMD, *words, env=base_environment(place.home), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                 stderr=follower) as client:
        os.close(follower)
        with open(leader, "rb", buffering=0) as terminal:
            while select.select([terminal], [], [], SLOW)[0]:
                try:
                    piece = terminal.read(65536)
                except OSError:  # nobody is at the other end any more
                    break
                if not piece:
                    break
                seen += piece
        assert client.stdout.read() == b""
        return client.wait(SLOW), seen


def words_for(proxy: Any, way: str, sources: list[Path], target: Path, *options: str) -> list[str]:
    return command(way, sources, target, "-P", str(proxy.port), *options)


@each_way
def test_a_bar_on_a_terminal(server: Server, tmp_path: Path, way: str) -> None:
    sources = [random_file(tmp_path / name, 4 * MIB) for name in ("first", "second")]
    target = folder(tmp_path / "target")
    with slowly(server) as proxy:
        code, seen = on_a_terminal(words_for(proxy, way, sources, target), server.place)
    assert code == 0 and sorted(os.listdir(target)) == ["first", "second"]
    drawn = [re.sub(r"\x1b\[K", "", line) for line in seen.decode().replace("\n", "\r").split("\r")]
    lines = [line for line in drawn if line]
    assert all(re.search(r"\d+%.*\d/\d.*/s", line) and len(line) <= 100 for line in lines), lines
    percents = [int(re.search(r"(\d+)%", line).group(1)) for line in lines]
    assert len(lines) > 2 and any(0 < each < 100 for each in percents) and percents[-1] == 100, lines
    assert any("first" in line for line in lines) and any("second" in line for line in lines)
    assert "2/2" in lines[-1] and seen.endswith(b"\n")


@each_way
@pytest.mark.parametrize("columns", [1, 10, 30])
def test_a_bar_on_a_narrow_terminal(server: Server, tmp_path: Path, way: str, columns: int) -> None:
    source = file(tmp_path / ("n\x1b\n\xe4" * 20))
    code, seen = on_a_terminal(words_for(server, way, [source], folder(tmp_path / "target")), server.place, columns)
    assert code == 0
    text = seen.decode()  # nothing else, also where it is cut
    drawn = [line for line in text.replace("\x1b[K", "").replace("\n", "\r").split("\r") if line]
    assert all(len(line) <= columns for line in drawn) and "\x1b" not in text.replace("\x1b[K", "")


@each_way
def test_no_bar_in_the_background(server: Server, tmp_path: Path, way: str) -> None:
    source, target = random_file(tmp_path / "source", 4 * MIB), folder(tmp_path / "target")
    with slowly(server) as proxy:
        words = shlex.join([RCMD, *words_for(proxy, way, [source], target)])
        shell = pexpect.spawn("bash", ["-c", f"set -m; {words} & wait $!; echo status $?"], encoding="utf-8", timeout=SLOW,
                              env=base_environment(server.place.home))
        shell.expect(pexpect.EOF)
        shell.close()
    assert "%" not in shell.before and shell.before.endswith("status 0\r\n")
    assert digest(target / "source") == digest(source)


def test_q_draws_no_bar(server: Server, tmp_path: Path) -> None:
    source = file(tmp_path / "source")
    for way in ("up", "down"):
        assert on_a_terminal(words_for(server, way, [source], tmp_path / way, "-q"), server.place) == (0, b"")


def test_what_is_not_copied_is_told_beside_the_bar(server: Server, tmp_path: Path) -> None:
    sources = [random_file(tmp_path / "first", 4 * MIB), tmp_path / "missing", random_file(tmp_path / "second", 2 * MIB)]
    for way in ("up", "down"):
        with slowly(server) as proxy:
            code, seen = on_a_terminal(words_for(proxy, way, sources, folder(tmp_path / way)), server.place)
        assert code == 1
        lines = [line for line in re.split(r"\r|\n|\x1b\[K", seen.decode()) if "missing" in line]
        assert len(lines) == 1 and re.fullmatch(rf"rcmd: {re.escape(str(sources[1]))}: .*", lines[0]), lines
    for way in ("up", "down"):
        code, seen = on_a_terminal(words_for(server, way, [sources[1]], tmp_path / "new", "-q"), server.place)
        assert code == 1 and seen.count(b"\n") == 1 and b"missing" in seen


# And the rest.


@pytest.mark.skipif(not MEASURE_MEMORY, reason="a sanitizer's memory is not the program's")
@pytest.mark.parametrize("way", ["up", "down"])
@pytest.mark.parametrize("many", [False, True], ids=["large-file", "many-files"])
def test_memory_is_bounded(server: Server, tmp_path: Path, way: str, many: bool) -> None:
    source = folder(tmp_path / "source")
    if many:
        for number in range(5000):
            (source / f"a long enough name for a file {number}").touch()
    else:
        random_file(source / "large", 256 * MIB)
    peak = 0
    with start_copy(server, way, source, tmp_path / "target", "-r") as client:
        while client.poll() is None:
            with contextlib.suppress(OSError, AssertionError):  # it has just ended
                peak = max(peak, memory_kib(client.pid, "VmHWM"))
        assert (client.returncode, client.stderr.read()) == (0, b"")
    assert 0 < peak < 64 * 1024, peak
    assert len(os.listdir(tmp_path / "target")) == len(os.listdir(source))


def test_the_server_logs_a_copy_as_any_job(server: Server, tmp_path: Path) -> None:
    source = file(tmp_path / "source")
    before = starts(server)
    well(copy(server, "up", source, tmp_path / "log up"))
    well(copy(server, "down", source, tmp_path / "log down"))
    wait_for(lambda: starts(server) == before + 2, "the lines in the log")
    told = server.log().splitlines()
    assert any("copy-receive" in line and str(tmp_path / "log up") in line for line in told)
    assert any("copy-send" in line and str(source) in line for line in told)
