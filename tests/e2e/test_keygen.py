"""rcmd keygen: makes a key, prints lines for authorized_keys, destroys nothing."""
from __future__ import annotations

import os
import re
import stat
from pathlib import Path

import pytest

import wire
from harness import AS_ROOT, RCMD, Place, Result, Server, base_environment, from_base64, run

LINE = re.compile(r"(\S+) hmac-sha256 (\S+) (\S+) (\S+)( user=\S+)?\n")


def keygen(home: Path, *arguments: str) -> Result:
    return run(RCMD, "keygen", *arguments, env=base_environment(home))


def read_key(path: Path) -> wire.Key:
    word, version, key_id, secret = path.read_text().split()
    assert (word, version) == ("rcmd-key", "1")
    assert path.read_text().count("\n") == 1
    return wire.Key(key_id, from_base64(secret))


def matches(key: wire.Key, line: str) -> bool:
    """Whether the line has the values that the key and its salt give."""
    match = LINE.fullmatch(line)
    assert match, line
    keys = wire.derive(key.secret, from_base64(match.group(2)))
    return (match.group(1), from_base64(match.group(3)), from_base64(match.group(4))) == (
        key.key_id, keys.stored, keys.server)


def test_a_key_is_made_where_the_client_looks_for_it_and_nobody_else_can_read_it(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        result = keygen(tmp_path)
    finally:
        os.umask(old)
    path = tmp_path / ".config" / "rcmd" / "key"
    assert result.code == 0, result.message
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not stat.S_IMODE(path.parent.stat().st_mode) & 0o022
    assert len(read_key(path).secret) == 32


def test_xdg_config_home_is_not_used(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    run(RCMD, "keygen", env=base_environment(tmp_path) | {"XDG_CONFIG_HOME": str(elsewhere)})
    assert (tmp_path / ".config/rcmd/key").exists() and not elsewhere.exists()


def test_stdout_is_exactly_the_line_for_authorized_keys(tmp_path: Path) -> None:
    result = keygen(tmp_path, "-f", str(tmp_path / "deep" / "er" / "key"), "--id", "alice@laptop")
    key = read_key(tmp_path / "deep" / "er" / "key")
    assert key.key_id == "alice@laptop"
    assert matches(key, result.out.decode())


def test_every_key_is_another_one(tmp_path: Path) -> None:
    keys = []
    for number in range(5):
        keygen(tmp_path, "-f", str(tmp_path / str(number)))
        keys.append(read_key(tmp_path / str(number)).secret)
    assert len(set(keys)) == 5


def test_an_existing_file_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "key"
    keygen(tmp_path, "-f", str(path))
    before = path.read_bytes()
    result = keygen(tmp_path, "-f", str(path))
    result.failed_by_itself()
    assert str(path) in result.message and result.out == b""
    assert path.read_bytes() == before


def test_a_dangling_link_is_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.symlink_to(tmp_path / "target")
    assert keygen(tmp_path, "-f", str(path)).code == 255
    assert not (tmp_path / "target").exists()


def test_line_prints_a_further_line_with_a_fresh_salt(tmp_path: Path) -> None:
    path = tmp_path / "key"
    first = keygen(tmp_path, "-f", str(path)).out.decode()
    before = path.read_bytes()
    second, third = (keygen(tmp_path, "--line", "-f", str(path)).out.decode() for _ in range(2))
    assert path.read_bytes() == before
    assert len({line.split()[2] for line in (first, second, third)}) == 3
    for line in (first, second, third):
        assert matches(read_key(path), line)


def test_line_without_a_key_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    result = keygen(tmp_path, "--line")
    result.failed_by_itself()
    assert str(tmp_path) in result.message and "rcmd keygen" in result.message
    assert not (tmp_path / ".config/rcmd/key").exists()


@pytest.mark.parametrize("wrong", ["", "two words", "a/b", "x" * 65, ".hidden", "a\nb", "ü", "#x"])
def test_an_id_that_is_none_is_refused(tmp_path: Path, wrong: str) -> None:
    result = keygen(tmp_path, "-f", str(tmp_path / "key"), f"--id={wrong}")
    assert result.code == 255 and result.message.startswith("rcmd: ")
    assert not (tmp_path / "key").exists()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = keygen(tmp_path, "-f", str(tmp_path / "file" / "key"))
    result.failed_by_itself()
    assert str(tmp_path / "file") in result.message


def test_lines_of_two_hosts_open_both_with_one_key(tmp_path: Path) -> None:
    user = " user=root" if AS_ROOT else ""
    home = tmp_path / "home"
    places = [Place(tmp_path / "one"), Place(tmp_path / "two")]
    lines = [keygen(home), keygen(home, "--line")]
    servers = []
    try:
        for place, line in zip(places, lines):
            text = line.out.decode().strip()
            place.write_authorized(text + ("" if "user=" in text else user) + "\n")
            servers.append(Server(place))
        for server in servers:
            result = run(RCMD, server.host, "echo in", env=base_environment(home))
            assert (result.code, result.out) == (0, b"in\n"), result.message
    finally:
        for server in servers:
            server.stop()


def test_the_printed_line_says_for_which_key_it_is(tmp_path: Path) -> None:
    result = keygen(tmp_path)
    assert result.out.decode().split()[0] == read_key(tmp_path / ".config/rcmd/key").key_id
