"""The daemon itself: starting, the background, ending, and its limits."""
from __future__ import annotations

import fcntl
import os
import re
import signal
import socket
import stat
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import Callable, Iterator

import pytest

import wire
from harness import (AS_ROOT, DEADLINE, RCMD_SERVER, Place, Server, base_environment, mark, marked, process,
                     process_state, run,
                     run_rcmd, run_server, wait_for)


SMALL = {"stdout": 16384, "stderr": 16384}


@contextmanager
def daemon(place: Place, *options: str) -> Iterator[tuple[int, str]]:
    """A server in the background: its pid and address; it is ended with the block."""
    pid_file = place.root / "pid"
    started = run_server(place, "--daemon", "--pid-file", str(pid_file), *options)
    assert started.code == 0, started.message
    pid = int(pid_file.read_text())
    try:
        match = re.fullmatch(rb"listening on (127\.0\.0\.1:\d+)\n", started.out)
        assert match, started.out
        yield pid, match.group(1).decode()
    finally:
        if process_state(pid):
            os.kill(pid, signal.SIGTERM)
        wait_for(lambda: process_state(pid) in ("", "Z"), "the daemon to end")


def test_a_daemon_serves_when_its_parent_has_returned_and_ends_on_sigterm(
        make_place: Callable[..., Place]) -> None:
    place = make_place()
    log = place.root / "log"
    with daemon(place, "--log-file", str(log)) as (pid, host):
        assert run_rcmd(place, host, "echo served").out == b"served\n"
        assert os.getsid(pid) != os.getsid(0), "it stayed in the session of its parent"
        assert os.readlink(f"/proc/{pid}/cwd") == "/"
        for descriptor in (0, 1, 2):
            assert os.readlink(f"/proc/{pid}/fd/{descriptor}") in ("/dev/null", str(log))
        wait_for(lambda: "echo served" in log.read_text(), "the command in the log file")
    assert not (place.root / "pid").exists(), "the pid file outlives its daemon"


def test_a_daemon_that_cannot_start_says_so_and_fails(make_place: Callable[..., Place]) -> None:
    place = make_place()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        result = run_server(place, "--daemon", "--pid-file", str(place.root / "pid"), "--listen", address)
    assert result.code == 1 and address in result.message


def test_a_second_daemon_leaves_the_pid_file_of_the_first_alone(make_place: Callable[..., Place]) -> None:
    first, second = make_place(), make_place()
    pid_file = first.root / "pid"
    with daemon(first) as (pid, _):
        refused = run_server(second, "--daemon", "--pid-file", str(pid_file))
        assert refused.code == 1 and str(pid_file) in refused.message and f"process {pid};" in refused.message
        assert int(pid_file.read_text()) == pid


def test_a_pid_file_that_was_left_behind_is_taken(make_place: Callable[..., Place]) -> None:
    place = make_place()
    pid_file = place.root / "pid"
    pid_file.write_text("1234567890\n")
    with pid_file.open() as somebody:
        fcntl.lockf(somebody, fcntl.LOCK_SH)  # whoever may read it can do that
        with daemon(place) as (pid, _):
            assert process_state(pid)


def test_a_daemon_leaves_a_pid_file_alone_that_took_the_place_of_its_own(make_place: Callable[..., Place]) -> None:
    place = make_place()
    pid_file = place.root / "pid"
    with daemon(place):
        pid_file.unlink()
        pid_file.write_text("another one's\n")
    assert pid_file.read_text() == "another one's\n"


def test_a_second_daemon_on_the_same_state_directory_is_refused(server: Server) -> None:
    result = run_server(server.place)
    assert (result.code, result.out) == (1, b"")
    assert str(server.place.state) in result.message
    assert server.serves()


def test_a_port_in_use_is_named(make_place: Callable[..., Place], server: Server) -> None:
    result = run_server(make_place(), "--listen", server.host)
    assert (result.code, result.out) == (1, b"")
    assert server.host in result.message
    assert server.serves()


