"""The server's configuration file: found, obeyed, and refused."""
from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

from harness import (AS_ROOT, BIN, DEADLINE, RCMD_SERVER, Place, Result, authorized_line, base_environment, process,
                     run, run_rcmd)

NOBODY = 65534


def settings(place: Place, *more: str) -> str:
    """A file that needs nothing beside it on the command line."""
    lines = [f'authorized-keys = "{place.authorized_keys}"', f'state-dir = "{place.state}"',
             'listen = ["127.0.0.1:0"]', *more]
    return "".join(line + "\n" for line in lines)


def config_file(place: Place, text: str, mode: int = 0o644) -> str:
    path = place.root / "server.toml"
    path.write_text(text)
    path.chmod(mode)
    return str(path)


@contextmanager
def serving(place: Place, *options: str, lines: int = 1, **more: Any) -> Iterator[list[str]]:
    """A server with these options only: the addresses that it listens on."""
    with process(RCMD_SERVER, *options, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                 env=base_environment(place.home), **more) as child:
        said = [child.stdout.readline().decode() for _ in range(lines)]
        assert all(line.startswith("listening on ") for line in said), said
        yield [line.split()[-1] for line in said]
        child.terminate()
        assert child.wait(DEADLINE) == 0
        assert child.stdout.read() == b"", "it listens on more addresses"


def refused(place: Place, path: str, *options: str) -> Result:
    """One line that names the file."""
    result = run(RCMD_SERVER, "--config", path, *options, env=base_environment(place.home))
    assert (result.code, result.out) == (2, b""), result
    lines = result.message.splitlines()
    assert len(lines) == 1 and lines[0].startswith(f"rcmd-server: {path}: "), result.message
    return result


def test_a_server_takes_all_that_it_needs_from_its_file(make_place: Callable[..., Place]) -> None:
    place = make_place()
    log = place.root / "log"
    with serving(place, "--config", config_file(place, settings(place, f'log-file = "{log}"'))) as (host,):
        assert run_rcmd(place, host, "echo served").out == b"served\n"
    assert "echo served" in log.read_text()


def test_the_command_line_wins_and_its_addresses_are_all(make_place: Callable[..., Place]) -> None:
    place = make_place()
    path = config_file(place, settings(place).replace("127.0.0.1:0", "192.0.2.1:7420"))
    options = ["--listen", "127.0.0.1:0", "--listen", "127.0.0.2:0"]
    with serving(place, *options, "--config", path, lines=2) as hosts:
        assert [host.split(":")[0] for host in hosts] == ["127.0.0.1", "127.0.0.2"]


def test_a_server_of_a_user_finds_the_file_in_its_home() -> None:
    options: dict[str, Any] = {}
    root = Path(tempfile.mkdtemp(prefix="rcmd-config-"))  # where nobody may go, too
    place = Place(root / "place")
    try:
        path = place.home / ".config" / "rcmd" / "server.toml"
        path.write_text(settings(place))
        path.chmod(0o600)
        if AS_ROOT:
            place.write_authorized(authorized_line(place.key, "") + "\n")
            give_away(root)
            options = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        with serving(place, **options) as (host,):
            assert host.startswith("127.0.0.1:")
    finally:
        shutil.rmtree(root)


def give_away(root: Path) -> None:
    """To nobody, as which a server is then run."""
    if not os.stat(BIN).st_mode & 0o001:
        pytest.skip("nobody else may run the programs")
    os.chown(root, NOBODY, NOBODY)
    for folder, folders, files in os.walk(root):
        for name in folders + files:
            os.chown(Path(folder) / name, NOBODY, NOBODY)


@pytest.mark.parametrize(("line", "named"), [("no-such-name = 1", "no-such-name"), ("threads = 0", "threads"),
                                             ('max-spool = "lots"', "max-spool"), ("[section]", "section"),
                                             ('sftp-server = "relative"', "sftp-server")])
def test_what_is_wrong_is_named_with_its_file(make_place: Callable[..., Place], line: str, named: str) -> None:
    place = make_place()
    assert named in refused(place, config_file(place, settings(place, line))).message


def test_a_file_that_others_can_write_is_refused(make_place: Callable[..., Place]) -> None:
    place = make_place()
    path = config_file(place, settings(place), 0o664)
    assert f"chmod 0644 {path}" in refused(place, path).message


@pytest.mark.skipif(not AS_ROOT, reason="only root can give a file away")
def test_a_file_of_somebody_else_is_refused(make_place: Callable[..., Place]) -> None:
    place = make_place()
    path = config_file(place, settings(place))
    os.chown(path, NOBODY, NOBODY)
    assert "belongs to somebody else" in refused(place, path).message


def test_a_file_that_was_named_must_be_there(make_place: Callable[..., Place]) -> None:
    place = make_place()
    assert "No such file" in refused(place, str(place.root / "nothing")).message


def test_the_help_names_the_option(make_place: Callable[..., Place]) -> None:
    assert b"--config" in run(RCMD_SERVER, "--help", env=base_environment(make_place().home)).out
