"""clush with rcmd in the place of ssh: statuses, gathered outputs, copies, its prompt, two hundred hosts at once."""
from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Iterator

import pexpect
import pytest

from callers import USER, await_the_end_of, call, configure, contents, digest, environment, random_file
from harness import (Place, Result, Server, base_environment, mark, marked_programs, process, scaled, server_command,
                     wait_for)

HOSTS = scaled(200, least=64)


@pytest.fixture(scope="module")
def nodes(place: Place, server: Server) -> Iterator[Place]:
    """One server under the names n1, n2 and so on."""
    settings = {"address": "127.0.0.1", "port": server.port}
    configure(place, {f"n{number}": {"env": {"NUMBER": str(number)}} for number in range(1, 5)} | {"n*": settings})
    yield place


def clush_words(*words: Any, ssh: str = "rcmd") -> list[str]:
    return ["clush", "-O", f"ssh_path={ssh}", "-O", f"scp_path=scp -S {ssh}", *map(str, words)]


def clush(place: Place, *words: Any, ssh: str = "rcmd", **options: Any) -> Result:
    return call(place, *clush_words(*words, ssh=ssh), **options)


def lines(result: Result) -> list[str]:
    return sorted(result.out.decode().splitlines())


def test_the_command_runs_once_on_every_node(nodes: Place, tmp_path: Path) -> None:
    result = clush(nodes, "-w", "n[1-4]", f"echo $NUMBER >>{tmp_path}/ran; echo I am $NUMBER as $(id -un)")
    assert (result.code, result.err) == (0, b"")
    assert lines(result) == [f"n{number}: I am {number} as {USER}" for number in range(1, 5)]
    assert sorted((tmp_path / "ran").read_text().split()) == ["1", "2", "3", "4"]


@pytest.mark.parametrize("command, largest",
                         [("true", 0), ("exit $NUMBER", 4), ("[ $NUMBER = 2 ] && exit 77; true", 77),
                                              ("kill -9 $$", 137), ("no-such-program", 127), ("exit 255", 255)])
def test_with_s_the_status_is_the_largest_one(nodes: Place, command: str, largest: int) -> None:
    assert clush(nodes, "-S", "-w", "n[1-4]", command).code == largest


def test_without_s_the_status_of_each_is_told(nodes: Place) -> None:
    result = clush(nodes, "-w", "n[1-3]", "exit $NUMBER")
    assert result.code == 0
    told = [f"clush: n{number}: exited with exit code {number}" for number in range(1, 4)]
    assert sorted(result.message.splitlines()) == told


def test_with_b_equal_outputs_are_gathered(nodes: Place) -> None:
    result = clush(nodes, "-S", "-b", "-w", "n[1-4]", "echo same; [ $NUMBER != 3 ] || { echo but one; exit 5; }")
    assert result.code == 5
    rule = "-" * 15
    assert result.out.decode().splitlines() == [rule, "n[1-2,4] (3)", rule, "same", rule, "n3", rule, "same", "but one"]
    assert result.message.splitlines() == ["clush: n3: exited with exit code 5"]


def test_both_streams_are_told_apart(nodes: Place) -> None:
    result = clush(nodes, "-w", "n[1-2]", "echo out; echo err >&2")
    assert (result.code, lines(result)) == (0, ["n1: out", "n2: out"])
    assert sorted(result.message.splitlines()) == ["n1: err", "n2: err"]


def test_every_line_of_a_large_output_arrives(nodes: Place) -> None:
    count = scaled(20_000, least=2000)
    result = clush(nodes, "-q", "-b", "-w", "n[1-4]", f"seq {count}")
    assert (result.code, result.err) == (0, b"")
    rule = "-" * 15
    assert result.out.decode().splitlines() == [rule, "n[1-4]", rule, *map(str, range(1, count + 1))]


