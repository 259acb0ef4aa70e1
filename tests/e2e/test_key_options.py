"""The options of a line in authorized_keys: what a restricted key may do, and that changes hold for sessions that are open."""
from __future__ import annotations

import os
import signal
import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Callable, Iterator

import pytest

import wire
from harness import (AS_ROOT, NEVER_STARTED, RCMD, Result, Server, base_environment, mark, marked, process, run_rcmd,
                     wait_for)

MakeServer = Callable[..., Server]
USER = "user=root " if AS_ROOT else ""


class Restricted:
    """A server with an ordinary key and another one whose line has options."""

    def __init__(self, server: Server):
        self.server = server
        self.key = wire.Key("restricted@there", os.urandom(32))
        self.key_file = server.place.add_key_file("restricted-key", self.key)
        self.salt = os.urandom(16)
        self.other_line = server.place.authorized_keys.read_text()

    def allow(self, options: str) -> None:
        self.server.place.write_authorized(f"{self.other_line}{self.key.authorized_line(self.salt)} {USER}{options}\n")

    def forbid(self) -> None:
        self.server.place.write_authorized(self.other_line)

    def rcmd(self, *words: str, options: list[str] = [], **more: object) -> Result:
        return self.server.rcmd(*words, options=["-i", self.key_file, *options], **more)

    def command(self, *words: str, options: list[str] = []) -> list[str]:
        return [RCMD, "-i", self.key_file, *options, f"127.0.0.1:{self.server.port}", *words]


@pytest.fixture
def restricted(make_server: MakeServer) -> Restricted:
    return Restricted(make_server())


def refused(result: Result, reason: str) -> None:
    result.failed_by_itself()
    assert reason in result.message and NEVER_STARTED.search(result.message), result


def events(server: Server, name: str) -> list[str]:
    return [line for line in server.log().splitlines() if f" {name} " in line]


# A forced command

def test_a_forced_command_runs_instead_and_knows_what_was_asked_for(restricted: Restricted) -> None:
    restricted.allow('command="echo forced: $RCMD_ORIGINAL_COMMAND"')
    result = restricted.rcmd("rm -rf", "'/no such'; id")
    assert (result.code, result.out) == (0, b"forced: rm -rf '/no such'; id\n"), result
    assert any("asked=" in line and "restricted@there" in line for line in events(restricted.server, "forced"))


@pytest.mark.parametrize("options", [["--argv"], ["--cwd", "/"], ["-tt"], ["--combine"], ["--job", "named"], ["--batch"]], ids=lambda each: each[0])
def test_whatever_way_it_is_asked_for(restricted: Restricted, tmp_path: Path, options: list[str]) -> None:
    restricted.allow('command="pwd; echo $HOME $LD_PRELOAD $IFS"')
    (tmp_path / "home").mkdir()
    words = [] if options == ["--batch"] else ["touch", str(tmp_path / "done")]
    result = restricted.rcmd(*words, options=[*options, "-e", "LD_PRELOAD=x.so", "-e", f"HOME={tmp_path}", "-e", "IFS=/"],
                             input=f"touch {tmp_path}/done\n".encode() if not words else b"")
    home = os.path.expanduser("~root") if AS_ROOT else os.environ["HOME"]
    assert (result.code, result.out.replace(b"\r", b"").decode().split()) == (0, [home, home]), result
    assert not (tmp_path / "done").exists()


def test_without_a_command_the_forced_one_gets_stdin(restricted: Restricted) -> None:
    restricted.allow('command="cat; exit 3"')
    assert restricted.rcmd(input=b"exit 4\n") == Result(3, b"exit 4\n", b"")


def test_quotes_and_blanks_in_a_forced_command(restricted: Restricted) -> None:
    restricted.allow(r'command="printf \"%s|\" one \"two  three\" a,b=c" no-pty')
    assert restricted.rcmd("anything").out == b"one|two  three|a,b=c|"


