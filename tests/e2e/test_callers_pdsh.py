"""pdsh and pdcp with rcmd: as a program that it executes, and in the place of ssh."""
from __future__ import annotations

import signal
import subprocess
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

from callers import (USER, await_the_end_of, call, configure, contents, digest, environment, random_file)
from harness import RCMD, Place, Result, Server, mark, process, scaled


@pytest.fixture(scope="module")
def nodes(place: Place, server: Server) -> Iterator[Place]:
    """One server under the names n1, n2 and so on."""
    settings = {"address": "127.0.0.1", "port": server.port}
    configure(place, {f"n{number}": {"env": {"NUMBER": str(number)}} for number in range(1, 5)} | {"n*": settings})
    # The remote shell that pdsh's own module starts is always called ssh.
    (place.home / "bin").mkdir()
    (place.home / "bin" / "ssh").symlink_to(RCMD)
    yield place


def pdsh(place: Place, *words: Any, hosts: str = "n[1-4]", **options: Any) -> Result:
    """Runs words, rcmd's among them, for each node."""
    return call(place, "pdsh", "-R", "exec", "-w", hosts, *map(str, words), **options)


def with_ssh(place: Place, program: str, *words: Any, env: dict[str, str] | None = None, **options: Any) -> Result:
    """Runs pdsh, pdcp or rpdcp, with a link of that name."""
    path = environment(place)["PATH"]
    env = {"PATH": f"{place.home}/bin:{path}"} | (env or {})
    return call(place, program, "-R", "ssh", *map(str, words), env=env, **options)


def lines(result: Result) -> list[str]:
    return sorted(result.out.decode().splitlines())


def test_the_command_runs_on_every_node(nodes: Place) -> None:
    result = pdsh(nodes, "rcmd", "-l", "%u", "%h", "echo I am %h, number %n, as $(id -un)")
    assert (result.code, result.err) == (0, b"")
    assert lines(result) == [f"n{number}: I am n{number}, number {number - 1}, as {USER}" for number in range(1, 5)]


def test_each_node_runs_it_once(nodes: Place, tmp_path: Path) -> None:
    count = scaled(64, least=8)
    result = pdsh(nodes, "-f", "32", "rcmd", "%h", f"echo %h >>{tmp_path}/ran; echo done", hosts=f"n[1-{count}]")
    assert (result.code, result.err) == (0, b"")
    names = [f"n{number}" for number in range(1, count + 1)]
    assert sorted((tmp_path / "ran").read_text().split()) == sorted(names)
    assert lines(result) == sorted(f"{name}: done" for name in names)


@pytest.mark.parametrize("command, largest",
                         [("exit 0", 0), ("exit $NUMBER", 4), ("[ $NUMBER = 2 ] && exit 77; true", 77),
                                              ("kill -9 $$", 137), ("no-such-program", 127), ("exit 255", 255)])
def test_with_s_the_status_is_the_largest_one(nodes: Place, command: str, largest: int) -> None:
    assert pdsh(nodes, "-S", "rcmd", "%h", command).code == largest
    assert with_ssh(nodes, "pdsh", "-S", "-w", "n[1-4]", command).code == largest


def test_without_s_the_status_is_not_theirs(nodes: Place) -> None:
    result = pdsh(nodes, "rcmd", "%h", "exit 3")
    assert result.code == 0 and result.message.count("rcmd exited with exit code 3") == 4


def test_both_streams_are_told_apart_and_prefixed(nodes: Place) -> None:
    result = pdsh(nodes, "rcmd", "%h", "echo out; echo err >&2")
    assert lines(result) == [f"n{number}: out" for number in range(1, 5)]
    assert sorted(result.message.splitlines()) == [f"n{number}: err" for number in range(1, 5)]


def test_every_line_of_a_large_output_arrives(nodes: Place) -> None:
    count = scaled(50_000, least=2000)
    result = pdsh(nodes, "rcmd", "%h", f"seq {count}")
    assert (result.code, result.err) == (0, b"")
    for number in range(1, 5):
        prefix = f"n{number}: "
        said = [line[len(prefix):] for line in result.out.decode().splitlines() if line.startswith(prefix)]
        assert said == [str(each) for each in range(1, count + 1)]


