"""A request that waits for the end of another job of its connection (`exec.after`)."""
from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

import wire
from durable import MakeServer
from harness import Server, mark, marked, wait_for


def behind(job: wire.Job, success: bool = True) -> dict[str, Any]:
    return {"after": {"job": job.id, "success": success}}


def until(path: Path) -> str:
    return f"while [ ! -e '{path}' ]; do sleep 0.02; done"


def not_started(client: wire.Wire, job: wire.Job) -> bool:
    """Nothing has been said of it by the time that the server has taken everything before."""
    client.ping()
    return job.started is None and not job.over


def test_it_starts_when_the_one_before_has_ended(server: Server, tmp_path: Path) -> None:
    go = tmp_path / "go"
    with server.login() as client:
        first = client.begin(until(go))
        second = client.execute("echo second", **behind(first))
        assert not_started(client, second)
        go.touch()
        assert client.finish(second).out == b"second\n"
        assert first.exit["code"] == 0


def test_who_has_not_named_the_feature_must_not_ask_for_it(server: Server) -> None:
    with wire.Wire(server.port, server.place.key).login(features=[]) as client:
        assert client.challenge["features"] == []
        first = client.finish(client.execute("true"))
        client.execute("true", **behind(first))
        assert client.last_words()["code"] == "bad_message"


def test_it_starts_at_once_when_the_one_before_has_ended_already(server: Server) -> None:
    with server.login() as client:
        first = client.finish(client.execute("true"))
        assert client.finish(client.execute("echo second", **behind(first))).out == b"second\n"


@pytest.mark.parametrize("end", ["exit 3", "kill -9 $$", "exec 2>&1; echo no; exit 1"])
def test_after_a_failure_it_is_skipped(server: Server, tmp_path: Path, end: str) -> None:
    go, trace = tmp_path / "go", tmp_path / "trace"
    with server.login() as client:
        first = client.begin(f"{until(go)}; {end}")
        second = client.execute(f"touch '{trace}'", **behind(first))
        go.touch()
        assert client.finish(second).error["code"] == "skipped"
        client.finish(first)
        late = client.execute(f"touch '{trace}'", **behind(first))
        assert client.finish(late).error["code"] == "skipped"
    assert not trace.exists()


def test_after_a_time_out_it_is_skipped_also_if_the_command_says_that_all_is_well(server: Server) -> None:
    with server.login() as client:
        first = client.begin("trap 'exit 0' TERM; while :; do sleep 0.05; done", timeout=1)
        second = client.execute("true", **behind(first))
        assert client.finish(second).error["code"] == "skipped"
        assert (client.finish(first).exit["reason"], first.exit["code"]) == ("timeout", 0)


def test_after_a_failure_it_starts_if_that_does_not_matter(server: Server, tmp_path: Path) -> None:
    go = tmp_path / "go"
    with server.login() as client:
        first = client.begin(f"{until(go)}; exit 3")
        second = client.execute("echo second", **behind(first, success=False))
        go.touch()
        assert client.finish(second).out == b"second\n"


def test_while_there_is_output_that_the_client_has_not_taken_it_waits(server: Server) -> None:
    with server.login() as client:
        first = client.finish(client.execute("echo first"))
        second = client.execute("echo second", **behind(first))
        assert not_started(client, second)
        client.release(first)
        assert client.finish(second).out == b"second\n"


def test_a_job_that_is_given_up_is_followed_by_none(server: Server) -> None:
    for success in (True, False):
        with server.login() as client:
            first = client.begin("sleep 1000")
            second = client.execute("true", **behind(first, success))
            client.release(first)
            assert client.finish(second).error["code"] == "skipped"


def test_a_signal_ends_it_before_it_begins(server: Server, tmp_path: Path) -> None:
    go, trace = tmp_path / "go", tmp_path / "trace"
    with server.login() as client:
        first = client.begin(until(go))
        second = client.execute(f"touch '{trace}'", **behind(first))
        client.signal(second, 1, "INT")
        assert client.finish(second).error["code"] == "skipped"
        go.touch()
        client.finish(first)
        client.ping()
    assert not trace.exists()


def test_it_can_be_given_up_before_it_begins(server: Server, tmp_path: Path) -> None:
    go, trace = tmp_path / "go", tmp_path / "trace"
    with server.login() as client:
        first = client.begin(until(go))
        second = client.execute(f"touch '{trace}'", **behind(first))
        client.release(second)
        third = client.execute("echo third", **behind(first))
        go.touch()
        assert client.finish(third).out == b"third\n"
        assert not second.over
    assert not trace.exists()


def test_one_at_a_time_may_wait(server: Server) -> None:
    with server.login() as client:
        first = client.begin("cat", stdin=True)
        second = client.execute("echo second", **behind(first))
        assert client.finish(client.execute("true", **behind(first))).error["code"] == "busy"
        client.end_stdin(first)
        assert client.finish(second).out == b"second\n"


