"""The server's log: one line an event, whatever peers send, as text and as JSON, on stderr, in files and for the journal."""
from __future__ import annotations

import json
import os
import re
import resource
import signal
import subprocess
from datetime import datetime
from pathlib import Path
from typing import Any, Callable

import pytest

import wire
from durable import detach, fresh_name, gate, kill
from harness import DEADLINE, RCMD, Place, Server, base_environment, process, run_rcmd, server_command, wait_for


def end_line(server: Server, job: str) -> str:
    """The line that tells of a job's end."""
    pattern = re.compile(rf"^\S+ info job job={re.escape(job)} .*$", re.M)
    found = wait_for(lambda: pattern.findall(server.log()), "the line of the job's end")
    assert len(found) == 1, found
    return found[0]


def logged(server: Server, command: str, *options: str) -> str:
    report = server.rcmd(command, options=["--json", *options]).json
    return end_line(server, report["job"])


def raw_control_bytes(server: Server) -> bytes:
    content = server.log_path.read_bytes()
    return bytes(byte for byte in content if byte < 0x20 and byte != 0x0a or byte == 0x7f)


def test_a_job_is_one_line_with_who_from_where_what_and_how_it_ended(server: Server) -> None:
    line = logged(server, "echo some; exit 3")
    assert f"key={server.place.key.key_id}" in line
    assert re.search(r"\bfrom=127\.0\.0\.1:\d+", line)
    assert 'command="echo some; exit 3"' in line
    assert re.search(r"\bstatus=3\b", line)


def test_a_signal_is_in_the_status(server: Server) -> None:
    assert re.search(r"\bstatus=\S*KILL", logged(server, "kill -9 $$"))


def test_hostile_bytes_of_a_command_are_escaped_and_make_no_second_line(server: Server) -> None:
    forged = "\n2038-01-19 job=forged status=0\r"
    command = f"true '{forged}\x1b]0;owned\x07\x1b[2J\t\x01\x7f\u2028\u2029\u0085\"\\'"
    lines_before = server.log().count("\n")
    line = logged(server, command)
    assert "\x1b" not in line and "2038-01-19 job=forged" in line
    assert server.log().count("\n") - lines_before <= 5
    assert not raw_control_bytes(server)
    assert not re.search("[\u2028\u2029\u0080-\u009f]", server.log())
    assert not re.search("^2038", server.log(), re.M)


def test_bytes_that_are_not_utf8_are_escaped(server: Server) -> None:
    logged(server, b"true '\xff\xfe\x9b2J'".decode("utf-8", "surrogateescape"))
    server.log_path.read_bytes().decode("utf-8")  # fails if they are there as they came
    assert not raw_control_bytes(server)


def test_a_quote_in_a_command_does_not_end_its_field(server: Server) -> None:
    line = logged(server, 'true "x" status=99 \\')
    assert re.search(r'command="true \\"x\\" status=99 \\\\"', line), line


def test_a_long_command_is_still_one_line(server: Server) -> None:
    line = logged(server, "true " + "x" * 100_000)
    assert len(line) < 200_000


def test_a_user_name_with_a_newline_makes_no_second_line(server: Server) -> None:
    hostile = "root\nforged line status=0\r\x1b[2J"
    with wire.Wire(server.port, server.place.key).login(user=hostile) as client:
        assert client.finish(client.execute("true")).error["code"] == "forbidden"
    assert server.serves()
    assert not re.search("^forged", server.log(), re.M)
    assert not raw_control_bytes(server)


def test_a_failed_login_is_logged_with_its_address_and_key_id(server: Server) -> None:
    stranger = wire.Key("stranger@there", b"x" * 32)
    with wire.Wire(server.port, stranger) as client:
        client.greet()
        client.send({"type": "auth"}, client.proof())
        assert client.last_words()["code"] == "auth_failed"
    pattern = r"^.*stranger@there.*$"
    line = wait_for(lambda: re.search(pattern, server.log(), re.M), "the failed login in the log").group(0)
    assert "127.0.0.1" in line


def test_secrets_are_never_logged(make_server: Callable[..., Server]) -> None:
    server = make_server("--log-level", "debug")
    server.rcmd("echo x", options=["-e", "PASSWORD=hunter2"])
    server.rcmd("cat", input=b"typed-secret\n")
    text = server.log()
    keys = server.place.authorized_keys.read_text().split()
    for secret in (wire.encode(server.place.key.secret), keys[3], keys[4], "hunter2", "typed-secret"):
        assert secret not in text