def test_several_addresses_are_listened_on(make_place: Callable[..., Place]) -> None:
    place = make_place()
    command = [RCMD_SERVER, "--authorized-keys", str(place.authorized_keys), "--state-dir", str(place.state),
               "--listen", "127.0.0.1:0", "--listen", "127.0.0.2:0"]
    with process(*command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                 env=base_environment(place.home)) as child:
        addresses = [child.stdout.readline().decode().split()[-1] for _ in range(2)]
        assert [address.split(":")[0] for address in addresses] == ["127.0.0.1", "127.0.0.2"]
        for address in addresses:
            assert run_rcmd(place, address, "echo served").out == b"served\n"
        child.terminate()
        assert child.wait(DEADLINE) == 0


@pytest.mark.parametrize("options", [["--listen", "nonsense"], ["--listen", "127.0.0.1:99999"],
                                     ["--threads", "0"],
                                     ["--threads", "x"], ["--no-such-option"], ["--login-grace", "-1"],
                                     ["word"]])
def test_wrong_options_are_refused_and_named(make_place: Callable[..., Place], options: list[str]) -> None:
    result = run_server(make_place(), *options)
    assert result.code not in (0, -6, -11) and result.out == b""
    assert options[-1] in result.message or options[0] in result.message


def test_a_state_directory_that_others_can_write_is_refused(make_place: Callable[..., Place]) -> None:
    place = make_place()
    place.state.mkdir()
    place.state.chmod(0o770)
    result = run_server(place)
    assert result.code == 1 and f"chmod go-w {place.state}" in result.message, result


@pytest.mark.skipif(not AS_ROOT, reason="only root can give a directory away")
def test_a_state_directory_of_somebody_else_is_refused(make_place: Callable[..., Place]) -> None:
    place = make_place()
    place.state.mkdir(mode=0o700)
    os.chown(place.state, 65534, 65534)
    result = run_server(place)
    assert result.code == 1 and f"{place.state}: belongs to somebody else" in result.message, result


def test_the_state_directory_is_made_and_private(make_server: Callable[..., Server]) -> None:
    server = make_server()
    assert not stat.S_IMODE(server.place.state.stat().st_mode) & 0o077


def test_the_port_is_free_when_the_server_has_ended_although_a_child_lived(
        make_server: Callable[..., Server]) -> None:
    server = make_server()
    with server.start_rcmd("trap '' HUP; setsid sleep 30 & echo up", options=["--wait-eof"],
                           stdout=subprocess.PIPE) as client:
        assert client.stdout.readline() == b"up\n"
        server.stop()
        socket.create_server(("127.0.0.1", server.port)).close()


def test_sigterm_ends_the_jobs_and_tells_their_clients(make_server: Callable[..., Server]) -> None:
    server = make_server()
    name = mark()
    with server.start_rcmd("echo up; sleep 1000", options=["-e", f"{name}=1"], stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE) as client:
        assert client.stdout.readline() == b"up\n"
        server.stop()
        assert client.wait(DEADLINE) != 0
        assert re.search("shut|end", client.stderr.read().decode())
    assert not marked(name)


def test_sigint_ends_it_as_sigterm_does(make_server: Callable[..., Server]) -> None:
    server = make_server()
    assert server.serves()
    server.process.send_signal(signal.SIGINT)
    assert server.process.wait(DEADLINE) == 0


def held_back(thread: Path) -> set[int]:
    mask = int(re.search(r"^SigBlk:\s+([0-9a-f]+)$", (thread / "status").read_text(), re.M)[1], 16)
    return {number for number in signal.Signals if mask >> (number - 1) & 1}


