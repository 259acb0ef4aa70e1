"""The client's own output fails: never an exit 0. And descriptors that it inherited stay as they were."""
from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
from typing import Iterator

import pytest

from harness import RCMD, RCMD_SERVER, Server, base_environment, mark, marked, process, run, wait_for

SMALL = "echo x; exit 0"
LARGE = "head -c 3000000 /dev/zero"


def pending(pid: int, number: int) -> bool:
    """Whether a signal waits for the process."""
    [mask] = [line.split()[1] for line in open(f"/proc/{pid}/status") if line.startswith("ShdPnd")]
    return bool(int(mask, 16) >> (number - 1) & 1)


@pytest.fixture
def full() -> Iterator[int]:
    """A disk that is full."""
    descriptor = os.open("/dev/full", os.O_WRONLY)
    yield descriptor
    os.close(descriptor)


@pytest.mark.parametrize("command", [SMALL, LARGE])
def test_a_full_disk_is_255_and_named(server: Server, full: int, command: str) -> None:
    result = server.rcmd(command, stdout=full)
    assert result.code == 255
    assert result.message.startswith("rcmd: ") and "No space left" in result.message


@pytest.mark.parametrize("options", [["--combine"], ["--json"], ["-q"], ["--argv"]])
def test_a_full_disk_is_255_with_each_form_of_output(server: Server, full: int, options: list[str]) -> None:
    assert server.rcmd("echo", "x", options=options, stdout=full).code == 255


def test_a_full_disk_is_255_in_a_batch(server: Server, full: int) -> None:
    assert server.rcmd(options=["--batch"], input=b"echo x\necho y\n", stdout=full).code == 255


@pytest.mark.parametrize("options", [[], ["--keep-going"], ["--json"]], ids=["plain", "keep-going", "json"])
def test_when_its_output_is_lost_a_batch_starts_no_more(server: Server, full: int, tmp_path: Path, options: list[str]) -> None:
    trace = tmp_path / "trace"
    silent = ["true"] if "--json" in options else []
    for line in (*silent, "echo x", "echo x; exit 1", "echo x; sleep 0.2", "seq 100000"):
        result = server.rcmd(options=["--batch", *options], input=f"{line}\ntouch {trace}\n".encode(), stdout=full)
        assert result.code == 255 and "No space left" in result.message
        assert len(result.message.splitlines()) == 1, result.message
    assert not trace.exists()


def test_a_full_disk_under_stderr_is_255(server: Server, full: int) -> None:
    result = server.rcmd("echo x; echo lost >&2", stderr=full)
    assert (result.code, result.out) == (255, b"x\n")


def test_a_full_disk_ends_the_remote_command(server: Server, full: int) -> None:
    name = mark()
    assert server.rcmd("yes", options=["-e", f"{name}=1"], stdout=full).code == 255
    wait_for(lambda: not marked(name), "the remote command to be gone")


def shell_with_client(server: Server, words: str) -> object:
    """Runs a shell in which $rcmd and $host are those of the test."""
    environment = base_environment(server.place.home) | {"rcmd": RCMD, "host": server.host}
    return run("sh", "-c", words, env=environment)


@pytest.mark.parametrize("command", [SMALL, LARGE])
def test_a_closed_stdout_is_255(server: Server, command: str) -> None:
    result = shell_with_client(server, f'exec "$rcmd" "$host" "{command}" >&-')
    assert result.code == 255 and result.message.startswith("rcmd: ")


def test_a_closed_stderr_is_255_when_something_is_written_to_it(server: Server) -> None:
    assert shell_with_client(server, 'exec "$rcmd" "$host" "echo lost >&2" 2>&-').code == 255


def test_a_closed_stdin_is_an_empty_one(server: Server) -> None:
    result = shell_with_client(server, 'exec "$rcmd" "$host" "cat; echo end" <&-')
    assert (result.code, result.out) == (0, b"end\n")


def test_with_all_of_its_descriptors_closed_nothing_of_the_commands_goes_astray(server: Server) -> None:
    assert shell_with_client(server, 'exec "$rcmd" "$host" "echo x" <&- >&- 2>&-').code == 255
    assert server.serves()


@pytest.mark.parametrize("redirection", ["", ">&2"], ids=["stdout", "stderr"])
def test_a_closed_pipe_ends_the_client_by_sigpipe(server: Server, redirection: str) -> None:
    name = mark()
    read_end, write_end = os.pipe()
    os.close(read_end)
    stream = {"stderr" if redirection else "stdout": write_end}
    result = server.rcmd(f"yes {redirection}", options=["-e", f"{name}=1"], **stream)
    os.close(write_end)
    assert result.code == -signal.SIGPIPE
    wait_for(lambda: not marked(name), "the remote command to be gone")


def test_a_closed_pipe_gives_141_in_a_shell(server: Server) -> None:
    script = '{ "$rcmd" "$host" yes; echo $? >&2; } | true'
    assert shell_with_client(server, script).err.split()[-1] == b"141"


def test_a_closed_pipe_is_never_0_where_sigpipe_is_ignored(server: Server) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    result = server.rcmd("echo x", stdout=write_end, restore_signals=False,
                         preexec_fn=lambda: signal.signal(signal.SIGPIPE, signal.SIG_IGN))
    os.close(write_end)
    assert result.code in (255, 141, -signal.SIGPIPE)