def test_a_forced_command_lets_no_subsystem_through(restricted: Restricted, tmp_path: Path) -> None:
    restricted.allow('command="echo forced"')
    refused(restricted.rcmd("sftp", options=["-s"]), "command=")
    source = tmp_path / "source"
    source.write_text("text")
    target = f"127.0.0.1:{tmp_path}/target"
    for words in ([str(source), target], [f"127.0.0.1:{source}", str(tmp_path / "target")]):
        result = run_rcmd(restricted.server.place, "cp", "-i", restricted.key_file, "-P", str(restricted.server.port), *words)
        assert result.code != 0 and "command=" in result.message, result
        assert not (tmp_path / "target").exists()
    assert len(events(restricted.server, "job_refused")) == 3


def test_a_durable_job_of_a_forced_key_is_forced_too(restricted: Restricted) -> None:
    restricted.allow('command="echo forced: $RCMD_ORIGINAL_COMMAND; echo $RCMD_X $EDITOR" env=EDITOR')
    options = ["--job", "durable", "-e", "EDITOR=vi", "-e", "OTHER=x"]
    assert restricted.rcmd("echo", "free", options=options).out == b"forced: echo free\nvi\n"
    assert restricted.rcmd("echo", "free", options=options).out == b"forced: echo free\nvi\n"


def test_other_keys_and_their_jobs_are_out_of_reach(restricted: Restricted) -> None:
    restricted.allow('command="echo forced"')
    server = restricted.server
    assert server.rcmd("echo mine", options=["--job", "of-the-other"]).out == b"mine\n"
    for verb in (["attach"], ["kill"]):
        result = run_rcmd(server.place, *verb, "-i", restricted.key_file, f"127.0.0.1:{server.port}", "of-the-other")
        assert result.code == 255 and "no such job" in result.message, result
    listing = run_rcmd(server.place, "jobs", "-i", restricted.key_file, f"127.0.0.1:{server.port}")
    assert b"of-the-other" not in listing.out


# Environment and terminals

def test_env_names_what_may_be_set(restricted: Restricted) -> None:
    restricted.allow("env=EDITOR,LC_*")
    options = [part for each in ("EDITOR=vi", "LC_ALL=C", "LD_PRELOAD=x.so", "EDITORS=x", "PATH=/nowhere") for part in ("-e", each)]
    result = restricted.rcmd("echo $EDITOR $LC_ALL $LD_PRELOAD $EDITORS; command -v ls", options=options)
    assert (result.code, result.out.split()) == (0, [b"vi", b"C", b"/usr/bin/ls"]), result


def test_no_pty_refuses_a_terminal_and_nothing_else(restricted: Restricted) -> None:
    restricted.allow("no-pty")
    refused(restricted.rcmd("true", options=["-tt"]), "no-pty")
    assert restricted.rcmd("echo yes").out == b"yes\n"


# Where from, and until when

def test_from_lets_only_those_addresses_in(restricted: Restricted) -> None:
    restricted.allow("from=10.0.0.0/8,192.0.2.1")
    refused(restricted.rcmd("true"), "127.0.0.1")
    restricted.allow("from=127.0.0.0/8")
    assert restricted.rcmd("echo in").out == b"in\n"


def test_an_expired_key_opens_nothing(restricted: Restricted) -> None:
    restricted.allow("expires=2001-01-01")
    refused(restricted.rcmd("true"), "expired")
    restricted.allow("expires=2199-12-31T23:59Z")
    assert restricted.rcmd("echo in").out == b"in\n"


