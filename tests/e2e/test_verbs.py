"""rcmd jobs, rcmd attach and rcmd kill."""
from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

import wire
from durable import (COUNT, NUMBERS, MakeServer, attach, detach, fresh_name, gate, go, kill, listed, named,
                     nothing_is_left, wait_until)
from harness import (RCMD, Place, Result, Server, base_environment, from_base64, mark, marked, process,
                     run_rcmd, wait_for)

__all__ = ["go", "nothing_is_left"]  # fixtures

GREATEST = (1 << 64) - 1
BAD_IDS = {"up": "../x", "dots": "..", "slash": "a/b", "10k": "x" * 10_240, "65": "x" * 65, "newline": "a\nb",
           "escape": "\x1b[2J", "blank": "a b", "empty": "", "hidden": ".x"}


def jobs_table(server: Server) -> list[str]:
    result = run_rcmd(server.place, "jobs", server.host)
    assert (result.code, result.err) == (0, b""), result
    return result.out.decode().splitlines()


def row(server: Server, job: str) -> list[str]:
    rows = [line.split(None, 5) for line in jobs_table(server)[1:]]
    [found] = [columns for columns in rows if columns[0] == job]
    return found


def start_attach(server: Server, job: str, *options: str, **more: Any) -> Any:
    return process(RCMD, "attach", *options, server.host, job, env=base_environment(server.place.home),
                   stdin=subprocess.DEVNULL, **more)


def ordinary_job(server: Server, marker: str) -> str:
    """The id of the ordinary job whose command has that word."""
    return wait_for(lambda: next((job for job, entry in listed(server).items()
                                  if not entry["durable"] and marker in entry.get("command", "")), None), "the job")


@contextmanager
def running(server: Server, command: str, *options: str) -> Iterator[tuple[subprocess.Popen, str]]:
    """An ordinary job that has written `up`, and its id."""
    marker = mark()
    with server.start_rcmd(f": {marker}; echo up; {command}", options=options, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE) as client:
        assert client.stdout.readline() == b"up\n"
        yield client, ordinary_job(server, marker)


def ready_until(path: Path) -> str:
    """Says so again and again: what a client took that was killed, the next one does not see."""
    return f"while [ ! -e {path} ]; do echo ready; sleep 0.05; done"


def orphan(server: Server, command: str, *options: str) -> str:
    """An ordinary job whose client was killed."""
    with running(server, command, "--keep", "1h", *options) as (client, job):
        client.kill()
    wait_until(server, job, "lingering")
    return job


@pytest.fixture
def stranger(make_place: Callable[..., Place], make_server: MakeServer) -> tuple[Server, str]:
    """A server that two keys may use, and the other one's file."""
    place = make_place()
    other = wire.Key("other@there", os.urandom(32))
    place.authorize(place.key, other)
    return make_server(place=place), place.add_key_file("other.key", other)


# jobs


def test_without_jobs_there_is_nothing_to_list(make_server: MakeServer) -> None:
    server = make_server()
    assert listed(server) == {}
    assert len(jobs_table(server)) <= 1


def test_the_table_has_a_row_for_each_job(make_server: MakeServer) -> None:
    server = make_server()
    first, second = fresh_name(), fresh_name()
    assert named(server, first, "echo hi; echo oops >&2; exit 5").code == 5
    assert named(server, second, "kill -KILL $$").code == 137
    head, *rows = jobs_table(server)
    assert head.split() == ["JOB", "STATE", "AGE", "STATUS", "BYTES", "COMMAND"]
    assert len(rows) == 2
    columns = row(server, first)
    assert columns[1] == "finished" and columns[3:] == ["5", "8", "echo hi; echo oops >&2; exit 5"]
    assert row(server, second)[3] == "KILL"


@pytest.mark.parametrize(("command", "options", "end"),
                         [("exit 5", [], {"reason": "exited", "code": 5}),
                          ("kill -KILL $$", [], {"reason": "exited", "signal": "KILL"}),
                          ("sleep 1000", ["--timeout", "1"], {"reason": "timeout", "signal": "TERM"})],
                         ids=["code", "signal", "timeout"])