def test_a_closed_pipe_is_never_0_with_json(server: Server) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    result = server.rcmd("echo x", options=["--json"], stdout=write_end)
    os.close(write_end)
    assert result.code in (141, -signal.SIGPIPE)


@pytest.mark.parametrize("nonblocking", [False, True])
def test_o_nonblock_of_inherited_descriptors_is_as_it_was(server: Server, nonblocking: bool) -> None:
    pipes = [os.pipe() for _ in range(3)]
    mine = [pipes[0][0], pipes[1][1], pipes[2][1]]
    for descriptor in mine:
        os.set_blocking(descriptor, not nonblocking)
    flags = [fcntl.fcntl(descriptor, fcntl.F_GETFL) for descriptor in mine]
    with process(RCMD, server.host, "echo out; echo err >&2; cat", env=base_environment(server.place.home),
                 stdin=mine[0], stdout=mine[1], stderr=mine[2]) as client:
        assert os.read(pipes[1][0], 100) == b"out\n"
        assert os.read(pipes[2][0], 100) == b"err\n"
        os.write(pipes[0][1], b"more\n")
        assert os.read(pipes[1][0], 100) == b"more\n"
        assert [fcntl.fcntl(descriptor, fcntl.F_GETFL) for descriptor in mine] == flags
        os.close(pipes[0][1])
        assert client.wait(60) == 0
    assert [fcntl.fcntl(descriptor, fcntl.F_GETFL) for descriptor in mine] == flags
    for descriptor in [*mine, pipes[1][0], pipes[2][0]]:
        os.close(descriptor)


def test_a_slow_nonblocking_stdout_loses_nothing(server: Server) -> None:
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    with server.start_rcmd("yes | head -c 1000000", stdout=write_end, stderr=subprocess.PIPE) as client:
        os.close(write_end)
        with os.fdopen(read_end, "rb") as reader:
            assert reader.read() == b"y\n" * 500_000
        assert client.wait(60) == 0


def test_keygen_that_cannot_print_its_line_is_not_0(server: Server, full: int, tmp_path: object) -> None:
    result = run(RCMD, "keygen", "-f", f"{tmp_path}/key", stdout=full,
                 env=base_environment(server.place.home))
    assert result.code == 255 and "rcmd: " in result.message


@pytest.mark.parametrize("options", [["--json"], ["-d"], ["-d", "--json"]], ids=" ".join)
def test_what_a_full_disk_leaves_unknown_is_not_said_to_be_worth_another_try(server: Server, full: int, options: list[str]) -> None:
    result = server.rcmd("true", options=[*options, "--unknown-status", "77"], stdout=full)
    assert result.code == 77 and "No space left" in result.message, result


def test_a_stop_that_no_shell_could_undo_is_none(server: Server) -> None:
    with server.start_rcmd("trap 'exit 5' USR1; echo up; while :; do sleep 0.05; done", stdout=subprocess.PIPE,
                           start_new_session=True) as client:
        assert client.stdout.readline() == b"up\n"
        client.send_signal(signal.SIGTSTP)
        wait_for(lambda: not pending(client.pid, signal.SIGTSTP), "the signal to be taken")
        client.send_signal(signal.SIGUSR1)
        assert client.wait(60) == 5


@pytest.mark.parametrize(("words", "status"), [(["true"], 255), (["exit 3"], 3)], ids=["0", "3"])
def test_events_that_cannot_be_written_are_no_success(server: Server, full: int, words: list[str], status: int) -> None:
    result = server.rcmd(*words, options=["--status-fd", str(full)], pass_fds=[full])
    assert result.code == status
    assert len(result.message.splitlines()) == 1 and "No space left" in result.message, result


@pytest.mark.parametrize("batch", [False, True], ids=["one", "batch"])
def test_the_end_is_an_event_also_when_its_object_cannot_be_written(server: Server, full: int, batch: bool) -> None:
    read_end, write_end = os.pipe()
    options = ["--json", "--status-fd", str(write_end), *(["--batch"] if batch else [])]
    words = {"input": b"exit 3\n"} if batch else {}
    result = server.rcmd(*([] if batch else ["exit 3"]), options=options, stdout=full, pass_fds=[write_end], **words)
    os.close(write_end)
    with os.fdopen(read_end) as lines:
        events = [json.loads(line) for line in lines]
    assert result.code == 255 and "No space left" in result.message
    assert [(event["event"], event["code"]) for event in events[2:]] == [("exit", 3), ("error", "output")]


@pytest.mark.parametrize("words", [[RCMD, "-V"], [RCMD, "--help"], [RCMD, "cp", "--help"], [RCMD, "keygen", "-h"]], ids=lambda words: words[-1])
def test_help_that_cannot_be_written_is_255(full: int, words: list[str]) -> None:
    result = run(*words, stdout=full)
    assert result.code == 255 and result.message.startswith("rcmd: cannot write to stdout")


def test_help_whose_reader_went_away_dies_of_sigpipe() -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    result = run(RCMD, "--help", stdout=write_end)
    os.close(write_end)
    assert (result.code, result.err) == (-signal.SIGPIPE, b"")


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_help_of_the_server_that_cannot_be_written_is_1(full: int, option: str) -> None:
    result = run(RCMD_SERVER, option, stdout=full)
    assert result.code == 1 and result.message.startswith("rcmd-server: cannot write to stdout")
