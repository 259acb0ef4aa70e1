"""Several jobs of one connection, which live on all threads: each is started once, and each is told about, whatever becomes of the others."""
from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Callable, Iterator

import pytest

import wire
from harness import Place, Server, mark, marked, scaled, wait_for

COUNT = scaled(24, least=8)
WHO = "33" * 16


@pytest.fixture(scope="module", params=["1", "4"], ids=["1-thread", "4-threads"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(Place(tmp_path_factory.mktemp("place")), "--threads", request.param)
    yield running
    running.stop()


def held_back(client: wire.Wire) -> wire.Job:
    """A job that goes on until its stdin ends: the connection is not without one."""
    return client.begin("cat", stdin=True)


def let_go(client: wire.Wire, job: wire.Job) -> None:
    client.end_stdin(job)
    assert client.finish(job).exit["code"] == 0


def test_each_is_started_once_and_ends_with_its_own_status(server: Server, tmp_path: Path) -> None:
    with server.login() as client:
        first = held_back(client)
        jobs = [client.execute(f"echo {number} >>'{tmp_path}/{number}'; echo out {number}; echo err {number} >&2; exit {number}")
                for number in range(COUNT)]
        for number, job in enumerate(jobs):
            client.finish(job)
            assert job.exit["code"] == number
            assert (job.out, job.err) == (b"out %d\n" % number, b"err %d\n" % number)
            assert (tmp_path / str(number)).read_text() == f"{number}\n"
        let_go(client, first)


def test_one_that_cannot_be_started_says_so_once_and_its_id_starts_nothing_more(server: Server) -> None:
    with server.login() as client:
        first = held_back(client)
        for number in range(COUNT):
            wrong = client.execute(["/no/such/program"])
            nowhere = client.execute("true", directory="/no/such/directory")
            right = client.execute(f"echo {number}")
            assert client.finish(wrong).error["code"] == "not_found"
            assert client.finish(nowhere).error["code"] == "no_directory"
            assert client.finish(right).out == b"%d\n" % number
            again = client.execute(f"echo again {number}", job=wrong.id)
            assert client.finish(again).error["code"] == "conflict"
        let_go(client, first)


def test_input_and_signals_reach_each(server: Server) -> None:
    with server.login() as client:
        jobs = [client.begin("trap 'echo stopped; exit 5' TERM; while read -r line; do echo got $line; done", stdin=True)
                for _ in range(COUNT)]
        for number, job in enumerate(jobs):
            client.write(job, b"%d\n" % number)
        for number, job in enumerate(jobs):
            client.until(lambda job=job: job.out.endswith(b"\n"))
            assert job.out == b"got %d\n" % number
        for number, job in enumerate(jobs):
            if number % 2:
                client.end_stdin(job)
            else:
                client.signal(job, 1, "TERM")
        for number, job in enumerate(jobs):
            client.finish(job)
            assert (job.out, job.exit["code"]) == (
                (b"got %d\n" % number, 0) if number % 2 else (b"got %d\nstopped\n" % number, 5))


def test_one_that_is_asked_for_twice_at_one_time_runs_once(server: Server, tmp_path: Path) -> None:
    """As by a client whose connection breaks while its job is being started."""
    for number in range(COUNT):
        name, script = os.urandom(16).hex(), f"echo ran >>'{tmp_path}/{number}'; cat"
        with server.login() as broken, server.login() as client:
            firsts = held_back(broken), held_back(client)
            asked = {name: getattr(broken, "challenge")[name] for name in ("boot", "uptime")}
            broken.execute(script, job=name, stdin=True, client=WHO, generation=1, **asked)
            job = client.execute(script, job=name, stdin=True, client=WHO, generation=2, **asked)
            client.until(lambda: job.started or job.attached or job.over)
            assert not job.error, job.error
            client.write(job, b"through\n")
            let_go(client, job)
            assert job.out == b"through\n"
            let_go(client, firsts[1])
        assert (tmp_path / str(number)).read_text() == "ran\n"


def test_all_of_a_connection_that_is_gone_end(server: Server) -> None:
    name = mark()
    with server.login() as client:
        for _ in range(COUNT):
            client.begin("sleep 1000", keep=0, environment={name: "1"})
        wait_for(lambda: len(marked(name)) >= COUNT, "all of them to run")
        client.drop()
    wait_for(lambda: not marked(name), "the jobs to be gone")


def test_all_of_them_end_with_the_server(tmp_path: Path) -> None:
    name = mark()
    server = Server(Place(tmp_path / "place"), "--threads", "4")
    with server.login() as client:
        jobs = [client.begin("sleep 1000", environment={name: "1"}) for _ in range(COUNT)]
        server.process.send_signal(signal.SIGTERM)
        for job in jobs:
            assert client.finish(job).exit["reason"] == "shutdown"
            client.release(job)
        server.stop()
    assert not marked(name)


def test_those_that_are_just_being_started_end_with_the_server_too(tmp_path: Path) -> None:
    name = mark()
    for number in range(scaled(8, least=2)):
        server = Server(Place(tmp_path / f"place {number}"), "--threads", "4")
        with server.login() as client:
            jobs = [client.execute("sleep 1000", environment={name: "1"}) for _ in range(COUNT)]
            client.until(lambda: jobs[number].started)
            server.process.send_signal(signal.SIGTERM)
            for job in jobs:
                client.finish(job)
                assert (job.exit or {}).get("reason") == "shutdown" or job.error["code"] == "shutdown"
                if job.exit:
                    client.release(job)
            server.stop()
        assert not marked(name)


@pytest.mark.parametrize(("fields", "code"), [({"boot": "0" * 32}, "restarted"), ({}, "conflict")], ids=["other-boot", "used-id"])
def test_a_request_that_may_have_run_is_never_said_to_be_busy(make_server: Callable[..., Server], fields: dict[str, str], code: str) -> None:
    server = make_server("--max-jobs", "1")
    with server.login() as client:
        first = client.finish(client.execute("true"))
        client.release(first)
        wait_for(lambda: server.log().count("info job job=") == 1, "the first job to be over")
        client.begin("sleep 1000")
        known = {} if fields else {"job": first.id}
        again = client.finish(client.execute("true", **known, **fields))
        assert again.error["code"] == code
        assert client.finish(client.execute("true")).error["code"] == "busy"