@pytest.mark.parametrize("how", [["-d"], ["-n", "--job"]], ids=["detached", "named"])
def test_a_finished_durable_job_is_listed_with_its_end(server: Server, command: str, options: list[str],
                                                       end: dict[str, Any], how: list[str]) -> None:
    name = fresh_name()
    result = server.rcmd(f"echo hi; {command}", options=["-n", "--job", name, *options, *how[:1]])
    assert attach(server, name).out == b"hi\n", result
    entry = listed(server)[name]
    assert entry.pop("age") >= 0
    assert entry == {"job": name, "state": "finished", "durable": True, "stdout": 3, "stderr": 0,
                     "command": f"echo hi; {command}"} | end


def test_a_running_durable_job_is_listed(server: Server, go: Path) -> None:
    name = fresh_name()
    command = f"echo up; echo err >&2; {gate(go)}"
    with server.start_rcmd(command, options=["-n", "--job", name, "--keep", "1h"], stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE) as client:
        assert client.stdout.readline() + client.stderr.readline() == b"up\nerr\n"
        entry = listed(server)[name]
        assert entry.pop("age") >= 0
        assert entry == {"job": name, "state": "attached", "durable": True, "stdout": 3, "stderr": 4,
                         "command": command}
        assert row(server, name)[1] == "attached" and row(server, name)[3:5] == ["-", "7"]
        client.kill()
    wait_until(server, name, "lingering")
    job = detach(server, command)
    assert listed(server)[job]["state"] == row(server, job)[1] == "detached"


def test_an_ordinary_job_is_listed_from_its_start_to_its_end(server: Server, go: Path) -> None:
    with running(server, f"{gate(go)}; exit 5", "--keep", "1h") as (client, job):
        entry = listed(server)[job]
        assert (entry["state"], entry["durable"], entry["stdout"]) == ("attached", False, 3)
        client.kill()
        wait_until(server, job, "lingering")
    go.touch()
    wait_until(server, job, "finished")
    entry = listed(server)[job]
    assert (entry["reason"], entry["code"]) == ("exited", 5)


def test_an_ordinary_job_that_was_fetched_is_listed_no_more(server: Server) -> None:
    marker = mark()
    assert server.rcmd(f"echo {marker}").code == 0
    assert not [entry for entry in listed(server).values() if marker in entry.get("command", "")]


def test_a_key_sees_its_own_jobs_only(stranger: tuple[Server, str]) -> None:
    server, key_file = stranger
    mine = detach(server, "echo mine")
    theirs = detach(server, "echo theirs", "-i", key_file)
    with running(server, "exec sleep 1000") as (_, ordinary):
        assert set(listed(server)) == {mine, ordinary}
        assert set(listed(server, "-i", key_file)) == {theirs}


@pytest.mark.parametrize("ordinary", [True, False], ids=["ordinary", "durable"])
def test_control_characters_of_a_command_do_not_reach_the_terminal(server: Server, ordinary: bool) -> None:
    command = ": \x1b[2J\x07 \x7f\r'\n\t'; echo up; exec sleep 1000"
    if ordinary:
        with server.start_rcmd(command, stdout=subprocess.PIPE) as client:
            assert client.stdout.readline() == b"up\n"
            check_command_is_escaped(server, command)
    else:
        detach(server, command)
        check_command_is_escaped(server, command)


def check_command_is_escaped(server: Server, command: str) -> None:
    result = run_rcmd(server.place, "jobs", server.host)
    assert not set(result.out) & (set(range(32)) - {10} | {127}), result.out
    assert command in [entry["command"] for entry in listed(server).values()]
    lines = result.out.decode().splitlines()
    assert len(lines) == 1 + len(listed(server))
    assert any(r"\x1b[2J" in line for line in lines)


def test_a_command_that_is_not_utf8_is_base64(server: Server) -> None:
    command = os.fsdecode(b": \xff\xfe; echo hi")
    job = detach(server, command)
    entry = listed(server)[job]
    assert from_base64(entry["command_base64"]) == os.fsencode(command) and "command" not in entry
    result = run_rcmd(server.place, "jobs", server.host)
    assert b"\xff" not in result.out and rb"\xff\xfe" in result.out


def test_words_are_listed_with_blanks_between(server: Server) -> None:
    job = server.rcmd("echo", "a b", "c", options=["-d", "--argv"]).out.decode().strip()
    assert listed(server)[job]["command"] == "echo a b c"


def test_a_long_command_is_listed_on_one_line(server: Server) -> None:
    job = detach(server, ": " + "x" * 100_000)
    entry = listed(server)[job]
    assert entry["command"].startswith(": xxx")
    assert row(server, job)[5].startswith(": xxx")


