"""--batch: each line of stdin is a command, a job of its own on the one connection."""
from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from harness import RCMD, Result, Server, base_environment, mark, marked, marked_programs, process, run, unread, wait_for


def batch(server: Server, lines: str, *options: str, **more: object) -> Result:
    return server.rcmd(options=["--batch", *options], input=lines.encode(), **more)


def test_each_line_is_a_command_and_outputs_are_in_order(server: Server) -> None:
    result = batch(server, "echo one\necho two >&2\necho three\n")
    assert (result.code, result.out, result.err) == (0, b"one\nthree\n", b"two\n")


def test_lines_do_not_share_a_shell(server: Server) -> None:
    result = batch(server, "pwd\nx=1; cd /usr/bin\necho \"[$x]\"; pwd\n")
    first, second, third = result.out.splitlines()
    assert second == b"[]" and third == first != b"/usr/bin"


def test_no_lines_is_status_0(server: Server) -> None:
    result = batch(server, "")
    assert (result.code, result.out) == (0, b"")


def test_the_last_line_needs_no_newline(server: Server) -> None:
    assert batch(server, "echo one\necho two").out == b"one\ntwo\n"


def test_empty_lines_do_nothing(server: Server) -> None:
    result = batch(server, "\n\necho one\n\n   \necho two\n\n")
    assert (result.code, result.out) == (0, b"one\ntwo\n")


def test_commands_do_not_eat_the_lines(server: Server) -> None:
    assert batch(server, "cat\nhead -c 100\necho after\n").out == b"after\n"


