"""--json and --status-fd: what programs read instead of people."""
from __future__ import annotations

import json
import os
import signal
import subprocess
from contextlib import suppress
from typing import Any

import pytest

from harness import Server, from_base64, mark, marked, run_rcmd, wait_for

FIELDS = {"host", "job", "reason", "started", "stdout", "stderr", "bytes", "seconds"}


def with_events(server: Server, *words: str, options: list[str] | None = None,
                **more: Any) -> tuple[Any, list[dict[str, Any]]]:
    """Runs the client with --status-fd and returns its result and the events."""
    read_end, write_end = os.pipe()
    result = server.rcmd(*words, options=["--status-fd", str(write_end), *(options or [])],
                         pass_fds=[write_end],
                         **more)
    os.close(write_end)
    with os.fdopen(read_end) as lines:
        return result, [json.loads(line) for line in lines]


def test_one_object_tells_all_of_a_command(server: Server) -> None:
    result = server.rcmd("cat; echo err >&2; exit 3", options=["--json"], input=b"in\n")
    report = result.json
    assert result.code == 3 and result.err == b""
    assert FIELDS | {"code"} == set(report)
    assert "127.0.0.1" in report["host"] and report["reason"] == "exited" and report["started"] is True
    assert (report["code"], report["stdout"], report["stderr"]) == (3, "in\n", "err\n")
    assert report["bytes"] == {"stdin": 3, "stdout": 3, "stderr": 4}
    assert isinstance(report["seconds"], float) and 0 <= report["seconds"] < 60


def test_a_signal_is_named(server: Server) -> None:
    result = server.rcmd("kill -9 $$", options=["--json"])
    assert result.code == 137
    assert result.json["signal"] == "KILL" and "code" not in result.json


def test_a_timeout_is_the_reason(server: Server) -> None:
    result = server.rcmd("sleep 1000", options=["--json", "--timeout", "1"])
    assert result.code == 124
    assert result.json["reason"] == "timeout" and result.json["seconds"] >= 0.9


def test_bytes_that_are_not_utf8_are_base64(server: Server) -> None:
    report = server.rcmd(r"printf '\377\000a'; printf 'ok\303\274' >&2", options=["--json"]).json
    assert from_base64(report["stdout_base64"]) == b"\xff\0a"
    assert "stdout" not in report and report["stderr"] == "okü"


@pytest.mark.parametrize("sequence", [r"\300\200", r"\355\240\200", r"\364\220\200\200", r"\303", r"\200"])
def test_what_only_resembles_utf8_is_base64(server: Server, sequence: str) -> None:
    report = server.rcmd(f"printf '{sequence}'", options=["--json"]).json
    expected = sequence.encode().decode("unicode_escape").encode("latin-1")
    assert from_base64(report["stdout_base64"]) == expected


def test_control_characters_come_back_through_json(server: Server) -> None:
    report = server.rcmd(r"""printf '\001\033\b\n\t"\\\\\177'""", options=["--json"]).json
    assert report["stdout"] == "\x01\x1b\b\n\t\"\\\\\x7f"


def test_much_output_is_complete(server: Server) -> None:
    report = server.rcmd("yes | head -c 5000000", options=["--json"]).json
    assert report["stdout"] == "y\n" * 2_500_000


def test_combine_leaves_stderr_empty(server: Server) -> None:
    report = server.rcmd("echo a; echo b >&2", options=["--json", "--combine"]).json
    assert (report["stdout"], report["stderr"], report["bytes"]["stderr"]) == ("a\nb\n", "", 0)


def test_a_failure_of_rcmd_has_an_error_and_says_that_nothing_started(server: Server) -> None:
    result = run_rcmd(server.place, "--json", "127.0.0.1:1", "echo x")
    report = result.json
    assert result.code == 255
    assert report["started"] is False and set(report["error"]) == {"code", "message"}
    assert "127.0.0.1" in report["error"]["message"]


def test_a_cwd_that_does_not_exist_is_an_error_with_its_code(server: Server) -> None:
    result = server.rcmd("echo x", options=["--json", "--cwd", "/no/such/place"])
    assert result.code == 255
    assert result.json["error"]["code"] == "no_directory" and result.json["started"] is False


@pytest.mark.parametrize(("program", "code", "status"), [("no-such-program", "not_found", 127),
                                                         ("/etc/passwd", "not_executable", 126)])