def test_a_node_that_is_not_reached_is_named_and_the_others_go_on(make_server: Callable[..., Server]) -> None:
    server, gone = make_server(), make_server()
    gone.kill()
    configure(server.place, {name: {"address": "127.0.0.1", "port": each.port}
                             for name, each in (("here", server), ("gone", gone))})
    result = pdsh(server.place, "-S", "rcmd", "%h", "echo reached", hosts="here,gone")
    assert (result.code, result.out) == (255, b"here: reached\n")
    assert "gone: rcmd: gone: " in result.message


def test_rcmd_in_the_place_of_ssh(nodes: Place) -> None:
    result = with_ssh(nodes, "pdsh", "-w", "n[1-4]", "-l", USER, "echo as $(id -un) with $RCMD_KEY")
    assert (result.code, result.err) == (0, b"")
    assert lines(result) == [f"n{number}: as {USER} with {nodes.key.key_id}" for number in range(1, 5)]


def test_options_for_rcmd_in_the_place_of_ssh(nodes: Place) -> None:
    result = with_ssh(nodes, "pdsh", "-w", "n[1-2]", "echo $ADDED $WORD", env={
        "PDSH_SSH_ARGS_APPEND": "-q -oSetEnv=ADDED=yes", "PDSH_SSH_ARGS": "-4 -e WORD=too %h"})
    assert (result.code, result.err) == (0, b"")
    assert lines(result) == ["n1: yes too", "n2: yes too"]


def test_pdcp_copies_to_every_node(nodes: Place, tmp_path: Path) -> None:
    """All of them are this machine: each copy is told apart by a directory of its own."""
    source = random_file(tmp_path / "a file", scaled(8 << 20, least=1 << 20))
    for number in (1, 2, 3):
        target = tmp_path / f"target {number}"
        target.mkdir()
        result = with_ssh(nodes, "pdcp", "-w", f"n{number}", source, f"{tmp_path}/target?{number}/")
        assert result == Result(0, b"", b"")
        assert digest(target / "a file") == digest(source)


def test_pdcp_copies_a_tree_to_several_nodes_at_once(nodes: Place, tmp_path: Path) -> None:
    source = tmp_path / "tree"
    (source / "sub directory" / "empty").mkdir(parents=True)
    for name in ("one", "sub directory/t w o", "it's"):
        random_file(source / name, 300_000)
    (tmp_path / "target").mkdir()
    # One alone first: pdcp's other ends look for a directory before they make it, and these nodes are one host.
    for where in ("n1", "n[1-3]"):
        assert with_ssh(nodes, "pdcp", "-r", "-p", "-w", where, source, tmp_path / "target") == Result(0, b"", b"")
        assert contents(tmp_path / "target" / "tree") == contents(source)


def test_rpdcp_brings_a_file_of_every_node(nodes: Place, tmp_path: Path) -> None:
    source = random_file(tmp_path / "file", scaled(8 << 20, least=1 << 20))
    (tmp_path / "here").mkdir()
    assert with_ssh(nodes, "rpdcp", "-w", "n[1-3]", source, tmp_path / "here") == Result(0, b"", b"")
    assert {path.name: digest(path) for path in (tmp_path / "here").iterdir()} == {
        f"file.n{number}": digest(source) for number in (1, 2, 3)}


def test_pdcp_into_a_directory_that_is_not_there_fails(nodes: Place, tmp_path: Path) -> None:
    source = random_file(tmp_path / "file", 10)
    result = with_ssh(nodes, "pdcp", "-w", "n1", source, "/no/such/directory/")
    assert "/no/such/directory" in result.message, result
    result = with_ssh(nodes, "rpdcp", "-w", "n1", "/no/such/file", tmp_path)
    assert "/no/such/file" in result.message and not (tmp_path / "file.n1").exists(), result


@pytest.mark.parametrize("how", ["time is up", "interrupted"])
def test_what_pdsh_ends_is_ended_over_there_too(nodes: Place, how: str) -> None:
    name = mark()
    words = ["pdsh", "-R", "exec", *(["-u", "3"] if how == "time is up" else ["-b"]), "-w", "n[1-3]", "rcmd", "--keep",
             "1h", "-e", f"{name}=1", "%h", "echo runs; exec sleep 1000"]
    with process(*words, env=environment(nodes), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                 start_new_session=True) as running:
        # pdsh signals only those whose output it has begun to read.
        assert sorted(running.stdout.readline() for _ in range(3)) == [b"n1: runs\n", b"n2: runs\n", b"n3: runs\n"]
        if how == "interrupted":
            running.send_signal(signal.SIGINT)
        running.wait(60)
    await_the_end_of(name)
