"""Windows, offsets and turns: streams as the protocol describes them, seen by another client."""
from __future__ import annotations

import os
import time

import pytest

import wire
from harness import Server, mark, marked, marked_programs, process_state, wait_for

SMALL = {"stdout": 16384, "stderr": 16384}


def quiet(client: wire.Wire) -> None:
    """Takes messages until none has come for a while; data beyond a window fails when it is taken."""
    client.ping()
    while not client.silent(0.7):
        client.pump()


@pytest.mark.parametrize("window", [16384, 16385, 65536, 100_000, wire.MIB])
def test_a_server_sends_exactly_its_window_and_waits(server: Server, window: int) -> None:
    with server.login(acks=False) as client:
        job = client.begin("yes", limits={"stdout": window, "stderr": 16384})
        client.until(lambda: len(job.out) >= window)
        quiet(client)
        assert len(job.out) == window
        client.grant(job, "stdout", window + 777)
        client.until(lambda: len(job.out) >= window + 777)
        quiet(client)
        assert job.out == (b"y\n" * (window + 777))[:window + 777]


def test_a_limit_over_the_greatest_window_gains_nothing(server: Server) -> None:
    with server.login(acks=False) as client:
        job = client.begin("yes", limits={"stdout": 4 * wire.MIB, "stderr": 16384})
        client.until(lambda: len(job.out) >= wire.MIB)
        quiet(client)
        assert len(job.out) == wire.MIB


def test_each_stream_has_a_window_of_its_own(server: Server) -> None:
    with server.login(acks=False) as client:
        job = client.begin("yes & echo error >&2; wait", limits=SMALL)
        client.until(lambda: len(job.out) == 16384 and job.err == b"error\n")


def test_a_pipe_left_full_is_read_to_its_last_byte_long_after_the_exit(server: Server) -> None:
    size = 16384 + 65536 - 1000  # the window and almost the whole pipe
    with server.login(acks=False) as client:
        job = client.begin(["head", "-c", str(size), "/dev/zero"], limits=SMALL)
        client.until(lambda: len(job.out) == 16384)
        wait_for(lambda: process_state(job.started["pid"]) in ("Z", ""), "the process to have ended")
        time.sleep(2)  # longer than a job's output may be quiet after its exit
        client.ping()
        assert not job.over
        client.acks = True
        client.grant(job, "stdout", 2 * 16384)
        client.finish(job)
        assert job.out == b"\0" * size and job.exit["code"] == 0 and job.exit["stdout"] == size


def test_two_jobs_on_one_connection_share_it_and_are_not_mixed(server: Server) -> None:
    with server.login(acks=False) as client:
        jobs = [client.begin(f"yes {name}", limits=SMALL) for name in "ab"]
        client.until(lambda: all(len(job.out) == 16384 for job in jobs))
        client.acks = True
        for job in jobs:
            client.grant(job, "stdout", 32768)
        frames = {job.id: 0 for job in jobs}
        while min(frames.values()) < 100:
            header = client.pump()
            if header["type"] == "data":
                frames[header["job"]] += 1
            assert max(frames.values()) < 10_000, f"one job starves: {frames}"
        for job, name in zip(jobs, (b"a\n", b"b\n")):
            assert job.out == (name * len(job.out))[:len(job.out)]


def test_control_is_served_while_data_is_blocked(server: Server) -> None:
    name = mark()
    with server.login(acks=False) as client:
        blocked = client.begin("yes", limits=SMALL, environment={name: "1"})
        client.until(lambda: len(blocked.out) == 16384)
        client.ping()
        assert client.finish(client.execute("echo other; exit 3", limits=SMALL)).out == b"other\n"
        client.signal(blocked, 1, "KILL")
        wait_for(lambda: not marked(name), "the blocked job to be gone")
        assert not blocked.over, "exit came before the last output byte"
        client.acks = True
        client.grant(blocked, "stdout", 2 * 16384)
        assert client.finish(blocked).exit["signal"] == "KILL"


def test_a_client_that_reads_nothing_at_all_holds_up_nobody(server: Server) -> None:
    with server.login(acks=False) as deaf:
        for _ in range(2):
            deaf.execute("yes", limits={"stdout": wire.MIB, "stderr": wire.MIB})
        for _ in range(3):
            assert server.serves()


def test_stdin_is_taken_up_to_its_limit_and_acknowledged_when_written(server: Server) -> None:
    with server.login() as client:
        job = client.begin("read go; cat", stdin=True, limits={"stdout": wire.MIB, "stderr": 16384})
        first = job.stdin_limit
        assert 0 < first <= wire.MIB
        sent = bytearray(b"go\n")
        client.write(job, b"go\n")
        while len(sent) < 3 * wire.MIB:
            client.until(lambda: job.stdin_limit > job.sent)
            piece = os.urandom(min(65536, job.stdin_limit - job.sent))
            client.write(job, piece)
            sent += piece
        client.end_stdin(job)
        client.finish(job)
        assert job.out == bytes(sent[3:])
        assert job.exit["stdin"] == len(sent)


def test_stdin_that_nobody_reads_is_not_acknowledged(server: Server) -> None:
    with server.login() as client:
        job = client.begin("sleep 1000", stdin=True)
        while job.sent < job.stdin_limit:
            client.write(job, b"x" * min(65536, job.stdin_limit - job.sent))
        quiet_until = time.monotonic() + 1
        while time.monotonic() < quiet_until:
            client.ping()
        assert job.acknowledged <= 65536, "more than a pipe holds was called written"