def test_what_is_written_to_it_goes_to_every_node(nodes: Place) -> None:
    data = b"".join(b"line %d\n" % number for number in range(scaled(20_000, least=2000)))
    result = clush(nodes, "-q", "-b", "-w", "n[1-4]", "cksum", input=data)
    assert (result.code, result.err) == (0, b"")
    expected = subprocess.run(["cksum"], input=data, stdout=subprocess.PIPE, check=True).stdout.decode().strip()
    assert result.out.decode().splitlines()[1::2] == ["n[1-4]", expected]


def test_commands_on_stdin_are_run_by_the_shells_of_all_nodes(nodes: Place) -> None:
    result = clush(nodes, "-S", "-w", "n[1-3]", input=b"cd /usr\nx=$NUMBER\npwd\nexit $x\n")
    assert result.code == 3
    assert lines(result) == ["n1: /usr", "n2: /usr", "n3: /usr"]


def test_its_prompt_runs_each_line_on_all_nodes(nodes: Place) -> None:
    words = clush_words("--color=never", "-w", "n[1-2]")
    client = pexpect.spawn(words[0], words[1:], env=environment(nodes), encoding="utf-8", timeout=60, echo=False)
    try:
        client.expect_exact("clush> ")
        client.sendline("echo I am $NUMBER")
        both = ["n1: I am 1\r\n", "n2: I am 2\r\n"]
        del both[client.expect_exact(both)]
        client.expect_exact(both)
        client.expect_exact("clush> ")
        client.sendline("exit 3$NUMBER")
        both = ["clush: n1: exited with exit code 31\r\n", "clush: n2: exited with exit code 32\r\n"]
        del both[client.expect_exact(both)]
        client.expect_exact(both)
        client.expect_exact("clush> ")
        client.sendline("quit")
        client.expect(pexpect.EOF)
        client.wait()
        assert client.exitstatus == 0
    finally:
        client.close(force=True)


def test_copies_go_to_every_node(nodes: Place, tmp_path: Path) -> None:
    source = random_file(tmp_path / "a file", scaled(8 << 20, least=1 << 20))
    (tmp_path / "target").mkdir()
    result = clush(nodes, "-S", "-w", "n1", "--copy", source, "--dest", tmp_path / "target")
    assert result == Result(0, b"", b"")
    assert digest(tmp_path / "target" / "a file") == digest(source)
    result = clush(nodes, "-S", "-w", "n[1-4]", "--copy", source, "--dest", tmp_path / "target" / "of all")
    assert result == Result(0, b"", b"")
    assert digest(tmp_path / "target" / "of all") == digest(source)


def test_a_tree_is_copied(nodes: Place, tmp_path: Path) -> None:
    source = tmp_path / "tree"
    (source / "sub directory").mkdir(parents=True)
    for name in ("one", "sub directory/t w o", "it's"):
        random_file(source / name, 300_000)
    (tmp_path / "target").mkdir()
    result = clush(nodes, "-S", "-p", "-w", "n1", "--copy", source, "--dest", tmp_path / "target")
    assert result == Result(0, b"", b"")
    assert contents(tmp_path / "target" / "tree") == contents(source)


def test_rcopy_brings_a_file_of_every_node(nodes: Place, tmp_path: Path) -> None:
    source = random_file(tmp_path / "file", 1 << 20)
    (tmp_path / "here").mkdir()
    result = clush(nodes, "-S", "-w", "n[1-3]", "--rcopy", source, "--dest", tmp_path / "here")
    assert result == Result(0, b"", b"")
    assert {path.name: digest(path) for path in (tmp_path / "here").iterdir()} == {
        f"file.n{number}": digest(source) for number in (1, 2, 3)}


def test_a_copy_that_fails_counts(nodes: Place, tmp_path: Path) -> None:
    source = random_file(tmp_path / "file", 10)
    result = clush(nodes, "-S", "-w", "n[1-2]", "--copy", source, "--dest", "/no/such/directory/")
    assert result.code != 0 and "/no/such/directory" in result.message, result


def test_as_a_program_that_it_executes(nodes: Place) -> None:
    result = call(nodes, "clush", "--worker=exec", "-S", "-w", "n[1-3]", "rcmd %h 'echo here; exit $NUMBER'")
    assert (result.code, lines(result)) == (3, ["n1: here", "n2: here", "n3: here"])