def test_a_log_level_leaves_lesser_lines_out(make_server: Callable[..., Server]) -> None:
    server = make_server("--log-level", "error")
    assert server.serves()
    assert "echo honest" not in server.log()


# What is logged


JSON = ("--log-format", "json")


def events(log: str) -> list[dict[str, str]]:
    """A JSON log, of which every line has to be an object of strings."""
    objects = [json.loads(line) for line in log.removesuffix("\n").split("\n")] if log else []
    assert all(isinstance(value, str) for one in objects for value in one.values()), objects
    return objects


def event(server: Server, name: str, **wanted: str) -> dict[str, str]:
    """The one event of that name that has these fields."""
    def found() -> list[dict[str, str]]:
        whole = server.log().rpartition("\n")[0]
        return [one for one in events(whole) if one["event"] == name and wanted.items() <= one.items()]
    [one] = wait_for(found, f"the event {name} with {wanted}")
    return one


@pytest.fixture(scope="module")
def json_server(tmp_path_factory: pytest.TempPathFactory) -> Any:
    running = Server(Place(tmp_path_factory.mktemp("place")), *JSON)
    yield running
    running.stop()


def who(server: Server) -> dict[str, str]:
    return {"key": server.place.key.key_id}


FROM = r"127\.0\.0\.1:\d+"