def test_a_key_that_expires_ends_its_session(restricted: Restricted) -> None:
    name = mark()
    restricted.allow("expires=2199-01-01")
    with process(*restricted.command("echo runs; exec sleep 1000", options=["-e", f"{name}=1"]), env=base_environment(restricted.server.place.home),
                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as client:
        assert client.stdout.readline() == b"runs\n"
        soon = datetime.now(timezone.utc) + timedelta(seconds=2)
        restricted.allow(f"expires={soon:%Y-%m-%dT%H:%M:%S}Z")
        assert client.wait(60) == 255
        assert b"expired" in client.stderr.read()


# Limits

def test_max_jobs_of_a_key(restricted: Restricted) -> None:
    restricted.allow("max-jobs=1")
    with process(*restricted.command("echo runs; cat"), env=base_environment(restricted.server.place.home), stdin=subprocess.PIPE,
                 stdout=subprocess.PIPE) as first:
        assert first.stdout.readline() == b"runs\n"
        refused(restricted.rcmd("true"), "as many jobs as it may have")
        refused(restricted.rcmd("true", options=["--job", "durable"]), "as many jobs as it may have")
        assert restricted.server.rcmd("echo other").out == b"other\n"
        first.stdin.close()
        assert first.wait(60) == 0
    wait_for(lambda: restricted.rcmd("true").code == 0, "the place to be free")


def test_max_jobs_per_key_of_the_server(make_server: MakeServer) -> None:
    server = make_server("--max-jobs-per-key", "1")
    result = server.rcmd(options=["--batch", "--jobs", "2", "--keep-going"], input=b"sleep 1\ntrue\n")
    assert result.code == 255 and result.message.count("as many jobs as it may have") == 1, result


# Revocation

@pytest.fixture
def running(restricted: Restricted) -> Iterator[tuple[subprocess.Popen, str]]:
    """A command of the restricted key that goes on, and the mark of its processes."""
    name = mark()
    restricted.allow("")
    with process(*restricted.command("echo runs; sleep 1000; true", options=["-e", f"{name}=1", "--keep", "1h"]),
                 env=base_environment(restricted.server.place.home), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                 stderr=subprocess.PIPE) as client:
        assert client.stdout.readline() == b"runs\n"
        yield client, name
        for pid in marked(name):
            os.kill(pid, signal.SIGKILL)


def test_a_removed_key_ends_its_sessions_and_their_jobs(restricted: Restricted, running: tuple[subprocess.Popen, str]) -> None:
    client, name = running
    restricted.forbid()
    assert client.wait(60) == 255
    assert b"authorized_keys" in client.stderr.read()
    wait_for(lambda: not marked(name), "the command to be ended")
    assert events(restricted.server, "revoked")
    assert restricted.server.serves()


def test_a_removed_key_ends_its_lingering_jobs(restricted: Restricted, running: tuple[subprocess.Popen, str]) -> None:
    client, name = running
    client.kill()
    client.wait(60)
    assert marked(name)
    restricted.forbid()
    wait_for(lambda: not marked(name), "the command to be ended")


def test_another_secret_under_the_same_name_ends_the_session(restricted: Restricted, running: tuple[subprocess.Popen, str]) -> None:
    client, _ = running
    restricted.key = wire.Key(restricted.key.key_id, os.urandom(32))
    restricted.allow("")
    assert client.wait(60) == 255


def test_a_change_holds_for_the_next_request_of_an_open_session(restricted: Restricted) -> None:
    restricted.allow("")
    with process(*restricted.command(options=["--batch", "--keep-going"]), env=base_environment(restricted.server.place.home), stdin=subprocess.PIPE,
                 stdout=subprocess.PIPE, stderr=subprocess.PIPE) as client:
        client.stdin.write(b"echo free\n")
        client.stdin.flush()
        assert client.stdout.readline() == b"free\n"
        restricted.allow('command="echo forced"')
        client.stdin.write(b"echo free\n")
        client.stdin.close()
        assert client.stdout.readline() == b"forced\n"
        assert client.wait(60) == 0


def test_an_unreadable_file_ends_no_session(restricted: Restricted, running: tuple[subprocess.Popen, str]) -> None:
    client, name = running
    restricted.server.place.authorized_keys.chmod(0o666)
    assert restricted.rcmd("true").code == 255
    restricted.server.place.authorized_keys.chmod(0o600)
    wait_for(lambda: restricted.rcmd("true").code == 0, "the key to be let in again")
    assert client.poll() is None and marked(name)