def test_many_jobs_are_listed(make_server: MakeServer) -> None:
    server = make_server()
    with server.login() as client:
        jobs = [client.begin(f": {'y' * 60_000}; sleep 1000", keep=60) for _ in range(50)]
        assert set(listed(server)) == {job.id for job in jobs}


@pytest.mark.parametrize("words", [[], ["HOST", "more"], ["--from", "0", "HOST"], ["--no-such", "HOST"]],
                         ids=["no-host", "too-many", "other-verb", "unknown"])
def test_jobs_usage(server: Server, words: list[str]) -> None:
    result = run_rcmd(server.place, "jobs", *(server.host if word == "HOST" else word for word in words))
    result.failed_by_itself()
    assert "--help" in result.message


# attach


def test_attach_begins_at_the_start(server: Server) -> None:
    job = detach(server, f"{COUNT}; seq 3 >&2; exit 5")
    for _ in range(2):
        assert attach(server, job) == Result(5, NUMBERS, b"1\n2\n3\n")


@pytest.mark.parametrize("ending", [("exit 0", 0), ("exit 255", 255), ("kill -TERM $$", 143), ("kill -KILL $$", 137)],
                         ids=lambda ending: str(ending[1]))
def test_attach_exits_with_the_status(server: Server, ending: tuple[str, int]) -> None:
    command, code = ending
    job = detach(server, command)
    assert [attach(server, job).code for _ in range(2)] == [code, code]


@pytest.mark.parametrize(("offsets", "out", "err"), [("0", b"hello\n", b"error\n"), ("2", b"llo\n", b"error\n"),
                                                     ("2,1", b"llo\n", b"rror\n"), ("0,6", b"hello\n", b""),
                                                     ("6,6", b"", b""), ("6", b"", b"error\n")])
def test_attach_begins_where_it_is_told(server: Server, offsets: str, out: bytes, err: bytes) -> None:
    job = detach(server, "echo hello; echo error >&2; exit 5")
    wait_until(server, job, "finished")
    assert attach(server, job, "--from", offsets) == Result(5, out, err)


@pytest.mark.parametrize("offsets", ["7", "0,7", str(GREATEST), f"0,{GREATEST}", f"{GREATEST},{GREATEST}"])
@pytest.mark.parametrize("ended", [True, False], ids=["finished", "running"])
def test_an_offset_beyond_the_end_is_an_error(server: Server, go: Path, offsets: str, ended: bool) -> None:
    job = detach(server, f"echo hello; echo error >&2; {gate(go)}; exit 5")
    if ended:
        go.touch()
        wait_until(server, job, "finished")
    else:
        wait_for(lambda: listed(server)[job]["stderr"] == 6, "the output")
    result = attach(server, job, "--from", offsets)
    result.failed_by_itself()
    assert result.out == b"" and offsets.split(",")[-1] in result.message
    go.touch()
    assert attach(server, job) == Result(5, b"hello\n", b"error\n")


@pytest.mark.parametrize("offsets", ["-1", "0,-1", "x", "", ",", "1,", ",1", "1,2,3", "0x10", " 1", "1.5",
                                     str(GREATEST + 1), "9" * 1000])
def test_what_is_not_an_offset_is_a_usage_error(server: Server, offsets: str) -> None:
    job = detach(server, "echo hello")
    result = run_rcmd(server.place, "attach", f"--from={offsets}", server.host, job)
    result.failed_by_itself()
    assert "--help" in result.message and result.out == b""


def test_tail_begins_with_what_comes(server: Server, tmp_path: Path, go: Path) -> None:
    job = detach(server, f"echo before; {gate(go)}; echo after; exit 5")
    wait_for(lambda: listed(server)[job]["stdout"] == 7, "the output")
    with (tmp_path / "events").open("w+b") as events:
        with start_attach(server, job, "--tail", "--status-fd", str(events.fileno()), stdout=subprocess.PIPE,
                          pass_fds=[events.fileno()]) as reader:
            wait_for(lambda: b'"attached"' in (tmp_path / "events").read_bytes(), "the reader to be attached")
            go.touch()
            assert (reader.stdout.read(), reader.wait(60)) == (b"after\n", 5)
    assert attach(server, job, "--tail") == Result(5, b"", b"")


def test_tail_and_from_exclude_each_other(server: Server) -> None:
    job = detach(server, "echo hello")
    attach(server, job, "--tail", "--from", "0").failed_by_itself()