def test_each_line_has_time_level_and_event(json_server: Server) -> None:
    json_server.serves()
    for one in events(json_server.log()):
        assert list(one)[:3] == ["time", "level", "event"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d", one["time"])
        assert datetime.fromisoformat(one["time"]).tzinfo is not None
        assert one["level"] in ("debug", "info", "warning", "error")


@pytest.mark.parametrize("options", [[], ["--job", "named"]], ids=["plain", "durable"])
def test_a_job_is_logged_when_it_starts_and_when_it_ends(json_server: Server, options: list[str]) -> None:
    command = f"echo out; echo error >&2; cat; exit 3 # {options}"
    result = json_server.rcmd(command, options=options, input=b"four")
    assert result.code == 3
    start = event(json_server, "job_started", command=command, **who(json_server))
    assert re.fullmatch(FROM, start["from"]) and int(start["pid"]) > 0 and start["user"]
    end = event(json_server, "job", job=start["job"], status="3", stdin="4", stdout="8", stderr="6", **who(json_server))
    assert (end["from"], end["command"], end["reason"]) == (start["from"], command, "exited")
    assert re.fullmatch(r"\d+\.\d{3}", end["seconds"])


@pytest.mark.parametrize("options", [[], ["--job", "refused"]], ids=["plain", "durable"])
def test_a_job_that_cannot_be_started_is_logged(json_server: Server, options: list[str]) -> None:
    where = f"/no/such/{len(options)}"
    assert json_server.rcmd("pwd", options=["--cwd", where, *options]).code == 255
    problem = f"{where}: No such file or directory"
    one = event(json_server, "job_refused", code="no_directory", problem=problem, command="pwd", **who(json_server))
    assert re.fullmatch(FROM, one["from"]) and one["job"] and one["level"] == "warning"


def test_who_kills_a_job_and_who_attaches_to_it_is_logged(json_server: Server) -> None:
    client = os.urandom(16).hex()
    with json_server.login() as first:
        job = first.begin("exec sleep 1000", client=client)
    with json_server.login() as second:
        again = second.attach(job, client, 2)
        one = event(json_server, "attach", job=job.id, **who(json_server))
        assert re.fullmatch(FROM, one["from"])
        assert kill(json_server, job.id, "-s", "INT").code == 0
        assert second.finish(again).exit["signal"] == "INT"
    one = event(json_server, "kill", job=job.id, signal="INT", **who(json_server))
    assert re.fullmatch(FROM, one["from"])


def test_who_kills_a_durable_job_and_who_attaches_to_it_is_logged(json_server: Server) -> None:
    job = detach(json_server, "echo there; exec sleep 1000")
    with process(RCMD, "attach", json_server.host, job, stdout=subprocess.PIPE,
                 env=base_environment(json_server.place.home)) as watching:
        assert watching.stdout.readline() == b"there\n"
        event(json_server, "attach", job=job, **who(json_server))
        assert kill(json_server, job).code == 0
        assert watching.wait(DEADLINE) == 128 + signal.SIGTERM
    event(json_server, "kill", job=job, signal="TERM", **who(json_server))


def test_a_kill_that_comes_too_late_is_logged_as_refused(json_server: Server) -> None:
    name = fresh_name()
    assert kill(json_server, name).code == 255
    event(json_server, "job_refused", job=name, code="no_such_job", **who(json_server))


def test_logins_refusals_and_violations_are_logged(json_server: Server) -> None:
    with json_server.login() as client:
        client.send({"type": "hello"})
        assert client.last_words()["code"]
    one = event(json_server, "violation", **who(json_server))
    assert re.fullmatch(FROM, one["from"]) and one["code"] and one["problem"]
    event(json_server, "login", **who(json_server), **{"from": one["from"]})
    stranger = wire.Key("stranger@there", b"x" * 32)
    with wire.Wire(json_server.port, stranger) as client:
        client.greet()
        client.send({"type": "auth"}, client.proof())
        assert client.last_words()["code"] == "auth_failed"
    one = event(json_server, "refused", key="stranger@there", code="auth_failed")
    assert re.fullmatch(FROM, one["from"]) and one["level"] == "warning"


def test_a_client_whose_key_is_unknown_or_another_one_is_logged_as_refused(json_server: Server, tmp_path: Path) -> None:
    """It leaves by itself: the server's proof is wrong."""
    for key in (wire.Key("unknown@there", b"x" * 32), wire.Key(json_server.place.key.key_id, b"y" * 32)):
        file = tmp_path / key.key_id
        file.write_text(key.file_text())
        file.chmod(0o600)
        assert json_server.rcmd("true", options=["-i", str(file)]).code == 255
        one = event(json_server, "refused", key=key.key_id, code="auth_failed")
        assert one["level"] == "warning" and "proof" in one["problem"], one


# JSON


ACTING = "[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]"


def test_hostile_bytes_come_back_from_json_and_act_nowhere(json_server: Server) -> None:
    forged = '\n{"event":"forged"}\r"}'
    command = f"true '{forged}\x1b]0;owned\x07\t\x01\x7f\u2028\u2029\u0085\u202e\u2066\u2069\"\\'"
    job = json_server.rcmd(command, options=["--json"]).json["job"]
    assert event(json_server, "job", job=job)["command"] == command
    text = json_server.log_path.read_bytes().decode()
    assert not re.search(ACTING, text.replace("\n", ""))


def test_bytes_that_are_not_utf8_are_replaced_in_json(json_server: Server) -> None:
    command = b"true '\xff\xc3'".decode("utf-8", "surrogateescape")
    job = json_server.rcmd(command, options=["--json"]).json["job"]
    assert event(json_server, "job", job=job)["command"] == "true '\ufffd\ufffd'"
    json_server.log_path.read_bytes().decode()


def test_directions_are_escaped_in_text(server: Server) -> None:
    line = logged(server, "true '\u202eabc\u2066'")
    assert r"'\xe2\x80\xaeabc\xe2\x81\xa6'" in line
    assert not re.search(ACTING, server.log().replace("\n", ""))


# Files


def logging_server(make_server: Callable[..., Server], place: Place, *options: str, **more: Any) -> tuple[Server, Path]:
    """A server that logs to a file."""
    log = place.root / "logs" / "file"
    return make_server("--log-file", str(log), *options, place=place, **more), log


def jobs_in(log: Path) -> int:
    return log.read_text().count(" info job job=") if log.exists() else 0


def test_only_its_owner_reads_the_log_file(make_place: Callable[..., Place], make_server: Callable[..., Server]) -> None:
    server, log = logging_server(make_server, make_place())
    assert server.serves()
    assert log.stat().st_mode & 0o777 == 0o600
    assert server.log() == ""


def test_hangup_opens_the_log_file_anew(make_place: Callable[..., Place], make_server: Callable[..., Server]) -> None:
    server, log = logging_server(make_server, make_place())
    assert server.serves()
    rotated = log.with_suffix(".1")
    log.rename(rotated)
    assert server.serves()
    assert jobs_in(rotated) == 2 and not log.exists()
    server.process.send_signal(signal.SIGHUP)
    wait_for(lambda: log.exists() and f"log_reopened file={log}\n" in log.read_text(), "the new file")
    assert server.serves()
    assert jobs_in(rotated) == 2 and jobs_in(log) == 1


def test_a_running_durable_job_follows_the_rotation(make_place: Callable[..., Place],
                                                    make_server: Callable[..., Server]) -> None:
    server, log = logging_server(make_server, make_place())
    job = detach(server, "exec sleep 1000")
    log.rename(log.with_suffix(".1"))
    server.process.send_signal(signal.SIGHUP)
    wait_for(log.exists, "the new file")
    assert kill(server, job, "-s", "KILL").code == 0
    wait_for(lambda: f" info job job={job} " in log.read_text(), "the line of the job's end")


def test_hangup_with_the_log_on_stderr_changes_nothing(make_server: Callable[..., Server]) -> None:
    server = make_server()
    for _ in range(3):
        server.process.send_signal(signal.SIGHUP)
        assert server.serves()
    assert "reopened" not in server.log() and "stopping" not in server.log()


def test_hangup_does_not_cut_the_time_short_that_jobs_have_after_the_end(
        make_place: Callable[..., Place], make_server: Callable[..., Server], tmp_path: Path) -> None:
    server, log = logging_server(make_server, make_place(), "--drain", "1000")
    go_on = tmp_path / "go"
    with server.start_rcmd(f"echo there; {gate(go_on)}; exit 3", stdout=subprocess.PIPE) as client:
        assert client.stdout.readline() == b"there\n"
        server.process.send_signal(signal.SIGTERM)
        wait_for(lambda: " info stopping " in log.read_text(), "the server to be ending")
        server.process.send_signal(signal.SIGHUP)
        wait_for(lambda: "log_reopened" in log.read_text(), "the log to be opened anew")
        go_on.touch()
        assert client.wait(DEADLINE) == 3
    assert server.process.wait(DEADLINE) == 0


def test_a_log_file_that_cannot_be_opened_anew_is_kept(make_place: Callable[..., Place],
                                                       make_server: Callable[..., Server]) -> None:
    server, log = logging_server(make_server, make_place())
    rotated = log.with_suffix(".1")
    log.rename(rotated)
    log.mkdir()
    server.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "log_not_reopened" in rotated.read_text(), "the complaint")
    assert server.serves() and jobs_in(rotated) == 1