def test_the_last_bytes_are_acknowledged_although_no_quarter_is_full(server: Server) -> None:
    with server.login() as client:
        job = client.begin("cat >/dev/null; sleep 1000", stdin=True)
        client.write(job, b"a few")
        client.until(lambda: job.acknowledged == 5)


def test_eof_arrives_and_an_empty_stdin_is_one(server: Server) -> None:
    with server.login() as client:
        job = client.begin("wc -c", stdin=True)
        client.end_stdin(job)
        client.finish(job)
        assert job.out.strip() == b"0" and job.exit["stdin"] == 0


def test_eof_of_both_streams_and_totals_come_before_exit(server: Server) -> None:
    with server.login() as client:
        job = client.finish(client.execute("echo out; echo error >&2"))
        assert job.ended == {"stdout": 4, "stderr": 6}
        assert (job.exit["stdout"], job.exit["stderr"], job.exit["open"]) == (4, 6, False)


def test_exit_says_when_another_process_still_holds_the_output(server: Server) -> None:
    with server.login() as client:
        job = client.finish(client.execute("sleep 60 & echo x"))
        assert job.exit["open"] is True and job.out == b"x\n"


def test_combine_puts_everything_into_stdout(server: Server) -> None:
    with server.login() as client:
        job = client.finish(client.execute("echo a; echo b >&2", combine=True,
                                           limits={"stdout": 16384, "stderr": 0}))
        assert (job.out, job.err, job.exit["stderr"]) == (b"a\nb\n", b"", 0)


def test_stop_of_stdout_closes_the_commands_pipe(server: Server) -> None:
    with server.login() as client:
        job = client.begin(["yes"], limits=SMALL)
        client.until(lambda: job.out)
        job.stopping.add("stdout")
        client.send({"type": "stop", "job": job.id, "stream": "stdout"})
        assert client.finish(job).exit["signal"] == "PIPE"


def test_a_command_that_closes_its_stdin_makes_the_server_send_stop(server: Server) -> None:
    with server.login() as client:
        job = client.begin("exec 0<&-; echo closed; sleep 1000", stdin=True)
        client.until(lambda: job.out == b"closed\n")
        client.write(job, b"for nobody")
        client.until(lambda: job.stopped)
        client.signal(job, 1, "KILL")
        client.finish(job)


def test_data_under_way_after_the_jobs_end_is_no_crime(server: Server) -> None:
    with server.login() as client:
        job = client.begin("exit 4", stdin=True)
        client.write(job, b"x" * 1000)
        assert client.finish(job).exit["code"] == 4
        client.write(job, b"y" * 1000)
        client.end_stdin(job)
        client.ping()


def test_signals_are_numbered_and_an_old_number_is_ignored(server: Server) -> None:
    with server.login() as client:
        command = "trap 'echo usr1' USR1; trap 'echo usr2' USR2; echo up; while :; do sleep 0.05; done"
        job = client.begin(command)
        client.until(lambda: job.out == b"up\n")
        client.signal(job, 1, "USR1")
        client.until(lambda: job.out == b"up\nusr1\n")
        client.signal(job, 1, "KILL")  # already taken
        client.signal(job, 2, "USR2")
        client.until(lambda: job.out == b"up\nusr1\nusr2\n")
        client.signal(job, 2, "KILL")
        client.signal(job, 1, "KILL")
        client.ping()
        assert not job.over
        client.signal(job, 3, "KILL")
        assert client.finish(job).exit["signal"] == "KILL"


def test_a_timeout_is_the_reason_of_the_exit(server: Server) -> None:
    with server.login() as client:
        job = client.finish(client.execute(["sleep", "1000"], timeout=1))
        assert (job.exit["reason"], job.exit["signal"]) == ("timeout", "TERM")


def test_a_job_that_is_not_to_be_kept_ends_with_its_connection(server: Server) -> None:
    for leave in (wire.Wire.close, wire.Wire.drop):
        name = mark()
        client = server.login()
        client.begin("sleep 1000 | cat", environment={name: "1"}, keep=0)
        wait_for(lambda: set(marked_programs(name)) >= {"sleep", "cat"}, "the job to run")
        leave(client)
        wait_for(lambda: not marked(name), "the job to be gone")


def test_usage_tells_what_the_job_took(server: Server) -> None:
    with server.login() as client:
        job = client.finish(client.execute("i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done"))
        usage = job.exit["usage"]
        assert usage["user_us"] > 1000 and usage["wall_us"] > 1000 and usage["max_rss_kib"] > 100


@pytest.mark.parametrize("name", ["NONSENSE", "SIGTERM", "15", "", "term"])
def test_a_signal_that_does_not_exist_ends_the_connection(server: Server, name: str) -> None:
    with server.login() as client:
        job = client.begin("sleep 1000", limits=SMALL)
        header = {"type": "signal", "job": job.id, "number": 1, "name": name}
        assert client.answer_to(wire.frame(header))["code"] == "bad_message"
    assert server.serves()


def test_the_end_of_an_output_is_said_also_while_the_command_goes_on(server: Server) -> None:
    with server.login() as client:
        job = client.begin("exec >&-; echo closed >&2; read line; exec 2>&-; read line", stdin=True)
        client.until(lambda: "stdout" in job.ended and job.err == b"closed\n")
        assert "stderr" not in job.ended and not job.over
        client.end_stdin(job)
        client.finish(job)
        assert set(job.ended) == {"stdout", "stderr"}