def test_its_id_is_taken_and_none_follows_it(server: Server) -> None:
    with server.login() as client:
        first = client.begin("cat", stdin=True)
        second = client.execute("echo second", **behind(first))
        header = client.exec_header(second.id)
        client.send(header, b"true\0\0")
        assert client.finish(second).error["code"] == "conflict"
        second.error = None
        assert client.finish(client.execute("true", **behind(second, success=False))).error["code"] == "busy"
        client.end_stdin(first)
        assert client.finish(second).out == b"second\n"


def test_a_keep_that_comes_while_it_waits_counts(server: Server, tmp_path: Path) -> None:
    go, on, trace = tmp_path / "go", tmp_path / "on", tmp_path / "trace"
    with server.login() as client:
        first = client.begin(until(go))
        second = client.execute(f"{until(on)}; touch '{trace}'", keep=0, **behind(first))
        client.send({"type": "keep", "job": second.id, "seconds": 60})
        go.touch()
        client.until(lambda: second.started)
        client.drop()
    on.touch()
    wait_for(trace.exists, "the job to go on without its client")


def test_one_that_was_first_sent_to_another_run_of_the_server_may_have_run_there(server: Server) -> None:
    with server.login() as client:
        first = client.begin("cat", stdin=True)
        second = client.execute("true", boot="00" * 16, **behind(first))
        assert client.finish(second).error["code"] == "restarted"


def test_what_is_wrong_with_it_is_said_at_once(server: Server) -> None:
    with server.login() as client:
        first = client.begin("cat", stdin=True)
        header = client.exec_header("11" * 16, size=4, **behind(first))
        assert client.answer_to(wire.frame(header, b"true"))["code"] == "bad_message"


def test_after_a_job_that_never_began(server: Server) -> None:
    with server.login() as client:
        never = wire.Job(os.urandom(16).hex())
        assert client.finish(client.execute("true", **behind(never))).error["code"] == "skipped"
        assert client.finish(client.execute("echo on", **behind(never, success=False))).out == b"on\n"
        wrong = client.execute(["/no/such/program"])
        assert client.finish(client.execute("true", **behind(wrong))).error["code"] == "skipped"
        assert wrong.error["code"] == "not_found"


def test_the_place_of_the_one_before_is_free_for_it(make_server: MakeServer, tmp_path: Path) -> None:
    server = make_server("--max-jobs-per-key", "1")
    go = tmp_path / "go"
    with server.login() as client:
        first = client.begin(until(go))
        second = client.execute("echo second", **behind(first))
        go.touch()
        assert client.finish(second).out == b"second\n"


def test_with_the_connection_it_is_gone(server: Server, tmp_path: Path) -> None:
    """Until the client asks for it again, on another one."""
    go, trace, name = tmp_path / "go", tmp_path / "trace", mark()
    with server.login() as client:
        who = "44" * 16
        first = client.begin(until(go), client=who, environment={name: "1"})
        second = client.execute(f"echo ran >>'{trace}'", client=who, **behind(first))
        client.ping()
        client.drop()
    go.touch()
    wait_for(lambda: not marked(name), "the first one to end")
    assert not trace.exists()
    with server.login() as client:
        first = client.attach(first, who, 2)
        again = client.execute(f"echo ran >>'{trace}'", job=second.id, client=who, generation=2, **behind(first))
        client.release(client.finish(first))
        assert client.finish(again).exit["code"] == 0
    assert trace.read_text() == "ran\n"


def test_one_that_runs_already_is_attached_to(server: Server) -> None:
    who = "45" * 16
    with server.login() as client:
        first = client.finish(client.execute("true", client=who))
        second = client.begin("cat", stdin=True, client=who, **behind(first))
        client.drop()
    with server.login() as client:
        again = client.begin("cat", stdin=True, job=second.id, client=who, generation=2, **behind(first))
        client.end_stdin(again)
        assert client.finish(again).exit["code"] == 0


def test_a_server_that_is_ending_starts_it_no_more(make_server: MakeServer, tmp_path: Path) -> None:
    server = make_server("--drain", "60")
    go, trace = tmp_path / "go", tmp_path / "trace"
    with server.login() as client:
        first = client.begin(until(go))
        second = client.execute(f"touch '{trace}'", **behind(first))
        client.ping()
        server.process.send_signal(signal.SIGTERM)
        wait_for(lambda: "stopping" in server.log(), "the server to be ending")
        go.touch()
        assert client.finish(second).error["code"] == "shutdown"
        client.release(client.finish(first))
        server.stop()
    assert not trace.exists()


@pytest.mark.parametrize("fields", [{"after": {"job": "../x", "success": True}}, {"after": {"job": "self", "success": True}},
                                    {"after": {"job": "other", "success": True}, "durable": True}, {"after": {"job": "other"}},
                                    {"after": "other"}], ids=["name", "itself", "durable", "missing", "mistyped"])
def test_what_makes_no_sense_is_refused(server: Server, fields: dict[str, Any]) -> None:
    with server.login() as client:
        header = client.exec_header("self", size=6, **fields)
        assert client.answer_to(wire.frame(header, b"true\0\0"))["code"] == "bad_message"
