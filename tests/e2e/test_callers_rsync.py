"""rsync with rcmd as its remote shell: both ways, any name, deltas and deletions, and over a network that breaks."""
from __future__ import annotations

import os
import signal
import subprocess
import threading
from pathlib import Path
from typing import Callable

import pytest

from callers import (AWKWARD_NAMES, MIB, USER, await_the_end_of, call, configure, digest, environment, plant,
                     random_file, succeeds, tree)
from cutter import at_random, cutter
from harness import (AS_ROOT, Place, Result, Server, authorized_line, mark, marked_programs, process, scaled,
                     wait_for)

CUTS = 12


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return plant(tmp_path_factory.mktemp("planted") / "source tree")


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files that are worth a broken connection: a large one, some smaller ones, all of them noise."""
    root = tmp_path_factory.mktemp("large")
    random_file(root / "one large", scaled(64, least=4) * MIB)
    for number in range(20):
        random_file(root / f"smaller {number}", scaled(MIB))
    return root


def rsync(server: Server, *words: str, port: int | None = None, **options: object) -> Result:
    return call(server.place, "rsync", "-e", f"rcmd -p {port or server.port}", *words, **options)


def remote(path: Path | str) -> str:
    return f"127.0.0.1:{path}"


def ends(direction: str, source: Path, target: Path) -> list[str]:
    """The contents of one directory to the other, one of them over there."""
    if direction == "up":
        return [f"{source}/", remote(f"{target}/")]
    return [remote(f"{source}/"), f"{target}/"]


both_ways = pytest.mark.parametrize("direction", ["up", "down"])


@both_ways
@pytest.mark.parametrize("options", [[], ["-s"], ["-z"]], ids=["plain", "secluded-args", "compressed"])
def test_a_tree_with_names_of_all_kinds_arrives(server: Server, planted: Path, tmp_path: Path, direction: str,
                                                options: list[str]) -> None:
    target = tmp_path / "the target"
    result = rsync(server, "-a", *options, *ends(direction, planted, target))
    assert result == Result(0, b"", b"")
    assert tree(target) == tree(planted)


@both_ways
def test_a_second_run_transfers_nothing(server: Server, planted: Path, tmp_path: Path, direction: str) -> None:
    target = tmp_path / "target"
    words = ["-a", "--itemize-changes", "--stats", *ends(direction, planted, target)]
    first = rsync(server, *words)
    assert first.code == 0 and b"Number of regular files transferred: 0\n" not in first.out, first
    second = rsync(server, *words)
    assert (second.code, second.err) == (0, b"")
    # Items come before the statistics, which begin with an empty line.
    assert second.out.startswith(b"\nNumber of files: "), second.out
    assert b"Number of regular files transferred: 0\n" in second.out
    assert b"Literal data: 0 bytes\n" in second.out


@both_ways
def test_only_what_changed_is_transferred(server: Server, planted: Path, tmp_path: Path, direction: str) -> None:
    target = tmp_path / "target"
    assert rsync(server, "-a", *ends(direction, planted, target)).code == 0
    (target / "a directory" / "a b").write_text("something else")
    result = rsync(server, "-a", "--out-format=%n", *ends(direction, planted, target))
    assert (result.code, result.out) == (0, b"a directory/a b\n")
    assert tree(target) == tree(planted)


@both_ways
def test_a_large_file_that_changed_a_little_goes_as_a_delta(server: Server, large: Path, tmp_path: Path,
                                                           direction: str) -> None:
    target = tmp_path / "target"
    assert rsync(server, "-a", *ends(direction, large, target)).code == 0
    with (target / "one large").open("r+b") as changed:
        changed.seek(MIB)
        changed.write(b"x" * 1000)
    result = rsync(server, "-a", "--ignore-times", "--stats", *ends(direction, large, target))
    assert result.code == 0, result
    literal = int(result.out.split(b"Literal data: ")[1].split()[0].replace(b",", b""))
    assert 0 < literal < MIB, result.out
    assert tree(target) == tree(large)


@both_ways
def test_delete_removes_what_the_source_has_not(server: Server, planted: Path, tmp_path: Path,
                                                direction: str) -> None:
    target = tmp_path / "target"
    for name in AWKWARD_NAMES:
        (target / f"old {name}").mkdir(parents=True)
        (target / f"old {name}" / name).touch()
    assert rsync(server, "-a", *ends(direction, planted, target)).code == 0
    assert b"old plain/plain" in tree(target)
    result = rsync(server, "-a", "--delete", *ends(direction, planted, target))
    assert result == Result(0, b"", b"")
    assert tree(target) == tree(planted)


@pytest.mark.parametrize("name", AWKWARD_NAMES)
def test_a_name_given_on_the_command_line_is_that_name_over_there(server: Server, tmp_path: Path, name: str) -> None:
    source = tmp_path / "over there"
    source.mkdir()
    for other in AWKWARD_NAMES:
        (source / other).write_text(other)
    (tmp_path / "here").mkdir()
    result = rsync(server, "-s", remote(source / name), f"{tmp_path}/here/")
    if name in ("*", "[a-z]?"):  # these are wildcards to rsync
        assert result.code == 0 and (tmp_path / "here" / name).read_text() == name
    else:
        assert result == Result(0, b"", b"")
        assert {path.name: path.read_text() for path in (tmp_path / "here").iterdir()} == {name: name}


def test_the_environment_names_the_remote_shell_as_well(server: Server, planted: Path, tmp_path: Path) -> None:
    succeeds(server.place, "rsync", "-a", *ends("up", planted, tmp_path / "target"),
             env={"RSYNC_RSH": f"rcmd -q -p '{server.port}' -o \"LogLevel=QUIET\""})
    assert tree(tmp_path / "target") == tree(planted)


def test_a_host_of_the_configuration_needs_no_option(make_server: Callable[..., Server], planted: Path,
                                                     tmp_path: Path) -> None:
    server = make_server()
    configure(server.place, {"backup": {"address": "127.0.0.1", "port": server.port}})
    succeeds(server.place, "rsync", "-a", "-e", "rcmd", f"{planted}/", f"backup:{tmp_path}/target/")
    assert tree(tmp_path / "target") == tree(planted)


def test_the_user_is_the_one_before_the_host(make_place: Callable[..., Place], make_server: Callable[..., Server],
                                             tmp_path: Path) -> None:
    place = make_place()
    # The one that is taken when none is named has a shell that lets nobody in.
    place.write_authorized(authorized_line(place.key, f"user=nobody,{USER}" if AS_ROOT else "") + "\n")
    server = make_server(place=place)
    (tmp_path / "source").write_text("content")
    result = rsync(server, "--rsync-path", f"id -un >{tmp_path}/said; rsync", str(tmp_path / "source"),
                   f"{USER}@127.0.0.1:{tmp_path}/target")
    assert result == Result(0, b"", b"")
    assert (tmp_path / "said").read_text() == f"{USER}\n"
    assert (tmp_path / "target").read_text() == "content"


def ended_with(status: int, result: Result) -> bool:
    """Whether rsync failed so; it says 12 when it sees the end of the output before that of its remote shell."""
    return result.code in (status, 12)


def test_a_user_that_the_key_is_not_for_transfers_nothing(server: Server, planted: Path, tmp_path: Path) -> None:
    result = rsync(server, "-a", f"{planted}/", f"nosuchuser@127.0.0.1:{tmp_path}/target/")
    assert ended_with(255, result)
    assert "\nrcmd: 127.0.0.1: " in "\n" + result.message
    assert not (tmp_path / "target").exists()


def test_a_module_of_a_daemon_behind_the_remote_shell(server: Server, planted: Path, tmp_path: Path) -> None:
    settings = tmp_path / "rsyncd.conf"
    settings.write_text(f"use chroot = no\n[files]\npath = {planted}\nread only = yes\n"
                        + ("uid = root\ngid = root\n" if AS_ROOT else ""))
    result = rsync(server, "-a", "--rsync-path", f"rsync --config={settings}", "127.0.0.1::files/",
                   f"{tmp_path}/target/")
    assert result == Result(0, b"", b"")
    assert tree(tmp_path / "target") == tree(planted)


def test_a_source_that_is_not_there(server: Server, tmp_path: Path) -> None:
    result = rsync(server, "-a", remote("/no/such/directory/"), f"{tmp_path}/target")
    assert result.code == 23, result
    assert '"/no/such/directory" failed: No such file or directory' in result.message


def test_a_target_in_a_directory_that_is_not_there(server: Server, planted: Path, tmp_path: Path) -> None:
    result = rsync(server, "-a", f"{planted}/", remote(tmp_path / "no" / "such" / "directory"))
    assert result.code == 11, result  # what the other side says of it is not always awaited by rsync
    assert not (tmp_path / "no").exists()


def test_a_host_without_rsync(server: Server, planted: Path, tmp_path: Path) -> None:
    result = rsync(server, "-a", "--rsync-path", "/no/such/rsync", f"{planted}/", remote(tmp_path / "target"))
    assert ended_with(127, result)
    assert "/no/such/rsync: " in result.message


def test_a_host_that_is_not_reached(make_server: Callable[..., Server], planted: Path, tmp_path: Path) -> None:
    server = make_server()
    server.kill()
    result = rsync(server, "-a", f"{planted}/", remote(tmp_path / "target"))
    assert ended_with(255, result)
    assert "\nrcmd: 127.0.0.1: " in "\n" + result.message
    assert not (tmp_path / "target").exists()


@pytest.mark.parametrize("whom", ["its group", "rsync alone"])
def test_an_interrupted_rsync_is_ended_over_there_too(server: Server, large: Path, tmp_path: Path, whom: str) -> None:
    name = mark()
    (tmp_path / "target").mkdir()
    # At that pace, and kept for so long, nothing of it ends by itself while the test waits.
    shell = f"rcmd -q --keep 1h -e {name}=1 -p {server.port}"
    with process("rsync", "-a", "--bwlimit=10", "-e", shell, *ends("up", large, tmp_path / "target"),
                 env=environment(server.place), stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                 start_new_session=True) as transfer:
        wait_for(lambda: list((tmp_path / "target").glob(".one large.*")), "the transfer to be under way")
        assert "rsync" in marked_programs(name)
        if whom == "its group":  # as Ctrl-C does
            os.killpg(transfer.pid, signal.SIGINT)
        else:
            transfer.send_signal(signal.SIGTERM)
        assert transfer.wait(60) == 20
    await_the_end_of(name)


@both_ways
@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_connection_cut_again_and_again_does_not_show(server: Server, large: Path, tmp_path: Path, direction: str,
                                                        how: str) -> None:
    size = sum(path.stat().st_size for path in large.iterdir())
    with cutter(server, at_random(7, CUTS, size // (4 * CUTS), size * 9 // (10 * CUTS)), how=how) as proxy:
        result = rsync(server, "-a", *ends(direction, large, tmp_path / "target"), port=proxy.port)
        assert result.code == 0, result
        assert proxy.cut == CUTS
    told = result.message.splitlines()
    assert len(told) == 2 * CUTS and all(line.startswith("rcmd: ") for line in told), told
    assert tree(tmp_path / "target") == tree(large)


@both_ways
def test_a_connection_cut_every_quarter_of_a_second_does_not_show(server: Server, large: Path, tmp_path: Path,
                                                                  direction: str) -> None:
    size = sum(path.stat().st_size for path in large.iterdir())
    ended = threading.Event()

    # Slow enough for many cuts, whatever the machine: hundreds of pieces, each of which waits.
    with cutter(server, iter([]), piece=size // 256, delay=0.01) as proxy:
        def interrupt() -> None:
            while not ended.wait(0.25):
                proxy.interrupt()

        interrupter = threading.Thread(target=interrupt)
        interrupter.start()
        try:
            result = call(server.place, "rsync", "-a", "-e", f"rcmd -q -p {proxy.port}",
                          *ends(direction, large, tmp_path / "target"))
        finally:
            ended.set()
            interrupter.join()
        assert result == Result(0, b"", b"")
        assert proxy.connections > 3
    assert tree(tmp_path / "target") == tree(large)


def test_a_file_sent_over_a_broken_network_is_put_in_place_once(server: Server, large: Path, tmp_path: Path) -> None:
    """The former file is there until the new one is whole, and no other is left beside it."""
    source = large / "one large"
    target = tmp_path / "target"
    target.mkdir()
    (target / source.name).write_text("the former one")
    size = source.stat().st_size
    with cutter(server, at_random(8, 4, size // 16, size // 5)) as proxy:
        result = rsync(server, "-W", "--itemize-changes", str(source), remote(f"{target}/"), port=proxy.port)
        assert proxy.cut == 4
    assert result.code == 0 and result.out.count(b"\n") == 1, result
    assert [path.name for path in target.iterdir()] == [source.name]
    assert digest(target / source.name) == digest(source)
