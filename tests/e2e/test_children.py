"""What a command finds around it: descriptors, signals, session, environment, limits."""
from __future__ import annotations

import json
import os
import re
import resource
import signal
from concurrent.futures import ThreadPoolExecutor
from typing import Callable

import pytest

from harness import Server, mark, marked, wait_for

ALLOWED = {"HOME", "USER", "LOGNAME", "SHELL", "PATH", "LANG", "RCMD_JOB", "RCMD_KEY", "RCMD_CLIENT"}
TOGETHER = 64
OF_THE_C_LIBRARY = 1 << 31 | 1 << 32  # signals 32 and 33, which nobody else can set: glibc's posix_spawn() ignores them in what it starts


def listed_descriptors(text: bytes) -> list[str]:
    """The numbers in the output of `ls -l /proc/self/fd`, and that the last is the one of ls itself."""
    names = [line for line in text.decode().splitlines() if " -> " in line]
    assert re.search(r" 3 -> /proc/\d+/fd$", names[-1]), text
    return [line.rsplit(" -> ")[0].split()[-1] for line in names]


def test_a_child_has_descriptors_0_1_2_only(server: Server) -> None:
    result = server.rcmd("ls", "-l", "/proc/self/fd", options=["--argv"])
    assert listed_descriptors(result.out) == ["0", "1", "2", "3"]


def test_a_child_has_descriptors_0_1_2_only_with_64_clients_starting_at_a_time(server: Server) -> None:
    def one(_: int) -> list[str]:
        return listed_descriptors(server.rcmd("ls", "-l", "/proc/self/fd", options=["--argv"]).out)

    with ThreadPoolExecutor(TOGETHER) as pool:
        for numbers in pool.map(one, range(2 * TOGETHER)):
            assert numbers == ["0", "1", "2", "3"]


def test_a_child_has_descriptors_0_1_2_only_with_64_jobs_on_one_connection(server: Server) -> None:
    lines = b"ls /proc/self/fd | tr '\\n' ' '; echo\n" * (2 * TOGETHER)
    result = server.rcmd(options=["--batch", "--jobs", str(TOGETHER)], input=lines)
    assert result.code == 0, result.message
    assert result.out == b"0 1 2 3 \n" * (2 * TOGETHER)


def hostile_start() -> None:
    """A parent that ignores and blocks signals, as nohup and some supervisors do."""
    for number in (signal.SIGHUP, signal.SIGPIPE, signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2, signal.SIGCHLD, signal.SIGALRM])


@pytest.mark.parametrize("options", [[], ["-tt"], ["-n", "--job", "durable"]], ids=["pipes", "terminal", "durable"])
def test_no_signal_is_ignored_or_blocked_in_a_child(make_server: Callable[..., Server], options: list[str]) -> None:
    for server in (make_server(), make_server(preexec=hostile_start)):
        status = server.rcmd("cat", "/proc/self/status", options=["--argv", *options]).out.decode()
        for name in ("SigIgn", "SigBlk"):
            mask = int(re.search(rf"^{name}:\s+([0-9a-f]+)\r?$", status, re.M)[1], 16)
            assert mask & ~OF_THE_C_LIBRARY == 0, (name, status)


def test_a_child_leads_a_session_and_a_process_group_of_its_own(server: Server) -> None:
    numbers = server.rcmd("echo $$; ps -o pid=,pgid=,sid=,tty= -p $$").out.split()
    assert len(numbers) == 5 and len(set(numbers[:4])) == 1 and numbers[4] == b"?"


def test_the_environment_is_clean(make_server: Callable[..., Server]) -> None:
    server = make_server(env={"SECRET_OF_THE_DAEMON": "1", "LD_BIND_NOW": "1", "RCMD_STRAY": "1"})
    text = server.rcmd("env", "-0", options=["--argv", "-e", "MINE=yes"], env={"LOCAL_ONLY": "1"}).out
    found = dict(item.split("=", 1) for item in text.decode().rstrip("\0").split("\0"))
    assert found.pop("MINE") == "yes"
    assert set(found) <= ALLOWED, set(found) - ALLOWED
    assert set(found) >= ALLOWED - {"LANG"}
    assert found["RCMD_KEY"] == server.place.key.key_id
    assert "127.0.0.1" in found["RCMD_CLIENT"]
    assert found["USER"] == found["LOGNAME"]
    assert os.path.isabs(found["SHELL"]) and os.path.isabs(found["HOME"])


def test_rcmd_job_is_the_id_of_the_job(server: Server) -> None:
    report = server.rcmd("printf %s $RCMD_JOB", options=["--json"]).json
    assert report["stdout"] == report["job"] != ""


def test_a_request_cannot_set_rcmd_variables(server: Server) -> None:
    result = server.rcmd("echo ran", options=["-e", "RCMD_KEY=root"])
    result.failed_by_itself()
    assert result.out == b"" and "RCMD_KEY" in result.message


def test_a_request_may_set_the_standard_variables(server: Server) -> None:
    assert server.rcmd("echo $LANG $FOO", options=["-e", "LANG=C", "-e", "FOO=1"]).out == b"C 1\n"


def test_a_child_has_the_limit_of_descriptors_that_the_server_was_started_with(
        make_server: Callable[..., Server]) -> None:
    def lowered() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (500, 4000))

    server = make_server(preexec=lowered)
    assert server.rcmd("ulimit -Sn; ulimit -Hn").out.split() == [b"500", b"4000"]


def test_the_umask_is_the_one_that_the_server_was_started_with(make_server: Callable[..., Server]) -> None:
    server = make_server(preexec=lambda: os.umask(0o027))
    assert server.rcmd("umask").out.strip() in (b"0027", b"027")


def test_stdin_of_a_command_without_input_is_at_its_end(server: Server) -> None:
    assert server.rcmd("cat; echo end", options=["-n"]).out == b"end\n"


def test_a_child_dies_with_the_server(make_server: Callable[..., Server]) -> None:
    server = make_server()
    name = mark()
    with server.start_rcmd("sleep", "1000", options=["--argv", "-e", f"{name}=1"]) as client:
        wait_for(lambda: marked(name), "the command to run")
        server.kill()
        wait_for(lambda: not marked(name), "the command to be gone")
        assert client.wait(120) == 255


def test_the_exit_event_comes_with_the_pid_of_the_commands_process(server: Server) -> None:
    read_end, write_end = os.pipe()
    result = server.rcmd("echo $$", options=["--status-fd", str(write_end)], pass_fds=[write_end])
    os.close(write_end)
    with os.fdopen(read_end) as lines:
        events = [json.loads(line) for line in lines]
    assert [event["event"] for event in events] == ["connected", "started", "exit"]
    assert events[1]["pid"] == int(result.out)
