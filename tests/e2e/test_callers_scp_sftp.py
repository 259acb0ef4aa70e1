"""scp and sftp with rcmd below them: both protocols, any name, going on with a partial file, and their statuses."""
from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import Callable, Iterator

import pytest

from callers import AWKWARD_NAMES, MIB, USER, call, configure, contents, digest, environment, plant, random_file, tree
from cutter import at_random, cutter
from harness import Place, Result, Server, children, process, scaled, wait_for

SFTP_SERVER = "/usr/lib/openssh/sftp-server"
CUTS = 6
SFTP, LEGACY = [], ["-O"]


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree without links: scp copies what they lead to."""
    root = plant(tmp_path_factory.mktemp("planted") / "source tree")
    for link in (root / "a link", root / "a dangling link"):
        link.unlink()
    return root


@pytest.fixture(scope="module")
def harmless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree whose names the older protocol can carry."""
    root = tmp_path_factory.mktemp("harmless") / "tree"
    (root / "sub directory").mkdir(parents=True)
    (root / "empty directory").mkdir()
    for name in ("plain", "a b", "it's", "ümläut", "sub directory/c d"):
        random_file(root / name, 100_000)
    (root / "script").write_text("#!/bin/sh\n")
    (root / "script").chmod(0o755)
    return root


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_file(tmp_path_factory.mktemp("large") / "large", scaled(48, least=4) * MIB + 11)


def scp(server: Server, *words: str, port: int | None = None) -> Result:
    return call(server.place, "scp", "-S", "rcmd", "-P", str(port or server.port), *words)


def remote(path: Path | str) -> str:
    return f"127.0.0.1:{path}"


def ends(direction: str, source: Path, target: Path) -> list[str]:
    return [str(source), remote(target)] if direction == "up" else [remote(source), str(target)]


def sftp(server: Server, batch: str, *words: str, port: int | None = None) -> Result:
    """Runs the lines of a batch."""
    return call(server.place, "sftp", "-q", "-S", "rcmd", "-P", str(port or server.port), "-b", "-", *words,
                "127.0.0.1", input=batch.encode())


def quoted(path: Path | str) -> str:
    return '"' + str(path).replace("\\", "\\\\").replace('"', '\\"') + '"'


both_ways = pytest.mark.parametrize("direction", ["up", "down"])
both_protocols = pytest.mark.parametrize("protocol", [SFTP, LEGACY], ids=["sftp", "legacy"])


@both_ways
def test_scp_copies_a_tree_with_names_of_all_kinds(server: Server, planted: Path, tmp_path: Path,
                                                   direction: str) -> None:
    result = scp(server, "-q", "-r", "-p", *ends(direction, planted, tmp_path / "target"))
    assert result == Result(0, b"", b"")
    assert tree(tmp_path / "target") == tree(planted)


@both_ways
@both_protocols
def test_scp_copies_a_tree_with_modes_and_times(server: Server, harmless: Path, tmp_path: Path, direction: str,
                                                protocol: list[str]) -> None:
    result = scp(server, "-q", *protocol, "-r", "-p", *ends(direction, harmless, tmp_path / "target"))
    assert result == Result(0, b"", b"")
    assert tree(tmp_path / "target") == tree(harmless)


@both_ways
@both_protocols
def test_scp_copies_a_large_file(server: Server, large: Path, tmp_path: Path, direction: str,
                                 protocol: list[str]) -> None:
    result = scp(server, "-q", *protocol, *ends(direction, large, tmp_path / "target"))
    assert result == Result(0, b"", b"")
    assert digest(tmp_path / "target") == digest(large)


@pytest.mark.parametrize("name", [name for name in AWKWARD_NAMES if name not in ("*", "[a-z]?", "back\\slash", "\\n")])
def test_scp_takes_a_name_from_the_command_line(server: Server, tmp_path: Path, name: str) -> None:
    """All but wildcards, which scp takes for such in a remote name."""
    (tmp_path / "there").mkdir()
    (tmp_path / "here").mkdir()
    (tmp_path / "there" / name).write_text(name)
    assert scp(server, "-q", remote(tmp_path / "there" / name), f"{tmp_path}/here") == Result(0, b"", b"")
    assert {path.name: path.read_text() for path in (tmp_path / "here").iterdir()} == {name: name}


