"""Requests on the wire: what is refused, and that a job id starts once."""
from __future__ import annotations

import os
from pathlib import Path
from threading import Thread
from typing import Any, Callable

import pytest

import wire
from harness import Server, wait_for

BAD_FIELDS: dict[str, dict[str, Any]] = {
    "generation 0": {"generation": 0},
    "mode unknown": {"mode": "nonsense"},
    "mode missing": {"mode": None},
    "words 0": {"words": 0},
    "two words for the shell": {"words": 2},
    "stdin a number": {"stdin": 1},
    "limits a number": {"limits": 1},
    "limits empty": {"limits": {}},
    "limits with stdin": {"limits": {"stdout": 16384, "stderr": 16384, "stdin": 0}},
    "limit of 0": {"limits": {"stdout": 16384, "stderr": 0}},
    "limit under the least window": {"limits": {"stdout": 16383, "stderr": 16384}},
    "limits negative": {"limits": {"stdout": -1, "stderr": 16384}},
    "timeout null": {"timeout": None},
    "keep missing": {"keep": ...},
    "job wrong": {"job": "a/b"},
    "pty without rows": {"pty": {"columns": 80, "term": "xterm"}},
}
BAD_BODIES = {
    "no bytes": b"",
    "no directory": b"true\0",
    "last word not ended": b"true\0/",
    "environment not ended": b"true\0\0A=1",
    "environment without =": b"true\0\0A\0",
    "environment without a name": b"true\0\0=1\0",
}


def names(cases: dict[str, Any]) -> list[str]:
    return [name.replace(" ", "-") for name in cases]


@pytest.mark.parametrize("fields", BAD_FIELDS.values(), ids=names(BAD_FIELDS))
def test_a_request_with_a_wrong_field_is_bad_message_and_nothing_runs(server: Server, fields: dict[str, Any],
                                                                     tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    with server.login() as client:
        header = client.exec_header("job-1") | fields
        header = {name: value for name, value in header.items() if value is not ...}
        body = f"touch {trace}\0\0".encode()
        assert client.answer_to(wire.frame(header | {"size": len(body)}, body))["code"] == "bad_message"
    assert server.serves()
    assert not trace.exists()


@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=names(BAD_BODIES))
def test_a_request_with_a_wrong_body_is_bad_message(server: Server, body: bytes) -> None:
    with server.login() as client:
        header = client.exec_header("job-1") | {"size": len(body)}
        assert client.answer_to(wire.frame(header, body))["code"] == "bad_message"
    assert server.serves()


def test_more_words_than_the_body_has_is_bad_message(server: Server) -> None:
    with server.login() as client:
        header = client.exec_header("job-1", mode="argv", words=(1 << 64) - 1)
        assert client.answer_to(wire.frame(header | {"size": 6}, b"true\0\0"))["code"] == "bad_message"
    assert server.serves()


def test_windows_over_8_mebibytes_together_are_busy_and_the_connection_goes_on(server: Server) -> None:
    with server.login() as client:
        limits = {"stdout": wire.MIB, "stderr": wire.MIB}
        jobs = []
        for _ in range(8):
            jobs.append(client.execute(["sleep", "1000"], limits=limits))
            client.until(lambda: jobs[-1].started or jobs[-1].over)
        codes = [job.error["code"] for job in jobs if job.error]
        assert jobs[0].started and codes and set(codes) == {"busy"}
        assert sum(1 for job in jobs if job.started) <= 4
        client.ping()


@pytest.mark.parametrize(("words", "code"), [(["no-such-program"], "not_found"), (["/no/such"], "not_found"),
                                             (["/etc/passwd"], "not_executable"), (["/"], "not_executable")])
def test_a_program_that_cannot_run_is_a_typed_error_of_the_job(server: Server, words: list[str],
                                                               code: str) -> None:
    with server.login() as client:
        assert client.finish(client.execute(words)).error["code"] == code
        assert client.finish(client.execute("exit 3")).exit["code"] == 3


@pytest.mark.parametrize("directory", ["/no/such/place", "/etc/passwd", "/" + "x" * 5000])
def test_a_wrong_directory_is_a_typed_error_of_the_job(server: Server, directory: str) -> None:
    with server.login() as client:
        assert client.finish(client.execute("true", directory=directory)).error["code"] == "no_directory"
        assert client.finish(client.execute("exit 3")).exit["code"] == 3


def test_an_unknown_subsystem_is_unsupported(server: Server) -> None:
    with server.login() as client:
        job = client.finish(client.execute("nonsense", mode="subsystem"))
        assert job.error["code"] == "unsupported"
        client.ping()


def test_a_reserved_variable_is_forbidden(server: Server) -> None:
    with server.login() as client:
        job = client.finish(client.execute("true", environment={"RCMD_KEY": "root"}))
        assert job.error["code"] == "forbidden"
        client.ping()