def test_several_readers_get_everything(server: Server, go: Path, tmp_path: Path) -> None:
    job = detach(server, f"{COUNT}; {gate(go)}; {COUNT}; exit 5")
    paths = [tmp_path / f"reader-{number}" for number in range(5)]
    readers = []
    for path in paths:
        with path.open("wb") as out:
            readers.append(subprocess.Popen([RCMD, "attach", server.host, job], stdin=subprocess.DEVNULL, stdout=out,
                                            env=base_environment(server.place.home)))
    try:
        wait_for(lambda: all(path.stat().st_size == len(NUMBERS) for path in paths), "the first half")
        go.touch()
        assert [reader.wait(60) for reader in readers] == [5] * 5
    finally:
        for reader in readers:
            reader.kill()
            reader.wait()
    assert all(path.read_bytes() == NUMBERS * 2 for path in paths)


@pytest.mark.parametrize("verb", ["attach", "kill"])
def test_the_job_of_another_key_does_not_exist(stranger: tuple[Server, str], verb: str) -> None:
    server, key_file = stranger
    job = detach(server, "echo up; exec sleep 1000", "-i", key_file)
    with running(server, "exec sleep 1000") as (_, mine):
        for name, options in ((job, []), (mine, ["-i", key_file])):
            theirs = run_rcmd(server.place, verb, *options, server.host, name)
            nobody = run_rcmd(server.place, verb, *options, server.host, "f" * 32)
            theirs.failed_by_itself()
            assert theirs == nobody, "the answer tells whether there is such a job"
        assert listed(server)[mine]["state"] == "attached"
    assert listed(server, "-i", key_file)[job]["state"] == "detached"


@pytest.mark.parametrize("verb", ["attach", "kill"])
@pytest.mark.parametrize("name", BAD_IDS.values(), ids=list(BAD_IDS))
def test_what_is_not_a_job_is_refused_on_one_line(server: Server, verb: str, name: str) -> None:
    result = run_rcmd(server.place, verb, server.host, name)
    result.failed_by_itself()
    assert result.out == b"" and "\x1b" not in result.message and len(result.message) < 300


@pytest.mark.parametrize("verb", ["attach", "kill"])
def test_an_escaped_name_is_escaped_once(server: Server, verb: str) -> None:
    assert r"'a\nb'" in run_rcmd(server.place, verb, server.host, "a\nb").message


def test_an_unknown_job_is_refused_on_one_line(server: Server) -> None:
    result = attach(server, fresh_name())
    result.failed_by_itself()
    assert "no such job" in result.message


@pytest.mark.parametrize("words", [[], ["HOST"], ["HOST", "job", "more"], ["--json", "HOST", "job"],
                                   ["--keep", "x", "HOST", "job"]],
                         ids=["nothing", "no-job", "too-many", "other-verb", "bad-keep"])
def test_attach_usage(server: Server, words: list[str]) -> None:
    result = run_rcmd(server.place, "attach", *(server.host if word == "HOST" else word for word in words))
    result.failed_by_itself()
    assert "--help" in result.message


@pytest.mark.parametrize(("name", "code"), [("INT", 130), ("TERM", 143), ("HUP", 129)])
@pytest.mark.parametrize("durable", [True, False], ids=["durable", "ordinary"])
def test_a_signal_ends_attach_and_not_the_job(server: Server, go: Path, durable: bool, name: str, code: int) -> None:
    command = f"trap 'echo got {name}' {name}; {ready_until(go)}; exit 5"
    job = detach(server, command) if durable else orphan(server, command)
    with start_attach(server, job, stdout=subprocess.PIPE) as reader:
        while reader.stdout.readline() != b"ready\n":
            assert reader.poll() is None
        reader.send_signal(getattr(signal, f"SIG{name}"))
        assert reader.wait(60) == code
    wait_until(server, job, "detached" if durable else "lingering")
    go.touch()
    result = attach(server, job)
    assert result.code == 5 and b"got" not in result.out