def test_the_daemons_signals_interrupt_none_of_its_threads(make_server: Callable[..., Server]) -> None:
    """Nor are they lost then, as one was under ThreadSanitizer that came before the event loop ran."""
    process = make_server().process
    threads = list(Path(f"/proc/{process.pid}/task").iterdir())
    assert len(threads) > 1
    for thread in threads:
        assert {signal.SIGTERM, signal.SIGINT, signal.SIGHUP} <= held_back(thread), (thread / "comm").read_text()


def ignore_and_block() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_also_if_its_parent_ignored_or_blocked_that(make_server: Callable[..., Server], number: signal.Signals) -> None:
    server = make_server(preexec=ignore_and_block)
    server.process.send_signal(number)
    assert server.process.wait(DEADLINE) == 0


def test_drain_lets_jobs_end_and_takes_no_new_ones(make_server: Callable[..., Server]) -> None:
    server = make_server("--drain", "60")
    with server.start_rcmd("echo up; read x; echo done; exit 7", stdin=subprocess.PIPE,
                           stdout=subprocess.PIPE) as client:
        assert client.stdout.readline() == b"up\n"
        server.process.send_signal(signal.SIGTERM)
        wait_for(lambda: server.rcmd("echo ran").code == 255, "new jobs to be refused")
        assert process_state(server.pid)
        client.stdin.write(b"\n")
        client.stdin.close()
        assert client.wait(DEADLINE) == 7
        assert client.stdout.read() == b"done\n"
    server.stop()


def test_drain_ends_what_takes_too_long(make_server: Callable[..., Server]) -> None:
    server = make_server("--drain", "1")
    name = mark()
    with server.start_rcmd("echo up; sleep 1000", options=["-e", f"{name}=1"],
                           stdout=subprocess.PIPE) as client:
        assert client.stdout.readline() == b"up\n"
        server.stop()
        assert client.wait(DEADLINE) != 0
    assert not marked(name)


def test_max_sessions_tells_the_next_client_that_it_is_busy(make_server: Callable[..., Server]) -> None:
    server = make_server("--max-sessions", "2")
    with server.login(), server.login():
        result = server.rcmd("echo x", options=["-q", "-o", "ConnectTimeout=1"])
        result.failed_by_itself()
        assert re.search("busy|too many|as many", result.message)
    wait_for(lambda: server.rcmd("echo x").code == 0, "the place to be free again")


def test_max_jobs_tells_the_next_job_that_it_is_busy(make_server: Callable[..., Server]) -> None:
    server = make_server("--max-jobs", "2")
    with server.login() as client:
        jobs = [client.begin(["sleep", "1000"], limits=SMALL) for _ in range(2)]
        refused = client.finish(client.execute("echo x", limits=SMALL))
        assert refused.error["code"] == "busy"
        client.signal(jobs[0], 1, "KILL")
        client.finish(jobs[0])
        client.send({"type": "release", "job": jobs[0].id})
        assert client.finish(client.execute("exit 0")).exit["code"] == 0


@pytest.mark.parametrize("threads", ["1", "8"])
def test_it_serves_with_any_number_of_threads(make_server: Callable[..., Server], threads: str) -> None:
    server = make_server("--threads", threads)
    for _ in range(10):
        assert server.serves()


def test_ended_connections_leave_no_descriptor(make_server: Callable[..., Server]) -> None:
    server = make_server()
    assert server.serves()
    wait_for(lambda: sockets(server.pid) <= 2, "the first connection to be closed")
    for _ in range(30):
        wire.connect(server.port).close()
        server.login().drop()
    wait_for(lambda: sockets(server.pid) <= 2, "the sockets to be closed")


def sockets(pid: int) -> int:
    count = 0
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            count += os.readlink(entry).startswith("socket:")
        except OSError:
            pass
    return count


def test_help_and_version_are_on_stdout(make_place: Callable[..., Place]) -> None:
    place = make_place()
    assert b"--authorized-keys" in run(RCMD_SERVER, "--help", env=base_environment(place.home)).out
    assert run_rcmd(place, "--help").out and run_rcmd(place, "-V").code == 0