def test_a_log_on_a_full_disk_ends_nothing(make_place: Callable[..., Place], make_server: Callable[..., Server]) -> None:
    server = make_server("--log-file", "/dev/full")
    for _ in range(3):
        assert server.serves()


def test_a_log_file_that_is_full_for_a_while_says_what_is_missing(make_place: Callable[..., Place],
                                                                  make_server: Callable[..., Server]) -> None:
    server, log = logging_server(make_server, make_place(), *JSON)
    wait_for(lambda: '"event":"started"' in log.read_text(), "the start in the log")
    limit = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (log.stat().st_size + 10, limit[1]))
    assert server.serves()
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, limit)
    assert server.serves()
    lines = log.read_text().splitlines()
    [torn] = [line for line in lines if not line.endswith("}")]
    assert len(torn) == 10
    lines.remove(torn)
    whole = [json.loads(line) for line in lines]
    [lost] = [one for one in whole if one["event"] == "log_lost"]
    assert int(lost["lines"]) == 3, lost  # login, job_started, job
    assert [one["event"] for one in whole[whole.index(lost) + 1:]] == ["login", "job_started", "job"]


# The journal


def journal_stream(file: Any) -> str:
    status = os.fstat(file.fileno())
    return f"{status.st_dev}:{status.st_ino}"


@pytest.mark.parametrize("options", [[], [*JSON]], ids=["text", "json"])
def test_lines_for_the_journal_begin_with_their_level(make_place: Callable[..., Place], options: list[str]) -> None:
    place = make_place()
    path = place.root / "journal"
    with path.open("wb") as stderr:
        environment = base_environment(place.home) | {"JOURNAL_STREAM": journal_stream(stderr)}
        command = server_command(place, "--log-level", "debug", *options)
        with process(*command, stdout=subprocess.PIPE, stderr=stderr, env=environment) as child:
            host = child.stdout.readline().decode().split()[-1]
            assert run_rcmd(place, host, "exit 3").code == 3
            assert run_rcmd(place, "--cwd", "/no/such", host, "pwd").code == 255
            child.terminate()
            assert child.wait(DEADLINE) == 0
    lines = path.read_text().splitlines()
    levels = {"job": "6", "login": "6", "job_refused": "4", "disconnected": "7", "started": "6", "stopped": "6"}
    for name, level in levels.items():
        found = [line for line in lines if re.match(rf"<{level}>({name} ?|.*\"event\":\"{name}\")", line)]
        assert found, (name, lines)
    assert all(re.match(r"<[3-7]>[a-z{]", line) for line in lines), lines
    assert not [line for line in lines if re.search(r"\"time\"|\d{4}-\d\d-\d\dT", line)]
    if options:
        assert all(json.loads(line[3:])["level"] for line in lines)


def test_a_stderr_that_is_not_the_journals_has_its_own_time(make_server: Callable[..., Server]) -> None:
    server = make_server(env={"JOURNAL_STREAM": "1:2"})
    assert server.serves()
    assert all(re.match(r"\d{4}-\d\d-\d\dT", line) for line in server.log().splitlines())