def test_attach_goes_on_at_the_first_byte_that_a_killed_client_has_not_acknowledged(server: Server, go: Path,
                                                                                   tmp_path: Path) -> None:
    shown, marker = tmp_path / "shown", mark()
    with shown.open("wb") as out, server.start_rcmd(f": {marker}; {COUNT}; {gate(go)}; {COUNT}; exit 5",
                                                    options=["--keep", "1h"], stdout=out) as client:
        wait_for(lambda: shown.stat().st_size == len(NUMBERS), "the first half")
        job = ordinary_job(server, marker)
        client.kill()
    wait_until(server, job, "lingering")
    go.touch()
    with (tmp_path / "events").open("w+b") as events:
        result = attach(server, job, "--status-fd", str(events.fileno()), pass_fds=[events.fileno()])
        events.seek(0)
        told = [json.loads(line) for line in events.read().splitlines()]
    [begin] = [event["stdout"] for event in told if event["event"] == "attached"]
    assert 0 < begin <= shown.stat().st_size
    assert (result.code, result.out) == (5, (NUMBERS * 2)[begin:])
    assert f"the first {begin} bytes of stdout" in result.message


@pytest.mark.parametrize("command", [":", "exec <&-"], ids=["left", "refused"])
def test_attach_to_a_job_that_its_client_has_fed(server: Server, go: Path, command: str) -> None:
    marker = mark()
    with server.start_rcmd(f": {marker}; read x; {command}; echo got $x; {gate(go)}; exit 5",
                           options=["--keep", "1h"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as client:
        client.stdin.write(b"a\n" + b"b" * 100_000)
        client.stdin.flush()
        assert client.stdout.readline() == b"got a\n"
        job = ordinary_job(server, marker)
        client.kill()
    wait_until(server, job, "lingering")
    with start_attach(server, job, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as reader:
        wait_until(server, job, "attached")
        go.touch()
        out, err = reader.communicate(timeout=60)
    assert (reader.returncode, b"protocol" in err) == (5, False), (out, err)



def test_the_former_client_of_an_ordinary_job_is_told(server: Server, go: Path) -> None:
    with running(server, f"{gate(go)}; echo down; exit 5") as (client, job):
        with start_attach(server, job, stdout=subprocess.PIPE) as reader:
            assert client.wait(60) == 255
            [line] = client.stderr.read().decode().splitlines()
            assert line.startswith("rcmd: ")
            go.touch()
            shown = reader.stdout.read()
            assert shown.removeprefix(b"up\n") == b"down\n" and reader.wait(60) == 5


def test_attach_is_told_when_another_takes_the_ordinary_job(server: Server, go: Path) -> None:
    job = orphan(server, f"{ready_until(go)}; exit 5")
    with start_attach(server, job, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as first:
        while first.stdout.readline() != b"ready\n":
            assert first.poll() is None
        with start_attach(server, job, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as second:
            assert first.wait(60) == 255
            go.touch()
            assert second.wait(60) == 5


def test_a_reader_does_not_keep_a_named_job_from_its_client(server: Server, go: Path) -> None:
    name = fresh_name()
    options = ["-n", "--job", name]
    with server.start_rcmd(f"echo up; {gate(go)}; exit 5", options=options, stdout=subprocess.PIPE) as client:
        assert client.stdout.readline() == b"up\n"
        with start_attach(server, name, stdout=subprocess.PIPE) as reader:
            assert reader.stdout.readline() == b"up\n"
            go.touch()
            assert [client.wait(60), reader.wait(60)] == [5, 5]


def test_a_closed_stdout_ends_attach_and_not_the_job(server: Server, go: Path) -> None:
    job = detach(server, f"{COUNT}; {gate(go)}; exit 5")
    with start_attach(server, job, stdout=subprocess.PIPE) as reader:
        reader.stdout.read(1)
        reader.stdout.close()
        assert reader.wait(60) in (141, -signal.SIGPIPE)
    go.touch()
    assert attach(server, job) == Result(5, NUMBERS, b"")


# kill


@pytest.mark.parametrize(("options", "code"), [([], 143), (["-s", "INT"], 130), (["-s", "SIGKILL"], 137),
                                               (["-s", "9"], 137), (["--signal", "term"], 143),
                                               (["-s", "SIGUSR1"], 138), (["-s", "15"], 143)],
                         ids=["default", "INT", "SIGKILL", "9", "lower-case", "SIGUSR1", "15"])
@pytest.mark.parametrize("durable", [True, False], ids=["durable", "ordinary"])
def test_kill_sends_the_signal(server: Server, durable: bool, options: list[str], code: int) -> None:
    command = "exec sleep 1000"
    if durable:
        job = detach(server, f"echo up; {command}")
        wait_for(lambda: listed(server)[job]["stdout"] == 3, "the job to be up")
        assert kill(server, job, *options) == Result(0, b"", b"")
        assert attach(server, job).code == code
    else:
        with running(server, command) as (client, job):
            assert kill(server, job, *options) == Result(0, b"", b"")
            assert client.wait(60) == code


def test_kill_reaches_the_whole_process_group(server: Server) -> None:
    variable = mark()
    job = detach(server, "sleep 1000 & sleep 1000 | sleep 1000", "-e", f"{variable}=1")
    wait_for(lambda: len(marked(variable)) >= 3, "the processes")
    assert kill(server, job, "-s", "KILL").code == 0
    wait_for(lambda: not marked(variable), "the processes to be gone")
    assert attach(server, job).code == 137


def test_a_signal_that_is_caught_does_not_end_the_job(server: Server, go: Path) -> None:
    job = detach(server, f"trap 'echo got it' USR1; echo up; {gate(go)}; exit 5")
    wait_for(lambda: listed(server)[job]["stdout"] == 3, "the job to be up")
    for times in range(1, 4):
        assert kill(server, job, "-s", "USR1").code == 0
        wait_for(lambda: listed(server)[job]["stdout"] == 3 + 7 * times, "the trap to run")
    go.touch()
    result = attach(server, job)
    assert (result.code, result.out) == (5, b"up\n" + b"got it\n" * 3)


def test_kill_reaches_a_lingering_job(server: Server) -> None:
    job = orphan(server, "exec sleep 1000")
    assert kill(server, job).code == 0
    wait_until(server, job, "finished")
    assert attach(server, job).code == 143


@pytest.mark.parametrize("name", ["BOGUS", "SIGBOGUS", "", "0", "-1", "65", "999999999999", "SIG", "9x", "TERM\n"])
def test_an_unknown_signal_is_a_usage_error(server: Server, name: str) -> None:
    job = detach(server, "echo up; exec sleep 1000")
    result = run_rcmd(server.place, "kill", f"--signal={name}", server.host, job)
    result.failed_by_itself()
    assert "--help" in result.message
    assert listed(server)[job]["state"] == "detached"


def test_kill_of_what_has_ended_is_refused(server: Server) -> None:
    job = detach(server, "exit 5")
    assert attach(server, job).code == 5
    result = kill(server, job)
    result.failed_by_itself()
    assert "ended" in result.message
    assert attach(server, job).code == 5


def test_kill_of_an_unknown_job_is_refused(server: Server) -> None:
    result = kill(server, fresh_name())
    result.failed_by_itself()
    assert "no such job" in result.message


@pytest.mark.parametrize("words", [[], ["HOST"], ["HOST", "job", "more"], ["-s", "HOST"], ["--tail", "HOST", "job"]],
                         ids=["nothing", "no-job", "too-many", "no-signal", "other-verb"])
def test_kill_usage(server: Server, words: list[str]) -> None:
    result = run_rcmd(server.place, "kill", *(server.host if word == "HOST" else word for word in words))
    result.failed_by_itself()
    assert "--help" in result.message


@pytest.mark.parametrize("words", [["jobs", "HOST"], ["attach", "HOST", "x"], ["kill", "HOST", "x"]],
                         ids=["jobs", "attach", "kill"])
def test_a_verb_without_a_server_fails_by_itself(make_server: MakeServer, words: list[str]) -> None:
    server = make_server()
    server.stop()
    run_rcmd(server.place, *(server.host if word == "HOST" else word for word in words)).failed_by_itself()


@pytest.mark.parametrize("verb", ["jobs", "attach", "kill"])
def test_a_verb_is_one_only_as_the_first_word(server: Server, verb: str) -> None:
    assert server.rcmd(f"{verb}() {{ echo ran; }}; {verb}").out == b"ran\n"


# A listing, or a signal, that nobody waits for any more


@pytest.mark.parametrize("request_", [{"type": "jobs"}, {"type": "kill", "job": "JOB", "name": "CONT"}], ids=["jobs", "kill"])
def test_a_client_that_leaves_before_the_answer_harms_nobody(make_server: MakeServer, request_: dict[str, str]) -> None:
    server = make_server("--threads", "4")
    with server.login() as keeper:
        jobs = [keeper.begin("sleep 1000", combine=True, limits={"stdout": 16384, "stderr": 0}) for _ in range(30)]
        for _ in range(150):
            with contextlib.suppress(OSError):
                client = server.login()
                for job in jobs[:4]:
                    client.send_bytes(wire.frame(request_ | ({"job": job.id} if "job" in request_ else {})))
                client.drop()
        keeper.ping()
    assert server.serves()