def test_a_program_that_cannot_run_has_its_code(server: Server, program: str, code: str,
                                                status: int) -> None:
    result = server.rcmd(program, options=["--json", "--argv"])
    assert result.code == status
    assert result.json["error"]["code"] == code and result.json["started"] is False


def test_events_of_a_command_in_order(server: Server) -> None:
    result, events = with_events(server, "echo $$; exit 4")
    assert [event["event"] for event in events] == ["connected", "started", "exit"]
    connected, started, ended = events
    assert result.code == ended["code"] == 4
    assert started["job"] == ended["job"] and started["pid"] == int(result.out)
    assert "signal" not in ended


def test_events_of_a_killed_command_name_the_signal(server: Server) -> None:
    _, events = with_events(server, "kill -TERM $$")
    assert events[-1]["event"] == "exit" and events[-1]["signal"] == "TERM" and "code" not in events[-1]


def test_events_of_a_failure(server: Server) -> None:
    result, events = with_events(server, "echo x", options=["--cwd", "/no/such/place"])
    assert result.code == 255
    assert [event["event"] for event in events] == ["connected", "error"]
    assert (events[1]["code"], events[1]["started"]) == ("no_directory", False)
    assert "/no/such/place" in events[1]["message"]


def test_events_while_the_command_runs(server: Server) -> None:
    read_end, write_end = os.pipe()
    options = ["--status-fd", str(write_end)]
    with server.start_rcmd("sleep 1000", options=options, pass_fds=[write_end]) as client:
        os.close(write_end)
        with os.fdopen(read_end) as lines:
            assert json.loads(lines.readline())["event"] == "connected"
            started = json.loads(lines.readline())
            assert started["event"] == "started"
            os.kill(started["pid"], 9)
            assert json.loads(lines.readline())["signal"] == "KILL"
            assert client.wait(60) == 137


@pytest.mark.parametrize("batch", [False, True], ids=["one", "batch"])
def test_a_signal_reaches_the_command_while_nobody_reads_the_events(server: Server, batch: bool) -> None:
    name, (read_end, write_end) = mark(), os.pipe()
    os.set_blocking(write_end, False)
    with suppress(BlockingIOError):
        while os.write(write_end, b"\n" * 4096):
            pass
    os.set_blocking(write_end, True)
    options = ["-e", f"{name}=1", "--status-fd", str(write_end), *(["--batch"] if batch else [])]
    words = [] if batch else ["exec sleep 1000"]
    with server.start_rcmd(*words, options=options, stdin=subprocess.PIPE, pass_fds=[write_end]) as client:
        os.close(write_end)
        if batch:
            client.stdin.write(b"exec sleep 1000\n")
        client.stdin.close()
        wait_for(lambda: marked(name), "the command to run")
        client.send_signal(signal.SIGTERM)
        wait_for(lambda: not marked(name), "the command to end")
        with os.fdopen(read_end) as lines:
            events = [json.loads(line)["event"] for line in lines if line != "\n"]
        assert client.wait(60) == 128 + signal.SIGTERM
    assert events == ["connected", "started", "exit"]


@pytest.mark.parametrize("batch", [False, True], ids=["one", "batch"])
def test_the_end_of_a_command_is_an_event_before_its_object_is_read(server: Server, batch: bool) -> None:
    read_end, write_end = os.pipe()
    command = "yes | head -c 300000"
    options = ["--json", "--status-fd", str(write_end), *(["--batch"] if batch else [])]
    with server.start_rcmd(*([] if batch else [command]), options=options, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                           pass_fds=[write_end]) as client:
        os.close(write_end)
        if batch:
            client.stdin.write(f"{command}\n".encode())
        client.stdin.close()
        with os.fdopen(read_end) as lines:
            assert [json.loads(lines.readline())["event"] for _ in range(3)] == ["connected", "started", "exit"]
            assert json.loads(client.stdout.read())["stdout"] == "y\n" * 150_000
        assert client.wait(60) == 0


def test_the_status_descriptor_is_not_mixed_with_the_output(server: Server) -> None:
    result, events = with_events(server, "echo out", options=["--json"])
    assert result.json["stdout"] == "out\n" and len(events) == 3


@pytest.mark.parametrize("wrong", ["x", "-1", "4711", ""])
def test_a_status_descriptor_that_is_none_is_refused_before_anything_runs(server: Server, wrong: str,
                                                                         tmp_path: object) -> None:
    trace = f"{tmp_path}/trace"
    result = server.rcmd(f"touch {trace}", options=[f"--status-fd={wrong}"])
    result.failed_by_itself()
    assert not os.path.exists(trace)