def test_scp_expands_wildcards_of_the_other_side(server: Server, harmless: Path, tmp_path: Path) -> None:
    assert scp(server, "-q", remote(harmless / "[ap]*"), str(tmp_path)) == Result(0, b"", b"")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a b", "plain"]


@pytest.fixture
def two(make_place: Callable[..., Place], make_server: Callable[..., Server]) -> Iterator[Place]:
    """Two servers, known by name."""
    place = make_place()
    first = make_server(place=place)
    second_place = make_place()
    second_place.authorize(place.key)
    second = make_server(place=second_place)
    assert first.port != second.port
    configure(place, {"alpha": {"address": "127.0.0.1", "port": first.port},
                      "beta": {"address": "127.0.0.1", "port": second.port}})
    yield place
    for server in (first, second):
        assert " info job job=" in server.log(), "it was passed by"


@both_protocols
def test_scp_between_two_other_hosts(two: Place, harmless: Path, large: Path, tmp_path: Path,
                                     protocol: list[str]) -> None:
    command = ["scp", "-3", "-q", "-S", "rcmd", *protocol]
    assert call(two, *command, "-r", f"alpha:{harmless}", f"beta:{tmp_path}/tree") == Result(0, b"", b"")
    assert contents(tmp_path / "tree") == contents(harmless)
    assert call(two, *command, f"alpha:{large}", f"beta:{tmp_path}/large") == Result(0, b"", b"")
    assert digest(tmp_path / "large") == digest(large)


@both_protocols
def test_scp_between_two_other_hosts_fails_when_one_of_them_fails(two: Place, harmless: Path, tmp_path: Path,
                                                                  protocol: list[str]) -> None:
    """The older protocol keeps to itself what went wrong."""
    command = ["scp", "-3", "-S", "rcmd", *protocol]
    result = call(two, *command, "alpha:/no/such/file", f"beta:{tmp_path}/target")
    assert result.code == 1 and (protocol or "/no/such/file" in result.message), result
    assert not (tmp_path / "target").exists()
    result = call(two, *command, f"alpha:{harmless}/plain", "beta:/no/such/directory/target")
    assert result.code != 0 and (protocol or "/no/such/directory" in result.message), result
    assert call(two, *command, f"alpha:{harmless}/plain", f"beta:{tmp_path}/target").code == 0


@both_protocols
def test_scp_of_a_file_that_is_not_there_fails(server: Server, tmp_path: Path, protocol: list[str]) -> None:
    result = scp(server, *protocol, remote("/no/such/file"), str(tmp_path / "target"))
    assert result.code == 1, result
    assert "/no/such/file: No such file or directory" in result.message
    assert not (tmp_path / "target").exists()


@both_protocols
def test_scp_into_a_directory_that_is_not_there_fails(server: Server, harmless: Path, protocol: list[str]) -> None:
    result = scp(server, *protocol, str(harmless / "plain"), remote("/no/such/directory/target"))
    assert result.code in (1, 255), result
    assert "/no/such/directory" in result.message
    assert "rcmd: " not in result.message


@both_protocols
def test_scp_goes_on_with_the_rest_after_a_file_that_is_not_there(server: Server, harmless: Path, tmp_path: Path,
                                                                 protocol: list[str]) -> None:
    result = scp(server, *protocol, "-r", remote("/no/such/file"), remote(harmless / "plain"), str(tmp_path))
    assert result.code == 1 and "/no/such/file" in result.message, result
    assert digest(tmp_path / "plain") == digest(harmless / "plain")


@both_protocols
def test_scp_to_a_host_that_is_not_reached_fails(make_server: Callable[..., Server], harmless: Path,
                                                 protocol: list[str]) -> None:
    server = make_server()
    server.kill()
    result = scp(server, *protocol, str(harmless / "plain"), remote("/no/such/directory/target"))
    assert result.code in (1, 255), result
    told = [line for line in result.message.splitlines() if line.startswith("rcmd: ")]
    assert len(told) == 1 and "127.0.0.1" in told[0], result.message


def test_scp_as_a_user(server: Server, harmless: Path, tmp_path: Path) -> None:
    source = str(harmless / "plain")
    assert scp(server, "-q", source, f"{USER}@{remote(tmp_path / 'target')}") == Result(0, b"", b"")
    assert digest(tmp_path / "target") == digest(harmless / "plain")
    result = scp(server, "-q", source, f"nosuchuser@{remote(tmp_path / 'other')}")
    assert result.code != 0 and "\nrcmd: 127.0.0.1: " in "\n" + result.message
    assert not (tmp_path / "other").exists()