def test_options_and_a_user_are_passed_on(nodes: Place) -> None:
    words = ["-O", "ssh_options=-oSetEnv=ADDED=yes -q", "-l", USER, "-w", "n[1-2]", "echo $ADDED $(id -un)"]
    assert lines(clush(nodes, *words)) == [f"n1: yes {USER}", f"n2: yes {USER}"]


def test_a_node_that_is_not_reached_is_named_and_the_others_go_on(make_server: Callable[..., Server]) -> None:
    server, gone = make_server(), make_server()
    gone.kill()
    configure(server.place, {name: {"address": "127.0.0.1", "port": each.port}
                             for name, each in (("here", server), ("gone", gone))})
    result = clush(server.place, "-S", "-w", "here,gone", "echo reached")
    assert (result.code, result.out) == (255, b"here: reached\n")
    told = result.message.splitlines()
    assert len(told) == 2 and told[0].startswith("gone: rcmd: gone: "), told
    assert told[1] == "clush: gone: exited with exit code 255"


@pytest.mark.parametrize("how", ["time is up", "interrupted"])
def test_what_clush_ends_is_ended_over_there_too(nodes: Place, how: str) -> None:
    """It kills its remote shells, at once also after Ctrl-C: what runs over there ends when nobody comes back for it."""
    name = mark()
    words = clush_words(*(["-u", "3"] if how == "time is up" else []), "-O", f"ssh_options=--keep 1 -oSetEnv={name}=1",
                        "-w", "n[1-3]", "sleep 1000")
    with process(*words, env=environment(nodes), stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                 start_new_session=True) as running:
        wait_for(lambda: marked_programs(name).count("sleep") == 3, "the command to run everywhere")  # clush does not hear it while it starts one
        if how == "interrupted":
            os.killpg(running.pid, signal.SIGINT)
        running.wait(60)
    await_the_end_of(name)


@contextmanager
def one_server_on_many_addresses(place: Place, addresses: list[str]) -> Iterator[int]:
    """Listens on one port of all these addresses, and gives the port."""
    with socket.create_server(("0.0.0.0", 0)) as free:  # of all addresses, so also of these
        port = free.getsockname()[1]
    options = [word for address in addresses for word in ("--listen", f"{address}:{port}")]
    with (place.root / "server.log").open("wb") as log, \
            process(*server_command(place, *options), env=base_environment(place.home), stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE, stderr=log) as running:
        ready = {running.stdout.readline() for _ in addresses}
        assert ready == {f"listening on {address}:{port}\n".encode() for address in addresses}
        yield port
        running.send_signal(signal.SIGTERM)
        assert running.wait(60) == 0


def test_two_hundred_hosts_answer_in_one_run(make_place: Callable[..., Place], tmp_path: Path) -> None:
    place = make_place()
    addresses = [f"127.1.0.{number}" for number in range(1, HOSTS + 1)]
    with one_server_on_many_addresses(place, addresses) as port:
        configure(place, {"*": {"port": port}})
        # No status of a transport, no message, and each command run once: nothing was tried again.
        command = f"echo x >>{tmp_path}/ran; echo done"
        result = clush(place, "-S", "-f", "64", "-w", f"127.1.0.[1-{HOSTS}]", command)
        assert (result.code, result.err) == (0, b"")
        assert lines(result) == sorted(f"{address}: done" for address in addresses)
        assert len((tmp_path / "ran").read_text().split()) == HOSTS
        # And once more, now that all of them are known.
        result = clush(place, "-q", "-S", "-b", "-f", "64", "-w", f"127.1.0.[1-{HOSTS}]", "echo done")
        assert (result.code, result.err) == (0, b"")
        assert result.out.decode().splitlines()[1::2] == [f"127.1.0.[1-{HOSTS}]", "done"]
    logged = (place.root / "server.log").read_text()
    assert len(re.findall(" info job job=", logged)) == 2 * HOSTS, logged[-3000:]
