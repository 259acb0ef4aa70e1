"""The local administrator: rcmd-server check, jobs and kill."""
from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Callable

import wire
from harness import RCMD_SERVER, Place, Result, Server, authorized_line, base_environment, run, wait_for

MakePlace = Callable[..., Place]
MakeServer = Callable[..., Server]


def administer(place: Place, verb: str, *words: str) -> Result:
    return run(RCMD_SERVER, verb, "--state-dir", str(place.state), *words, env=base_environment(place.home))


def check(place: Place, *options: str) -> Result:
    return run(RCMD_SERVER, "check", "--authorized-keys", str(place.authorized_keys), *options, env=base_environment(place.home))


def listed(place: Place) -> list[dict]:
    result = administer(place, "jobs", "--json")
    assert (result.code, result.err) == (0, b""), result
    return [json.loads(line) for line in result.out.splitlines()]


# check

def test_check_finds_nothing_in_a_good_file(make_place: MakePlace) -> None:
    place = make_place()
    result = check(place)
    assert (result.code, result.err) == (0, b"") and str(place.authorized_keys) in result.out.decode(), result


def test_check_prints_each_finding_with_its_line(make_place: MakePlace) -> None:
    place = make_place()
    good = authorized_line(place.key)
    place.write_authorized(f"# keys\n{good}\nnonsense\n{good.replace('tester', 'other')} from=nowhere\n{good}\n")
    result = check(place)
    assert result.code == 1
    findings = result.out.decode().splitlines()
    assert len(findings) == 3 and all(str(place.authorized_keys) in line for line in findings), findings
    assert ["line 3" in findings[0], "line 4" in findings[1], "line 5" in findings[2]] == [True] * 3, findings
    assert "from=" in findings[1]


def test_check_says_which_address_is_none(make_place: MakePlace) -> None:
    result = check(make_place(), "--listen", "127.0.0.1:0", "--listen", "nowhere", "--listen", "[::1]:70000")
    assert result.code == 1
    nowhere, port = result.out.decode().splitlines()
    assert "nowhere" in nowhere and "[::1]:70000" in port


def test_check_says_who_can_write_the_file(make_place: MakePlace) -> None:
    place = make_place()
    place.authorized_keys.chmod(0o666)
    result = check(place)
    assert result.code == 1 and "chmod" in result.out.decode(), result


def test_check_reads_the_configuration(make_place: MakePlace, tmp_path: Path) -> None:
    place = make_place()
    config = tmp_path / "server.toml"
    config.write_text('max-jobs = "many"\n')
    config.chmod(0o600)
    result = check(place, "--config", str(config))
    assert result.code == 2 and "max-jobs" in result.message and str(config) in result.message, result


# jobs and kill

def start(server: Server, *options: str, key: str | None = None) -> subprocess.Popen:
    keys = ["-i", key] if key else []
    return server.start_rcmd("echo runs; exec sleep 1000", options=[*keys, *options], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE)


def test_the_jobs_of_all_keys_are_listed_and_ended(make_server: MakeServer) -> None:
    server = make_server()
    place = server.place
    other = wire.Key("other@there", os.urandom(32))
    with place.authorized_keys.open("a") as lines:
        lines.write(authorized_line(other) + "\n")
    other_file = place.add_key_file("other", other)
    with start(server) as mine, start(server, "--job", "durable", key=other_file) as theirs:
        for client in (mine, theirs):
            assert client.stdout.readline() == b"runs\n"
        jobs = {job["key"]: job for job in listed(place)}
        assert set(jobs) == {"tester@here", "other@there"}
        assert jobs["other@there"]["job"] == "durable" and jobs["other@there"]["durable"] and not jobs["tester@here"]["durable"]
        assert "sleep" in jobs["tester@here"]["command"]
        table = administer(place, "jobs").out.decode().splitlines()
        assert table[0].split()[:3] == ["KEY", "JOB", "STATE"] and len(table) == 3
        assert administer(place, "kill", "other@there", "durable") == Result(0, b"", b"")
        assert theirs.wait(60) == 143
        assert mine.poll() is None
        assert administer(place, "kill", "-s", "KILL", "tester@here") == Result(0, b"", b"")
        assert mine.wait(60) == 137
    assert server.log().count(" kill ") == 2


def test_durable_jobs_are_listed_and_ended_without_a_server(make_server: MakeServer) -> None:
    server = make_server()
    assert server.rcmd("exec sleep 1000", options=["-d", "--job", "durable"]).code == 0
    server.kill()
    assert [(job["key"], job["job"], job["state"]) for job in listed(server.place)] == [("tester@here", "durable", "detached")]
    assert administer(server.place, "kill", "tester@here", "durable") == Result(0, b"", b"")
    wait_for(lambda: listed(server.place)[0]["state"] == "finished", "the job to end")


def test_what_is_not_there_cannot_be_ended(make_server: MakeServer) -> None:
    server = make_server()
    for words in (["tester@here", "no-such-job"], ["nobody@here"], ["-s", "NONSENSE", "tester@here"]):
        result = administer(server.place, "kill", *words)
        assert result.code == 1 and result.message.startswith("rcmd-server: ") and words[-1] in result.message + "tester@here", result
    assert administer(server.place, "kill").code == 2


def test_who_may_not_look_into_the_state_directory_is_told_so(make_server: MakeServer) -> None:
    server = make_server()
    result = run(RCMD_SERVER, "jobs", "--state-dir", str(server.place.root / "no-such"), env=base_environment(server.place.home))
    assert result.code == 1 and "--state-dir" in result.message, result
    assert server.place.state.stat().st_mode & 0o077 == 0