@both_ways
@both_protocols
def test_a_broken_network_does_not_show_in_scp(server: Server, large: Path, tmp_path: Path, direction: str,
                                               protocol: list[str]) -> None:
    size = large.stat().st_size
    with cutter(server, at_random(21, CUTS, size // 20, size // 8), how="reset") as proxy:
        result = scp(server, *protocol, "-o", "LogLevel=QUIET", *ends(direction, large, tmp_path / "target"),
                     port=proxy.port)
        assert result.code == 0 and proxy.cut == CUTS, result
    assert digest(tmp_path / "target") == digest(large)


def test_sftp_puts_gets_and_lists(server: Server, harmless: Path, tmp_path: Path) -> None:
    there, here = tmp_path / "over there", tmp_path / "here again"
    here.mkdir()
    result = sftp(server, "\n".join([
        f"mkdir {quoted(there)}",
        f"cd {quoted(there)}",
        "pwd",
        f"lcd {quoted(harmless)}",
        'put -p "a b"',
        "put \"it's\" \"renamed on the way\"",
        'put -R "sub directory"',
        "ls -1",
        f"lcd {quoted(here)}",
        'get -p "a b" "a b back"',
        'get -R "sub directory"',
        'rename "renamed on the way" "renamed there"',
        'chmod 600 "renamed there"',
        'ln -s "a b" link',
        'rm "a b"',
        "ls -la",
        "df",
        ""]))
    assert (result.code, result.err) == (0, b"")
    said = result.out.decode()
    assert f"\nRemote working directory: {there}\n" in said
    assert "\nsftp> ls -1\na b\nrenamed on the way\nsub directory\nsftp> " in said
    assert sorted(os.listdir(there)) == ["link", "renamed there", "sub directory"]
    assert (there / "renamed there").stat().st_mode & 0o777 == 0o600
    assert os.readlink(there / "link") == "a b"
    for copy, of in ((there / "renamed there", "it's"), (here / "a b back", "a b"),
                     (here / "sub directory" / "c d", "sub directory/c d")):
        assert digest(copy) == digest(harmless / of)
    assert int((here / "a b back").stat().st_mtime) == int((harmless / "a b").stat().st_mtime)


@both_ways
def test_sftp_takes_a_tree_with_names_of_all_kinds(server: Server, planted: Path, tmp_path: Path,
                                                   direction: str) -> None:
    word = "put" if direction == "up" else "get"
    result = sftp(server, f"{word} -Rp {quoted(planted)} {quoted(tmp_path / 'target')}\n")
    assert (result.code, result.err) == (0, b"")
    assert contents(tmp_path / "target") == contents(planted)


@pytest.mark.parametrize("word", ["reget", "get -a", "reput", "put -a"])
def test_sftp_goes_on_with_a_partial_file(server: Server, large: Path, tmp_path: Path, word: str) -> None:
    """What is there already is left as it is, also if it is not what the source has: only the rest is transferred."""
    size = large.stat().st_size
    half = size // 2
    target = tmp_path / "partial file"
    target.write_bytes(b"x" * half)
    result = sftp(server, f"{word} {quoted(large)} {quoted(target)}\n")
    assert (result.code, result.err) == (0, b"")
    with large.open("rb") as source, target.open("rb") as copy:
        source.seek(half)
        assert copy.read(half) == b"x" * half
        assert copy.read() == source.read()


@pytest.mark.parametrize("words, told", [
    ("get /no/such/file /tmp", "/no/such/file"),
    ("cd /no/such/directory", "/no/such/directory: No such file"),
    ("rm /no/such/file", "No such file or directory"),
    ("ls /no/such/file", "/no/such/file"),
])
def test_sftp_ends_at_the_first_line_of_a_batch_that_fails(server: Server, tmp_path: Path, words: str,
                                                           told: str) -> None:
    result = sftp(server, f"{words}\nmkdir {quoted(tmp_path / 'later')}\n")
    assert result.code == 1 and told in result.message, result
    assert not (tmp_path / "later").exists()
    result = sftp(server, f"-{words}\nmkdir {quoted(tmp_path / 'later')}\n")
    assert result.code == 0 and told in result.message, result
    assert (tmp_path / "later").exists()


def test_sftp_reads_its_batch_from_a_file(server: Server, harmless: Path, tmp_path: Path) -> None:
    batch = tmp_path / "batch file"
    batch.write_text(f"get {quoted(harmless / 'a b')} {quoted(tmp_path / 'copy')}\n")
    result = call(server.place, "sftp", "-S", "rcmd", "-P", str(server.port), "-b", str(batch), f"{USER}@127.0.0.1")
    assert result.code == 0, result
    assert digest(tmp_path / "copy") == digest(harmless / "a b")


def test_sftp_gets_a_file_named_on_its_command_line(server: Server, harmless: Path, tmp_path: Path) -> None:
    result = call(server.place, "sftp", "-q", "-S", "rcmd", "-P", str(server.port), remote(harmless / "plain"),
                  str(tmp_path / "copy"))
    assert result.code == 0, result
    assert digest(tmp_path / "copy") == digest(harmless / "plain")


def test_sftp_to_a_host_that_is_not_reached_fails(make_server: Callable[..., Server]) -> None:
    server = make_server()
    server.kill()
    result = sftp(server, "pwd\n")
    assert result.code == 255, result
    told = [line for line in result.message.splitlines() if line.startswith("rcmd: ")]
    assert len(told) == 1 and "127.0.0.1" in told[0], result.message


def test_sftp_with_the_path_of_a_server_program(server: Server, harmless: Path, tmp_path: Path) -> None:
    result = sftp(server, f"get {quoted(harmless / 'plain')} {quoted(tmp_path / 'copy')}\n", "-s", SFTP_SERVER)
    assert (result.code, result.err) == (0, b"")
    assert digest(tmp_path / "copy") == digest(harmless / "plain")


def test_sftp_with_a_subsystem_that_is_not_there(server: Server) -> None:
    result = sftp(server, "pwd\n", "-s", "nosuchsubsystem")
    assert result.code == 255, result
    told = [line for line in result.message.splitlines() if line.startswith("rcmd: ")]
    assert len(told) == 1 and "subsystem" in told[0] and "not started" in told[0], result.message


@both_ways
def test_a_broken_network_does_not_show_in_sftp(server: Server, large: Path, tmp_path: Path, direction: str) -> None:
    size = large.stat().st_size
    target = tmp_path / "target"
    word = "put" if direction == "up" else "get"
    with cutter(server, at_random(22, CUTS, size // 20, size // 8)) as proxy:
        result = sftp(server, f"{word} {quoted(large)} {quoted(target)}\n", "-o", "LogLevel QUIET", port=proxy.port)
        assert result.code == 0 and proxy.cut == CUTS, result
    assert digest(target) == digest(large)


def programs(server: Server) -> list[str]:
    """What its jobs are; their environment would not show who they are, as they keep it to themselves."""
    found = []
    for pid in children(server.pid):
        with contextlib.suppress(OSError):
            found.append(Path(f"/proc/{pid}/comm").read_text().strip())
    return found


def test_the_server_runs_the_sftp_server_that_it_was_told_of(make_server: Callable[..., Server],
                                                             tmp_path: Path) -> None:
    program = shutil.copy(SFTP_SERVER, tmp_path / "sftp-of-mine")
    server = make_server("--sftp-server", str(program))
    with process("sftp", "-q", "-S", "rcmd", "-P", str(server.port), "127.0.0.1", env=environment(server.place),
                 stdin=subprocess.PIPE, stdout=subprocess.PIPE) as client:
        wait_for(lambda: programs(server) == ["sftp-of-mine"], "the program that it was told of, and no other")
        client.stdin.write(b"pwd\nbye\n")
        client.stdin.close()
        assert client.wait(60) == 0
        assert b"Remote working directory: /" in client.stdout.read()
    wait_for(lambda: not programs(server), "the program to end with its client")


def test_a_killed_sftp_is_ended_over_there_too(make_server: Callable[..., Server]) -> None:
    server = make_server()
    with process("sftp", "-q", "-S", "rcmd", "-P", str(server.port), "127.0.0.1", env=environment(server.place),
                 stdin=subprocess.PIPE, stdout=subprocess.PIPE) as client:
        wait_for(lambda: programs(server) == ["sftp-server"], "the program to be there")
        client.kill()
        client.wait(60)
    wait_for(lambda: not programs(server), "the program over there to be gone")
