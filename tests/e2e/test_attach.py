"""A job outlives its connection, on the wire: another one attaches and goes on at the byte."""
from __future__ import annotations

import hashlib
import os
import signal
import socket
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

import wire
from harness import (MEASURE_MEMORY, Place, Server, authorized_line, descriptors, mark, marked, memory_kib, process_state, run_rcmd,
                     scaled, wait_for)

SMALL = {"stdout": 16384, "stderr": 16384}
WHO = "11" * 16  # the client that starts the jobs
OTHER = "22" * 16
STRANGER = wire.Key("other@there", os.urandom(32))
LAST = 200_000  # more than the windows hold
NUMBERS = "".join(f"{number}\n" for number in range(1, LAST + 1)).encode()
COUNT = f"seq {LAST}"
COUNT_TWICE = f"seq {LAST} & seq {LAST} >&2; wait"
USR_TRAPS = "trap 'echo usr1' USR1; trap 'echo usr2' USR2; echo up; while :; do sleep 0.05; done"


@pytest.fixture(scope="module", params=["1", "4"], ids=["1-thread", "4-threads"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Connections take the threads in turn: of four, a job and the next connection are on different ones."""
    place = Place(tmp_path_factory.mktemp("place"))
    place.authorize(place.key, STRANGER)
    running = Server(place, "--threads", request.param)
    yield running
    running.stop()


def start(client: wire.Wire, command: str | list[str], **fields: Any) -> wire.Job:
    return client.begin(command, **({"client": WHO, "limits": SMALL} | fields))


def offsets(job: wire.Job) -> dict[str, int]:
    return {stream: job.position(stream) for stream in ("stdout", "stderr")}


def answered(client: wire.Wire, job: wire.Job) -> wire.Job:
    client.until(lambda: job.attached or job.error)
    return job


def attach(client: wire.Wire, job: wire.Job, generation: int = 2, who: str = WHO, **fields: Any) -> wire.Job:
    """Attaches, which must succeed, and renews what was granted."""
    known = answered(client, client.attach(job, who, generation, **fields))
    assert known.attached, known.error
    if client.acks:
        grant_more(client, known)
    return known


def grant_more(client: wire.Wire, job: wire.Job) -> None:
    for stream, at in offsets(job).items():
        if job.limits[stream]:
            client.grant(job, stream, max(job.limits[stream], at + 65536))


def refusal(client: wire.Wire, job: wire.Job, generation: int = 2, who: str = WHO, **fields: Any) -> str:
    known = answered(client, client.attach(job, who, generation, **fields))
    assert known.error, known.attached
    return known.error["code"]


def forgotten(server: Server, job: wire.Job) -> bool:
    """Whether the server knows the job no more. A generation that is not higher leaves the job as it is."""
    with server.login() as client:
        return refusal(client, job, 1) == "no_such_job"


def feed(client: wire.Wire, job: wire.Job, payload: bytes, until: int) -> None:
    """Sends stdin up to that offset."""
    while job.sent < until:
        client.until(lambda: job.stdin_limit > job.sent)
        client.write(job, payload[job.sent:min(job.sent + 65536, job.stdin_limit, until)])


def show(client: wire.Wire, job: wire.Job, text: bytes) -> None:
    client.until(lambda: len(job.out) >= len(text) or job.over)
    assert job.out == text, job


def written(pid: int) -> int:
    """How many bytes a process has written."""
    fields = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text().splitlines())
    return int(fields["wchar"])


@contextmanager
def stuck(server: Server) -> Iterator[wire.Job]:
    """A job that counts, on a connection in which the server's bytes are stuck because nobody reads them."""
    with server.login(acks=False) as client:
        client.plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        job = start(client, ["seq", str(LAST)], limits={"stdout": wire.MIB, "stderr": wire.MIB})
        full = min(wire.MIB, len(NUMBERS) // 2)
        wait_for(lambda: written(job.started["pid"]) > full, "the window to be full")
        assert server.serves()
        yield job


# Output


@pytest.mark.parametrize("explicit", [True, False], ids=["offsets", "no-offsets"])
@pytest.mark.parametrize("leave", [wire.Wire.close, wire.Wire.drop], ids=["closed", "cut"])
def test_output_goes_on_at_the_byte(server: Server, leave: Callable[[wire.Wire], None],
                                    explicit: bool) -> None:
    first = server.login()
    job = start(first, COUNT_TWICE)
    first.until(lambda: min(offsets(job).values()) > 100_000)
    first.acks = False
    acknowledged = sum(offsets(job).values())
    first.until(lambda: sum(offsets(job).values()) > acknowledged)
    leave(first)
    with server.login() as client:
        asked = offsets(job) if explicit else {}
        known = client.finish(attach(client, job, **asked))
        assert asked.items() <= known.attached.items()
        assert (known.out, known.err, known.exit["code"]) == (NUMBERS, NUMBERS, 0)


@pytest.mark.parametrize("missed", [{"stdout": 1}, {"stderr": 1}, {"stdout": 16384, "stderr": 16384}],
                         ids=["stdout", "stderr", "both"])
def test_bytes_that_were_sent_but_not_received_are_sent_again(server: Server, missed: dict[str, int]) -> None:
    with server.login(acks=False) as first:
        job = start(first, COUNT_TWICE)
        first.until(lambda: offsets(job) == SMALL)
    wanted = {stream: SMALL[stream] - missed.get(stream, 0) for stream in SMALL}
    with server.login() as client:
        known = client.attach(job, WHO, 2, **wanted)
        answered(client, known)
        assert {stream: known.attached[stream] for stream in SMALL} == wanted
        client.until(lambda: offsets(known) == SMALL)
        grant_more(client, known)
        client.finish(known)
        assert (known.out, known.err) == (NUMBERS, NUMBERS)


def test_a_client_that_knows_nothing_gets_what_is_not_acknowledged(server: Server) -> None:
    with server.login(acks=False) as first:
        job = start(first, COUNT)
        first.until(lambda: len(job.out) == 16384)
        job.received["stdout"] = job.received["stdout"][:10_000]
        first.grant(job, "stdout", 16384)
        first.ping()
    with server.login() as client:
        known = client.finish(attach(client, wire.Job(job.id), 1, OTHER))
        assert known.attached["stdout"] == 10_000
        assert known.out == NUMBERS[10_000:]


def test_what_is_gone_is_said_also_by_a_quiet_client(server: Server) -> None:
    with server.login() as first:
        job = start(first, "echo taken; read x; echo left", stdin=True)
        show(first, job, b"taken\n")
        first.acks = False
        first.end_stdin(job)
        first.ping()
    result = run_rcmd(server.place, "attach", "-q", server.host, job.id)
    assert (result.code, result.out) == (0, b"left\n")
    assert result.message == "rcmd: the first 6 bytes of stdout are not kept any more\n"


def test_eight_connections_one_after_the_other(server: Server) -> None:
    payload = os.urandom(scaled(8) * 128 * 1024)
    share = len(payload) // 8
    client = server.login()
    job = start(client, "tee /dev/stderr", stdin=True)
    for turn in range(1, 8):
        feed(client, job, payload, turn * share)
        client.until(lambda: min(offsets(job).values()) >= turn * share - share // 2)
        client.drop()
        client = server.login()
        job = attach(client, job, turn + 1, **(offsets(job) if turn % 2 else {}))
    with client:
        feed(client, job, payload, len(payload))
        client.end_stdin(job)
        client.finish(job)
    assert (job.out, job.err) == (payload, payload)
    assert job.exit["code"] == 0 and job.exit["stdin"] == len(payload)


def test_attaching_over_and_over_leaves_nothing_behind(server: Server) -> None:
    with server.login() as first:
        job = start(first, "cat", stdin=True)
    before = descriptors(server.pid)
    for turn in range(2, 50):
        with server.login() as client:
            known = attach(client, job, turn)
            client.write(known, b"x")
            client.until(lambda: known.out.endswith(b"x") and known.position("stdout") == turn - 1)
            job = known
    wait_for(lambda: descriptors(server.pid) <= before, "the connections to be gone")


def test_two_jobs_of_a_connection_go_on_at_two(server: Server) -> None:
    with server.login() as first:
        jobs = [start(first, f"echo up; read x; echo {name}; {COUNT}", stdin=True) for name in "ab"]
        first.until(lambda: all(job.out == b"up\n" for job in jobs))
    with server.login() as one, server.login() as two:
        for client, job, name in ((one, jobs[0], b"a"), (two, jobs[1], b"b")):
            known = attach(client, job, 2, stdout=3)
            client.write(known, b"go\n")
            assert client.finish(known).out == b"up\n" + name + b"\n" + NUMBERS


def test_a_lingering_job_runs_on(server: Server, tmp_path: Path) -> None:
    with server.login() as first:
        command = "echo up; while [ ! -e go ]; do sleep 0.05; done; echo more; touch done; exit 5"
        job = start(first, command, directory=str(tmp_path))
        show(first, job, b"up\n")
    (tmp_path / "go").touch()
    wait_for((tmp_path / "done").exists, "the job to go on without a connection")
    with server.login() as client:
        known = client.finish(attach(client, job, stdout=3))
        assert (known.out, known.exit["code"]) == (b"up\nmore\n", 5)


def test_a_job_blocked_on_a_full_window_goes_on(server: Server) -> None:
    with server.login(acks=False) as first:
        job = start(first, COUNT, limits={"stdout": 16384, "stderr": 16384})
        first.until(lambda: len(job.out) == 16384)
    with server.login(acks=False) as second:
        known = attach(second, job, 2)
        second.until(lambda: len(known.out) == 16384)
        second.ping()
        assert not known.over and len(known.out) == 16384, "beyond the window"
    with server.login() as third:
        assert third.finish(attach(third, known, 3, stdout=16384)).out == NUMBERS


def test_what_was_stopped_stays_stopped(server: Server) -> None:
    with server.login(acks=False) as first:
        job = start(first, f"seq {LAST} >&2; echo over")
        job.stopping.add("stderr")
        first.send({"type": "stop", "job": job.id, "stream": "stderr"})
        first.ping()
    with server.login() as client:
        known = client.finish(attach(client, job))
        assert known.out == b"over\n" and known.exit["code"] == 0 and "stderr" not in known.ended


# Input


def test_stdin_goes_on_where_the_server_says(server: Server) -> None:
    payload = os.urandom(scaled(4) * 512 * 1024)
    first = server.login()
    job = start(first, "sha256sum", stdin=True, limits={"stdout": 65536, "stderr": 16384})
    feed(first, job, payload, len(payload) // 2)
    first.drop()
    with server.login() as client:
        known = attach(client, job)
        assert job.acknowledged <= known.attached["stdin"] <= job.sent
        assert known.attached["stdin"] <= known.stdin_limit <= known.attached["stdin"] + wire.MIB
        feed(client, known, payload, len(payload))
        client.end_stdin(known)
        client.finish(known)
        assert known.out.split()[0] == hashlib.sha256(payload).hexdigest().encode()
        assert known.exit["stdin"] == len(payload)


def test_the_end_of_stdin_may_be_said_again(server: Server, tmp_path: Path) -> None:
    with server.login() as first:
        command = "wc -c; while [ ! -e go ]; do sleep 0.05; done; echo over"
        job = start(first, command, directory=str(tmp_path), stdin=True)
        first.write(job, b"12345")
        first.end_stdin(job)
        show(first, job, b"5\n")
    with server.login() as client:
        known = attach(client, job, stdout=2)
        assert known.attached["stdin"] == 5
        client.end_stdin(known)
        (tmp_path / "go").touch()
        assert client.finish(known).out == b"5\nover\n"


def test_acknowledgements_are_said_again(server: Server) -> None:
    with server.login() as first:
        job = start(first, "cat >/dev/null; sleep 1000", stdin=True)
        first.write(job, b"a few")
        first.until(lambda: job.acknowledged == 5)
    with server.login() as client:
        known = attach(client, job)
        client.until(lambda: known.acknowledged == 5)


def test_a_stop_of_stdin_is_said_again(server: Server) -> None:
    with server.login() as first:
        job = start(first, "exec 0<&-; echo closed; sleep 1000", stdin=True)
        show(first, job, b"closed\n")
        first.write(job, b"for nobody")
        first.until(lambda: job.stopped)
    with server.login() as client:
        known = attach(client, job, stdout=7)
        client.until(lambda: known.stopped)


# The end of a job


@pytest.mark.parametrize("explicit", [True, False], ids=["offsets", "no-offsets"])
def test_a_finished_job_says_its_end_again_and_again(server: Server, explicit: bool) -> None:
    with server.login(acks=False) as first:
        job = first.finish(start(first, "echo out; echo err >&2; exit 7"))
    for turn in (2, 3):
        with server.login(acks=False) as client:
            known = client.finish(attach(client, job, turn, **(offsets(job) if explicit else {})))
            assert known.attached["state"] == "finished"
            assert (known.out, known.err, known.ended) == (b"out\n", b"err\n", {"stdout": 4, "stderr": 4})
            assert known.exit == job.exit


def test_a_job_that_finishes_while_it_lingers(server: Server) -> None:
    with server.login(acks=False) as first:
        job = start(first, "read x; echo out; exit 7", stdin=True)
        first.write(job, b"go\n")
        first.ping()
    wait_for(lambda: process_state(job.started["pid"]) == "", "the job to end")
    with server.login() as client:
        known = client.finish(attach(client, job))
        assert (known.attached["state"], known.out, known.exit["code"]) == ("finished", b"out\n", 7)
        client.release(job)
        client.ping()
    assert forgotten(server, job)


@pytest.mark.parametrize("elsewhere", [False, True], ids=["same-connection", "another-connection"])
def test_a_finished_and_released_job_is_not_there(server: Server, elsewhere: bool) -> None:
    with server.login() as first:
        job = first.finish(start(first, "exit 7"))
        first.send_bytes(wire.frame({"type": "release", "job": job.id})
                         + wire.frame({"type": "ping"}))
        first.until(lambda: first.pongs)
        with server.login() as second:
            assert refusal(second if elsewhere else first, job) == "no_such_job"


@pytest.mark.parametrize("command", ["exit 7", "trap '' HUP; echo up; sleep 1000"], ids=["over", "running"])
def test_a_released_job_is_not_there_at_once(server: Server, command: str) -> None:
    with server.login() as client:
        job = start(client, command)
        client.until(lambda: job.over or job.out == b"up\n")
        ask = {"type": "attach", "job": job.id, "client": WHO, "generation": 2, "tail": False}
        client.jobs[job.id] = known = job.begin_again()
        client.send_bytes(wire.frame({"type": "release", "job": job.id}) + wire.frame(ask))
        assert answered(client, known).error, "attached to a job that was released"
        assert known.error["code"] == "no_such_job"


# Who may attach


def test_a_later_connection_of_the_client_closes_the_former(server: Server) -> None:
    with server.login() as old, server.login() as new:
        job = start(old, f"echo up; read x; {COUNT}", stdin=True)
        show(old, job, b"up\n")
        known = attach(new, job, 2, stdout=3)
        with pytest.raises(wire.Closed):
            old.until(lambda: False)
        assert old.failure is None and job.error is None
        new.write(known, b"go\n")
        assert new.finish(known).out == b"up\n" + NUMBERS


@pytest.mark.parametrize("generation", [1, 2, 3], ids=["first", "lower", "same"])
def test_an_earlier_connection_of_the_client_is_refused(server: Server, generation: int) -> None:
    with server.login() as old, server.login() as late:
        job = start(old, "cat", stdin=True, generation=3)
        assert refusal(late, job, generation) == "conflict"
        late.ping()
        old.write(job, b"mine\n")
        show(old, job, b"mine\n")
        old.drop()
        assert refusal(late, job, generation) == "conflict"
        known = attach(late, job, 4, stdout=5)
        late.write(known, b"late\n")
        show(late, known, b"mine\nlate\n")


def test_another_client_takes_the_job_and_the_former_is_told(server: Server) -> None:
    with server.login() as old, server.login() as new:
        job = start(old, f"echo up; read x; {COUNT}", stdin=True)
        show(old, job, b"up\n")
        known = attach(new, job, 1, OTHER, stdout=3)
        assert old.finish(job).error["code"] == "conflict"
        old.ping()
        old.release(job)  # it is not its own any more
        old.ping()
        new.write(known, b"go\n")
        assert new.finish(known).out == b"up\n" + NUMBERS


def test_two_clients_take_a_job_from_each_other(server: Server) -> None:
    with server.login() as one, server.login() as two:
        job = start(one, "cat", stdin=True)
        holders = [(one, WHO), (two, OTHER)]
        for turn in range(1, 20):
            client, who = holders[turn % 2]
            former, _ = holders[(turn + 1) % 2]
            known = attach(client, job, turn + 1, who, stdout=job.position("stdout"))
            assert former.finish(former.jobs[job.id]).error["code"] == "conflict"
            client.write(known, b"%d\n" % turn)
            expected = b"".join(b"%d\n" % number for number in range(1, turn + 1))
            show(client, known, expected)
            job = known


@pytest.mark.parametrize("who", [WHO, OTHER], ids=["same-client", "other-client"])
def test_a_connection_that_reads_nothing_holds_nothing_back(server: Server, who: str) -> None:
    with stuck(server) as job, server.login() as new:
        known = new.finish(attach(new, job, 2, who))
        assert known.out == NUMBERS


def test_a_job_of_another_key_is_not_there(server: Server) -> None:
    with server.login() as owner, server.login(STRANGER) as stranger:
        job = start(owner, "read x; echo $x", stdin=True)
        assert refusal(stranger, job) == "no_such_job"
        assert refusal(stranger, job, (1 << 64) - 1, OTHER) == "no_such_job"
        stranger.send({"type": "keep", "job": job.id, "seconds": 0})
        owner.write(job, b"alive\n")
        assert owner.finish(job).out == b"alive\n"


def test_an_unknown_job_is_not_there(server: Server) -> None:
    with server.login() as client:
        assert refusal(client, wire.Job("never-asked-for")) == "no_such_job"
        client.ping()


@pytest.mark.parametrize("name", ["../../etc/passwd", "..", ".hidden", "a/b", "", "a b", "a\nb", "a\0b",
                                  "\x1b[2J", "ä", "x" * 65, "x" * 10_240],
                         ids=["up", "dots", "hidden", "slash", "empty", "blank", "newline", "nul", "escape",
                              "umlaut", "65", "10k"])
@pytest.mark.parametrize("fields", [{"type": "attach", "client": WHO, "generation": 2, "tail": False},
                                    {"type": "keep", "seconds": 1}], ids=["attach", "keep"])
def test_what_is_not_a_job_id_is_bad_message(server: Server, fields: dict[str, Any], name: str) -> None:
    with server.login() as client:
        assert client.answer_to(wire.frame(fields | {"job": name}))["code"] == "bad_message"
    with server.login() as client:
        client.ping()


@pytest.mark.parametrize("fields", [{"generation": 0}, {"generation": -1}, {"generation": "2"}, {"client": 5},
                                    {"stdout": -1}, {"stderr": "0"}, {"stdin": 0}, {"pty": {"rows": 1}},
                                    {"pty": {"rows": 65536, "columns": 1}}, {"stdout": None}],
                         ids=["generation-0", "generation-negative", "generation-string", "client-number",
                              "stdout-negative", "stderr-string", "stdin", "pty-without-columns",
                              "pty-too-large", "stdout-null"])
def test_an_attach_with_a_wrong_field_is_bad_message(server: Server, fields: dict[str, Any]) -> None:
    with server.login() as owner, server.login() as client:
        job = start(owner, "cat", stdin=True)
        ask = {"type": "attach", "job": job.id, "client": OTHER, "generation": 2, "tail": False} | fields
        assert client.answer_to(wire.frame(ask))["code"] == "bad_message"
        owner.write(job, b"alive\n")
        show(owner, job, b"alive\n")


# Offsets

BAD_OFFSETS = {"below": {"stdout": 0}, "just-below": {"stdout": 9999}, "above": {"stdout": 16385},
               "greatest": {"stdout": (1 << 64) - 1}, "stderr-above": {"stderr": 16385},
               "stderr-greatest": {"stdout": 16384, "stderr": (1 << 64) - 1}}


@pytest.mark.parametrize("fields", BAD_OFFSETS.values(), ids=list(BAD_OFFSETS))
def test_an_offset_that_cannot_be_is_bad_offset_and_harms_nobody(server: Server,
                                                                 fields: dict[str, int]) -> None:
    with server.login(acks=False) as first:
        job = start(first, COUNT_TWICE)
        first.until(lambda: offsets(job) == SMALL)
        first.send({"type": "ack", "job": job.id, "stream": "stdout", "offset": 10_000, "limit": 16384})
        first.ping()
    with server.login() as client:
        client.attach(job, WHO, 2, **fields)
        assert client.last_words()["code"] == "bad_offset"
    with server.login() as client:
        known = client.finish(attach(client, job, 3, **offsets(job)))
        assert (known.out, known.err) == (NUMBERS, NUMBERS)


def test_a_refused_offset_does_not_make_the_job_stay_for_ever(server: Server) -> None:
    name = mark()
    with server.login() as old:
        job = start(old, "sleep 1000", keep=0, environment={name: "1"})
        with server.login() as client:
            client.attach(job, WHO, 2, stdout=1)
            assert client.last_words()["code"] == "bad_offset"
    wait_for(lambda: not marked(name), "the job to end without a connection", 20)


# The same request again


@pytest.mark.parametrize(("who", "generation"), [(WHO, 2), (OTHER, 1)], ids=["same-client", "other-client"])
@pytest.mark.parametrize("alive", [True, False], ids=["alive", "cut"])
def test_a_repeated_request_starts_once(server: Server, tmp_path: Path, who: str, generation: int,
                                        alive: bool) -> None:
    command = f"echo x >> {tmp_path}/counter; {COUNT}; exit 5"
    with server.login(acks=False) as old, server.login() as new:
        job = start(old, command)
        old.until(lambda: len(job.out) == 16384)
        if not alive:
            old.drop()
        again = new.execute(command, job=job.id, client=who, generation=generation, limits=SMALL)
        new.finish(again)
        assert again.started["pid"] == job.started["pid"]
        assert (again.out, again.exit["code"]) == (NUMBERS, 5)
    assert (tmp_path / "counter").read_text() == "x\n"


def test_a_repeated_request_of_a_finished_job_gets_its_result(server: Server, tmp_path: Path) -> None:
    command = f"echo x >> {tmp_path}/counter; echo out; exit 5"
    with server.login(acks=False) as old:
        job = old.finish(start(old, command))
    with server.login() as new:
        again = new.finish(new.execute(command, job=job.id, client=WHO, generation=2, limits=SMALL))
        assert (again.out, again.exit) == (b"out\n", job.exit)
    assert (tmp_path / "counter").read_text() == "x\n"


def test_a_request_repeated_on_its_own_connection_does_not_lose_the_job(server: Server) -> None:
    with server.login() as client:
        job = start(client, "cat", stdin=True)
        again = client.exec_header(job.id, client=WHO, stdin=True, limits=SMALL)
        client.send(again, b"cat\0\0")
        client.write(job, b"alive\n")
        kinds = []
        while "data" not in kinds:
            header, _ = client.receive()
            kinds.append(header.get("code", header["type"]))
            assert "no_such_job" not in kinds, kinds


OTHER_REQUESTS: dict[str, dict[str, Any]] = {
    "command": {"command": "echo other; cat"}, "directory": {"directory": "/"},
    "environment": {"environment": {"A": "1"}}, "stdin": {"stdin": False}, "combine": {"combine": True},
    "mode": {"command": ["cat"]}}


@pytest.mark.parametrize("fields", OTHER_REQUESTS.values(), ids=list(OTHER_REQUESTS))
def test_another_request_under_the_id_is_conflict(server: Server, fields: dict[str, Any]) -> None:
    with server.login() as old, server.login() as new:
        job = start(old, "cat", stdin=True)
        asked = {"command": "cat", "stdin": True, "client": WHO, "generation": 2, "limits": SMALL} | fields
        again = new.finish(new.execute(job=job.id, **asked))
        assert again.error["code"] == "conflict"
        new.ping()
        old.write(job, b"alive\n")
        show(old, job, b"alive\n")


@pytest.mark.parametrize("fields", [{"keep": 61}, {"timeout": 1000}, {"wait_eof": True}], ids=["keep", "timeout", "wait_eof"])
def test_how_long_a_job_may_take_does_not_make_another_request(server: Server, fields: dict[str, Any]) -> None:
    with server.login() as old, server.login() as new:
        job = start(old, "cat", stdin=True)
        again = new.execute("cat", job=job.id, stdin=True, client=WHO, generation=2, limits=SMALL, **fields)
        new.until(lambda: again.started or again.over)
        assert again.started["pid"] == job.started["pid"]
        new.write(again, b"alive\n")
        show(new, again, b"alive\n")


def test_a_repeated_request_of_another_key_is_another_job(server: Server) -> None:
    with server.login() as owner, server.login(STRANGER) as stranger:
        job = start(owner, "read x; echo $x", stdin=True)
        theirs = start(stranger, "read x; echo $x", job=job.id, generation=2, stdin=True)
        assert theirs.started["pid"] != job.started["pid"]
        for client, one, text in ((owner, job, b"mine\n"), (stranger, theirs, b"theirs\n")):
            client.write(one, text)
            assert client.finish(one).out == text


# Lingering


@pytest.mark.parametrize("keep", [0, 1])
def test_lingering_ends_with_all_processes(server: Server, keep: int) -> None:
    name = mark()
    client = server.login()
    job = start(client, "sleep 1000 | cat & trap : HUP; wait; echo got hup; sleep 1000",
                keep=keep, environment={name: "1"})
    wait_for(lambda: len(marked(name)) == 3, "the job to run")
    client.drop()
    wait_for(lambda: not marked(name), "the job to be gone")
    wait_for(lambda: forgotten(server, job), "the job to be forgotten")
    wait_for(lambda: f"job={job.id}" in server.log() and "reason=abandoned" in server.log(), "that to be logged")


def test_the_result_is_kept_as_long(server: Server) -> None:
    with server.login() as client:
        job = client.finish(start(client, "exit 7", keep=1))
    wait_for(lambda: forgotten(server, job), "the result to be forgotten")


def is_full(client: wire.Wire) -> bool:
    """Whether the server has as many jobs as it may have."""
    job = client.finish(client.execute("true"))
    if job.error is None:
        client.release(job)
        return False
    assert job.error["code"] == "busy"
    return True


def test_results_that_nobody_comes_for_count_as_jobs(make_server: Callable[..., Server]) -> None:
    server = make_server("--max-jobs", "2", "--threads", "2")
    kept = []
    for _ in range(2):
        with server.login() as client:
            kept.append(client.finish(start(client, COUNT, keep=3600)))
    with server.login() as client:
        wait_for(lambda: is_full(client), "both results to count")
        known = client.finish(attach(client, kept[0]))
        wait_for(lambda: not is_full(client), "the one that has a client to count no more")
        client.release(known)
        client.ping()
    with server.login() as client:
        wait_for(lambda: not is_full(client), "the one that was released to count no more")


def test_results_of_a_key_that_was_removed_are_not_kept(make_server: Callable[..., Server], make_place: Callable[..., Place]) -> None:
    place = make_place()
    gone = wire.Key("gone@here", os.urandom(32))
    ours = authorized_line(place.key) + "\n"
    place.write_authorized(ours + authorized_line(gone) + "\n")
    server = make_server("--max-jobs", "1", place=place)
    with server.login(gone) as client:
        client.finish(start(client, "true", keep=3600))
    with server.login() as client:
        wait_for(lambda: is_full(client), "the result to count")
        place.write_authorized(ours)
        wait_for(lambda: not is_full(client), "the result to go with its key")


def test_another_client_is_not_held_to_what_the_former_one_allowed(server: Server) -> None:
    with server.login() as first, server.login(acks=False) as second:
        job = start(first, "echo one; read x; echo two; read x", stdin=True)
        first.until(lambda: job.out == b"one\n")
        first.grant(job, "stdout", 1 << 40)
        first.ping()
        theirs = attach(second, job, who="another", limits={"stdout": 65536, "stderr": 65536})
        second.grant(theirs, "stdout", 1 << 20)
        second.ping()
        assert not theirs.error


def test_a_job_whose_time_is_up_does_not_wait_for_a_client_that_has_vanished(server: Server) -> None:
    client = server.login(acks=False)
    job = start(client, "yes", timeout=1, keep=1, combine=True, limits={"stdout": 65536, "stderr": 0})
    client.drop()
    wait_for(lambda: forgotten(server, job), "the job to be forgotten")



def test_the_server_caps_what_is_asked_for(make_server: Callable[..., Server]) -> None:
    server = make_server("--max-keep", "1", "--threads", "2")
    name = mark()
    with server.login() as client:
        job = start(client, "sleep 1000", keep=3600, environment={name: "1"})
        other = start(client, "sleep 1000", keep=0, environment={name: "1"})
        client.send({"type": "keep", "job": other.id, "seconds": (1 << 64) - 1})
        client.ping()
    wait_for(lambda: not marked(name), "the jobs to be gone")
    wait_for(lambda: forgotten(server, job) and forgotten(server, other), "the jobs to be forgotten")


def test_keep_prolongs(server: Server) -> None:
    name = mark()
    with server.login() as client:
        job = start(client, "cat", stdin=True, keep=0, environment={name: "1"})
        witness = start(client, "sleep 1000", keep=0, environment={f"{name}_WITNESS": "1"})
        client.send({"type": "keep", "job": job.id, "seconds": 3600})
        client.ping()
    wait_for(lambda: not marked(f"{name}_WITNESS"), "the other job to be gone")
    wait_for(lambda: forgotten(server, witness), "the other job to be forgotten")
    with server.login() as client:
        known = attach(client, job)
        client.write(known, b"alive\n")
        show(client, known, b"alive\n")
        client.send({"type": "keep", "job": job.id, "seconds": 0})
        client.ping()
    wait_for(lambda: not marked(name), "the job to be gone")


def test_attaching_ends_the_lingering(server: Server) -> None:
    """Two jobs with the same time: the one that is attached meanwhile outlives the other."""
    with server.login() as first:
        job = start(first, "cat", stdin=True, keep=1)
        witness = start(first, "sleep 1000", keep=1)
    with server.login() as client:
        known = attach(client, job)
        wait_for(lambda: forgotten(server, witness), "the other job to be forgotten")
        client.write(known, b"alive\n")
        show(client, known, b"alive\n")


def test_a_silent_client_is_dropped_and_its_job_lingers(make_server: Callable[..., Server]) -> None:
    server = make_server()
    with server.login() as silent:
        job = start(silent, f"echo up; read x; {COUNT}", stdin=True)
        with pytest.raises(wire.Closed):
            silent.until(lambda: False)
        assert job.error is None
        with server.login() as client:
            known = attach(client, job)
            client.write(known, b"go\n")
            assert client.finish(known).out == b"up\n" + NUMBERS


def test_signals_taken_are_not_delivered_twice(server: Server) -> None:
    with server.login() as first:
        job = start(first, USR_TRAPS)
        show(first, job, b"up\n")
        first.signal(job, 1, "USR1")
        show(first, job, b"up\nusr1\n")
    with server.login() as client:
        known = attach(client, job)
        assert known.attached["signals"] == 1
        client.signal(known, 1, "USR1")
        client.signal(known, 2, "USR2")
        show(client, known, b"up\nusr1\nusr2\n")
        client.signal(known, 2, "KILL")
        client.signal(known, 7, "USR1")
        show(client, known, b"up\nusr1\nusr2\nusr1\n")
    with server.login() as client:
        known = attach(client, known, 3)
        assert known.attached["signals"] == 7
        client.signal(known, 8, "KILL")
        assert client.finish(known).exit["signal"] == "KILL"


def test_signals_taken_before_another_client_had_the_job_are_not_delivered_twice(server: Server) -> None:
    with server.login() as first, server.login() as second, server.login() as third:
        job = start(first, USR_TRAPS)
        show(first, job, b"up\n")
        first.signal(job, 1, "USR1")
        show(first, job, b"up\nusr1\n")
        theirs = attach(second, job, 1, OTHER, stdout=8)
        assert theirs.attached["signals"] == 0
        second.signal(theirs, 1, "USR2")
        show(second, theirs, b"up\nusr1\nusr2\n")
        again = attach(third, theirs)
        assert again.attached["signals"] == 1
        third.signal(again, 1, "USR2")
        third.signal(again, 2, "USR1")
        show(third, again, b"up\nusr1\nusr2\nusr1\n")
        assert first.finish(job).error
        assert refusal(first, again, 1) == "conflict", "a connection from before"


@pytest.mark.parametrize("threads", ["1", "4"])
def test_lingering_jobs_do_not_hold_up_the_servers_end(make_server: Callable[..., Server],
                                                       threads: str) -> None:
    server = make_server("--threads", threads)
    name = mark()
    with server.login(acks=False) as client:
        start(client, "sleep 1000", keep=3600, environment={name: "1"})
        blocked = start(client, "yes", keep=3600, environment={name: "1"})
        client.finish(start(client, "exit 7", keep=3600))
        client.until(lambda: len(blocked.out) == 16384)
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(60) == 0
    assert not marked(name)


@pytest.mark.skipif(not MEASURE_MEMORY, reason="a sanitizer takes memory of its own")
def test_a_lingering_flood_takes_no_memory(make_server: Callable[..., Server]) -> None:
    server = make_server("--threads", "2")
    window = {"stdout": wire.MIB, "stderr": 16384}
    with server.login(acks=False) as client:
        job = start(client, "yes", limits=window)
        client.until(lambda: len(job.out) == wire.MIB)
    before = memory_kib(server.pid)
    for turn in range(2, 22):
        with server.login(acks=False) as client:
            known = attach(client, job, turn)
            client.until(lambda: len(known.out) == wire.MIB)
    assert server.serves()
    assert memory_kib(server.pid, "VmHWM") < before + 8 * 1024