def test_another_boot_is_restarted_and_nothing_runs(server: Server, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    with server.login() as client:
        assert client.finish(client.execute(f"touch {trace}", boot="ff" * 16)).error["code"] == "restarted"
        client.ping()
    assert not trace.exists()


def test_the_same_job_id_twice_starts_once(server: Server, tmp_path: Path) -> None:
    counter = tmp_path / "counter"
    with server.login() as client:
        job = client.begin(f"echo x >> {counter}; sleep 1000", job="same")
        wait_for(counter.exists, "the job to have begun")
        client.send(client.exec_header("same"), f"echo x >> {counter}\0\0".encode())
        header = client.pump()
        assert (header["type"], header["code"]) == ("error", "conflict")
    assert server.serves()
    assert counter.read_text() == "x\n"
    assert job.exit is None


def test_the_id_of_a_released_job_never_starts_again(server: Server, tmp_path: Path) -> None:
    counter = tmp_path / "counter"
    with server.login() as client:
        client.finish(client.execute(f"echo x >> {counter}", job="once"))
        client.send({"type": "release", "job": "once"})
        assert client.finish(client.execute(f"echo x >> {counter}", job="once")).error["code"] == "conflict"
    with server.login() as again:
        assert again.finish(again.execute(f"echo x >> {counter}", job="once")).error["code"] == "conflict"
    assert counter.read_text() == "x\n"


def test_the_same_job_id_on_many_connections_at_once_starts_once(server: Server, tmp_path: Path) -> None:
    counter = tmp_path / "counter"
    clients = [server.login() for _ in range(20)]
    jobs: list[wire.Job] = []

    def ask(client: wire.Wire) -> None:
        jobs.append(client.finish(client.execute(f"echo x >> {counter}", job="race")))

    threads = [Thread(target=ask, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for client in clients:
        client.close()
    # A later one takes the job from an earlier one, or comes when it is over.
    answers = [job.error["code"] if job.error else "ran" for job in jobs]
    assert len(answers) == 20 and "ran" in answers and set(answers) <= {"ran", "conflict"}, answers
    assert counter.read_text() == "x\n"


def try_login(server: Server, key: wire.Key) -> wire.Wire | None:
    try:
        return server.login(key)
    except AssertionError:
        return None  # authorized_keys has not been read again yet


def test_the_ids_of_another_key_are_other_jobs(make_server: Callable[..., Server]) -> None:
    server = make_server()
    other = wire.Key("other@there", os.urandom(32))
    server.place.authorize(server.place.key, other)
    stranger = wait_for(lambda: try_login(server, other), "the new key to be accepted")
    with server.login() as owner, stranger:
        job = owner.begin("read x; echo $x", job="mine", stdin=True)
        stranger.jobs["mine"] = wire.Job("mine")
        stranger.signal(wire.Job("mine"), 1, "KILL")
        stranger.until(lambda: stranger.jobs["mine"].error)
        assert stranger.jobs["mine"].error["code"] == "no_such_job"
        for kind in ("stop", "release"):
            stranger.send({"type": kind, "job": "mine"} | ({"stream": "stdout"} if kind == "stop" else {}))
        theirs = stranger.finish(stranger.execute("echo theirs", job="mine"))
        assert theirs.out == b"theirs\n"
        owner.write(job, b"alive\n")
        assert owner.finish(job).out == b"alive\n"


@pytest.mark.parametrize("fields", [{"type": "signal", "number": 1, "name": "TERM"},
                                    {"type": "eof", "stream": "stdin", "offset": 0}], ids=["signal", "eof"])
def test_a_message_about_no_job_is_no_such_job_and_the_connection_goes_on(server: Server,
                                                                          fields: dict[str, Any]) -> None:
    with server.login() as client:
        client.jobs["none"] = wire.Job("none")
        client.send({"job": "none"} | fields)
        assert client.finish(client.jobs["none"]).error["code"] == "no_such_job"
        client.ping()


def test_release_ack_and_stop_about_no_job_are_ignored(server: Server) -> None:
    with server.login() as client:
        client.send({"type": "release", "job": "none"})
        client.send({"type": "ack", "job": "none", "stream": "stdout", "offset": 0, "limit": 1})
        client.send({"type": "stop", "job": "none", "stream": "stdout"})
        client.send({"type": "ping"})
        assert client.pump()["type"] == "pong"


def test_an_id_that_this_connection_has_is_a_conflict_and_the_job_goes_on(server: Server) -> None:
    with server.login() as client:
        job = client.begin("read line; echo got $line", job="mine", stdin=True)
        header = client.exec_header("mine", stdin=True)
        client.send(header, b"read line; echo got $line\0\0")
        assert client.receive()[0] | {"message": ""} == {"type": "error", "job": "mine", "code": "conflict",
                                                         "message": ""}
        client.write(job, b"it\n")
        client.end_stdin(job)
        assert client.finish(job).out == b"got it\n"