def test_it_stops_at_the_first_failure_with_its_status(server: Server, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    result = batch(server, f"echo one\necho two; exit 7\ntouch {trace}\nexit 9\n")
    assert (result.code, result.out, result.err) == (7, b"one\ntwo\n", b"")
    assert not trace.exists()


def test_keep_going_runs_all_and_exits_with_the_first_failure(server: Server) -> None:
    result = batch(server, "exit 0\nexit 7\necho on\nexit 9\nkill -9 $$\n", "--keep-going")
    assert (result.code, result.out) == (7, b"on\n")


def test_a_signal_in_a_batch_is_128_plus_n(server: Server) -> None:
    assert batch(server, "true\nkill -9 $$\necho never\n").code == 137


def test_the_first_failure_is_the_first_line_that_failed_not_the_quickest(server: Server) -> None:
    result = batch(server, "sleep 1; exit 3\nexit 4\n", "--jobs", "2", "--keep-going")
    assert result.code == 3


def test_outputs_of_parallel_jobs_are_whole_and_in_the_order_of_the_lines(server: Server) -> None:
    lines = [f"for i in 1 2 3; do echo {n}-$i; echo e{n}-$i >&2; sleep 0.0{9 - n % 9}; done"
             for n in range(40)]
    result = batch(server, "\n".join(lines), "--jobs", "8")
    assert result.code == 0
    assert result.out.decode() == "".join(f"{n}-{i}\n" for n in range(40) for i in (1, 2, 3))
    assert result.err.decode() == "".join(f"e{n}-{i}\n" for n in range(40) for i in (1, 2, 3))


def test_jobs_really_run_at_the_same_time(server: Server, tmp_path: Path) -> None:
    # Each waits for a file that the other makes.
    a, b = tmp_path / "a", tmp_path / "b"
    lines = [f"touch {mine}; until test -e {other}; do sleep 0.02; done\n" for mine,
             other in ((a, b), (b, a))]
    assert batch(server, "".join(lines), "--jobs", "2").code == 0


def test_by_default_one_job_runs_at_a_time(server: Server, tmp_path: Path) -> None:
    busy = tmp_path / "busy"
    line = f"mkdir {busy} && sleep 0.1 && rmdir {busy}\n"
    assert batch(server, line * 8).code == 0


def test_a_later_job_with_much_output_waits_and_is_complete(server: Server) -> None:
    size = 9_000_000
    result = batch(server, f"sleep 1; echo first\nyes | head -c {size}\nyes n | head -c {size}\necho last\n",
                   "--jobs", "4")
    assert result.code == 0
    assert result.out == b"first\n" + b"y\n" * (size // 2) + b"n\n" * (size // 2) + b"last\n"


def test_output_of_the_first_job_does_not_wait_for_its_end(server: Server) -> None:
    with server.start_rcmd(options=["--batch"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as client:
        client.stdin.write(b"echo early; read never; sleep 1000\n")
        client.stdin.close()
        assert client.stdout.readline() == b"early\n"


def test_a_line_is_run_when_it_arrives(server: Server) -> None:
    with server.start_rcmd(options=["--batch"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as client:
        for number in range(3):
            client.stdin.write(b"echo %d\n" % number)
            client.stdin.flush()
            assert client.stdout.readline() == b"%d\n" % number
        client.stdin.close()
        assert client.wait(60) == 0


def test_the_next_line_runs_when_another_client_has_taken_the_job_of_one(server: Server, tmp_path: Path) -> None:
    """It had been asked for already, to follow that job, whose end this client never hears."""
    gate = tmp_path / "gate"
    with server.start_rcmd(options=["--batch", "--keep-going"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE) as client:
        client.stdin.write(f"echo $RCMD_JOB; until [ -e {gate} ]; do sleep 0.05; done\necho second\n".encode())
        client.stdin.close()
        job = client.stdout.readline().decode().strip()
        with process(RCMD, "attach", server.host, job, env=base_environment(server.place.home)) as taker:
            assert client.stdout.readline() == b"second\n"
            assert client.wait(60) == 255
            assert b"another client" in client.stderr.read()
            gate.touch()
            assert taker.wait(60) == 0


def test_json_gives_one_object_a_line_in_order(server: Server) -> None:
    result = batch(server, "sleep 0.3; echo one\nexit 3\necho three >&2\n", "--json", "--jobs", "3",
                   "--keep-going")
    assert result.code == 3
    objects = [json.loads(line) for line in result.out.splitlines()]
    assert [(o["code"], o["stdout"], o["stderr"]) for o in objects] == [(0, "one\n", ""), (3, "", ""),
                                                                        (0, "", "three\n")]
    assert len({o["job"] for o in objects}) == 3


def test_a_signal_reaches_the_jobs_while_nobody_reads_the_json(server: Server) -> None:
    """A pager that shows the beginning of an object keeps no job from being ended, nor the connection from being looked after."""
    name = mark()
    with server.start_rcmd(options=["--batch", "--json", "--jobs", "2", "-e", f"{name}=1"], stdin=subprocess.PIPE,
                           stdout=subprocess.PIPE) as client:
        client.stdin.write(b"yes | head -c 300000\nsleep 1000\n")
        client.stdin.close()
        wait_for(lambda: unread(client.stdout) >= 65536, "the pipe to be full")
        wait_for(lambda: "sleep" in marked_programs(name), "the second job to run")
        client.send_signal(signal.SIGTERM)
        wait_for(lambda: not marked(name), "the second job to end")
        objects = [json.loads(line) for line in client.stdout]
        assert client.wait(60) == 128 + signal.SIGTERM
    assert [each["stdout"] for each in objects] == ["y\n" * 150_000, ""]
    assert objects[1]["signal"] == "TERM"


def test_all_lines_use_one_connection(server: Server) -> None:
    clients = batch(server, "echo $RCMD_CLIENT\n" * 5)
    assert clients.code == 0
    assert len(clients.out.splitlines()) == 5 and len(set(clients.out.splitlines())) == 1


def test_a_line_over_the_limit_of_a_request_is_126_and_the_others_run(server: Server) -> None:
    result = batch(server, "echo one\necho " + "x" * 300_000 + "\necho two\n", "--keep-going")
    assert (result.code, result.out) == (126, b"one\ntwo\n")


def test_after_a_line_over_the_limit_no_more_are_started(server: Server, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    result = batch(server, "echo one\necho " + "x" * 300_000 + f"\ntouch {trace}\n")
    assert (result.code, result.out) == (126, b"one\n")
    assert not trace.exists()


@pytest.mark.parametrize("options", [[], ["--jobs", "2"]], ids=["one", "two"])
def test_nothing_of_a_line_over_the_limit_is_run(server: Server, tmp_path: Path, options: list[str]) -> None:
    lines = ": " + "x" * 262_143 + f"touch {tmp_path}/tail #" + "y" * 400_000 + "\necho last\n: " + "z" * 600_000
    result = batch(server, lines, "--keep-going", *options)
    assert (result.code, result.out) == (126, b"last\n")
    assert result.err.count(b"not started") == 2 and os.listdir(tmp_path) == []



def test_events_of_one_line_come_before_those_of_the_next(server: Server, tmp_path: Path) -> None:
    with (tmp_path / "events").open("w+b") as events:
        result = batch(server, "true\necho x\ntrue\nfalse\n" * 3, "--keep-going", "--status-fd",
                       str(events.fileno()), pass_fds=[events.fileno()])
        events.seek(0)
        told = [json.loads(line) for line in events]
    assert result.code == 1
    assert [(each["event"], each.get("job")) for each in told[1:]] == [
        (kind, each["job"]) for each in told[2::2] for kind in ("started", "exit")]
    assert len({each["job"] for each in told[1:]}) == 12


def test_lines_may_hold_any_bytes_but_nul(server: Server) -> None:
    result = server.rcmd(options=["--batch"], input=b"printf %s '\xff\xfe'\n")
    assert (result.code, result.out) == (0, b"\xff\xfe")
    result = server.rcmd(options=["--batch"], input=b"echo a\0b\n")
    assert result.code != 0 and result.message.startswith("rcmd: ")


def test_wrong_numbers_of_jobs_are_refused(server: Server) -> None:
    for wrong in ("0", "-1", "x", ""):
        result = batch(server, "echo x\n", f"--jobs={wrong}")
        assert (result.code, result.out) == (255, b""), wrong


def test_ctrl_c_ends_the_running_job_and_starts_no_further_one(server: Server, tmp_path: Path) -> None:
    name, trace = mark(), tmp_path / "trace"
    with server.start_rcmd(options=["--batch", "-e", f"{name}=1"], stdin=subprocess.PIPE) as client:
        client.stdin.write(f"sleep 1000\ntouch {trace}\n".encode())
        client.stdin.close()
        wait_for(lambda: "sleep" in marked_programs(name), "the first job to run")
        client.send_signal(2)
        assert client.wait(60) == 130
    assert not trace.exists() and not marked(name)


def test_lines_that_a_signal_kept_from_running_are_no_success(server: Server, tmp_path: Path) -> None:
    """Although the line that ran when it came ended well."""
    go, trace = tmp_path / "go", tmp_path / "trace"
    first = f"trap 'echo caught' TERM; echo ready; while [ ! -e {go} ]; do sleep 0.05; done"
    with server.start_rcmd(options=["--batch"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as client:
        client.stdin.write(f"{first}\ntouch {trace}\n".encode())
        client.stdin.close()
        assert client.stdout.readline() == b"ready\n"
        client.send_signal(signal.SIGTERM)
        assert client.stdout.readline() == b"caught\n"
        go.touch()
        assert client.wait(60) == 128 + signal.SIGTERM
    assert not trace.exists()


def test_when_no_line_can_be_read_no_command_was_started(server: Server, tmp_path: Path) -> None:
    directory = os.open(tmp_path, os.O_RDONLY)
    try:
        result = server.rcmd(options=["--batch"], stdin=directory)
    finally:
        os.close(directory)
    assert result.code == 255 and "Is a directory" in result.message
    assert "the command was not started" in result.message


def test_a_batch_without_a_server_is_255(server: Server) -> None:
    environment = base_environment(server.place.home)
    result = run(RCMD, "--batch", "127.0.0.1:1", input=b"echo x\n", env=environment)
    result.failed_by_itself()
