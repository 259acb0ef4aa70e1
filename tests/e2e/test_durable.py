"""Detached and named jobs run once, and lose nothing, whatever becomes of their clients and of the daemon."""
from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Callable, Iterator

import pytest

import wire
from durable import (COUNT, NUMBERS, MakeServer, Runs, attach, detach, directory, fresh_name, gate, go, kill,
                     listed, named, nothing_is_left, restarted, runs, supervisor, wait_until)
from harness import (MAY_HAVE_RUN, NEVER_STARTED, RCMD, Place, Result, Server, base_environment, mark, marked,
                     process, scaled, wait_for)

__all__ = ["go", "nothing_is_left", "runs"]  # fixtures

# Detached


def test_a_detached_job_is_told_by_its_id_and_goes_on_alone(server: Server, go: Path) -> None:
    job = detach(server, f"echo up; {gate(go)}; echo down; exit 7")
    assert len(job) == 32 and int(job, 16) >= 0
    assert listed(server)[job]["state"] == "detached"
    go.touch()
    assert attach(server, job) == Result(7, b"up\ndown\n", b"")


def test_a_detached_job_has_no_input(server: Server) -> None:
    job = detach(server, "readlink /proc/self/fd/0; wc -c", input=b"not for the job\n")
    assert attach(server, job).out == b"/dev/null\n0\n"


def test_a_detached_job_may_have_a_name(server: Server) -> None:
    name = fresh_name()
    assert detach(server, "echo hi", "--job", name) == name
    assert attach(server, name).out == b"hi\n"


def test_detaching_the_same_name_again_runs_once(server: Server, runs: Runs, go: Path) -> None:
    name = fresh_name()
    command = f"{runs.command}; {gate(go)}; exit 7"
    for _ in range(3):
        assert detach(server, command, "--job", name) == name
    go.touch()
    assert attach(server, name).code == 7
    assert detach(server, command, "--job", name) == name
    assert runs.count == 1


def test_a_detached_job_keeps_stdout_and_stderr_apart(server: Server) -> None:
    result = attach(server, detach(server, f"{COUNT} & seq 3 >&2; wait"))
    assert result == Result(0, NUMBERS, b"1\n2\n3\n")


def test_a_detached_job_has_its_directory_environment_and_words(server: Server, tmp_path: Path) -> None:
    result = server.rcmd("printenv", "A", options=["-d", "--argv", "--cwd", str(tmp_path), "-e", "A=a b'\n"])
    assert attach(server, result.out.decode().strip()).out == b"a b'\n\n"
    job = detach(server, "pwd", "--cwd", str(tmp_path))
    assert attach(server, job).out.decode() == f"{tmp_path}\n"


def test_a_detached_job_ends_at_its_timeout(server: Server) -> None:
    name = mark()
    job = detach(server, "sleep 1000", "--timeout", "1", "-e", f"{name}=1")
    assert attach(server, job).code == 124
    assert not marked(name)


@pytest.mark.parametrize("options", [["-t"], ["-tt"], ["--batch"]], ids=["tty", "tty-forced", "batch"])
def test_what_cannot_be_detached_is_a_usage_error(server: Server, runs: Runs, options: list[str]) -> None:
    result = server.rcmd(runs.command, options=["-d", *options])
    result.failed_by_itself()
    assert result.out == b"" and "--help" in result.message
    assert runs.count == 0


def test_detaching_needs_a_command(server: Server) -> None:
    result = server.rcmd(options=["-d"])
    result.failed_by_itself()
    assert "--help" in result.message


def test_a_batch_has_no_name(server: Server) -> None:
    server.rcmd(options=["--batch", "--job", fresh_name()], input=b"echo hi\n").failed_by_itself()


@pytest.mark.parametrize("how", [["-d"], ["-n"]], ids=["detached", "attached"])
def test_a_command_that_is_not_found_leaves_no_job(server: Server, how: list[str]) -> None:
    name = fresh_name()
    result = server.rcmd("no-such-command", options=[*how, "--argv", "--job", name])
    assert (result.code, result.out) == (127, b"") and NEVER_STARTED.search(result.message)
    assert name not in listed(server)
    assert not directory(server.place, name).exists()


@pytest.mark.parametrize("how", [["-d"], ["-n"]], ids=["detached", "attached"])
def test_a_directory_that_is_missing_leaves_the_name_free(server: Server, tmp_path: Path, how: list[str]) -> None:
    name = fresh_name()
    result = server.rcmd("true", options=[*how, "--job", name, "--cwd", str(tmp_path / "missing")])
    result.failed_by_itself()
    assert result.out == b"" and NEVER_STARTED.search(result.message)
    assert named(server, name, "echo hi").out == b"hi\n"


# Named


def test_a_named_job_runs_once_and_tells_the_same_again(server: Server, runs: Runs) -> None:
    name = fresh_name()
    command = f"{runs.command}; {COUNT}; echo oops >&2; exit 5"
    for _ in range(3):
        assert named(server, name, command) == Result(5, NUMBERS, b"oops\n")
    assert runs.count == 1


def test_a_named_job_tells_the_same_signal_again(server: Server) -> None:
    name = fresh_name()
    assert [named(server, name, "kill -KILL $$").code for _ in range(2)] == [137, 137]


@contextmanager
def started(server: Server, name: str, command: str, out: Path) -> Iterator[subprocess.Popen]:
    """A client of the named job that has shown all that it writes first to stdout."""
    with out.open("wb") as stdout, out.with_suffix(".err").open("wb") as stderr:
        with server.start_rcmd(command, options=["-n", "--job", name], stdout=stdout, stderr=stderr) as client:
            wait_for(lambda: out.stat().st_size == len(NUMBERS), "the output")
            yield client


def test_a_second_call_while_it_runs_gets_the_same_output(server: Server, runs: Runs, go: Path,
                                                          tmp_path: Path) -> None:
    name = fresh_name()
    command = f"{runs.command}; {COUNT}; {gate(go)}; {COUNT} >&2; exit 5"
    with started(server, name, command, tmp_path / "one") as one:
        with started(server, name, command, tmp_path / "two") as two:
            go.touch()
            assert [one.wait(60), two.wait(60)] == [5, 5]
    for client in ("one", "two"):
        assert (tmp_path / client).read_bytes() == NUMBERS
        assert (tmp_path / f"{client}.err").read_bytes() == NUMBERS
    assert runs.count == 1


@pytest.mark.parametrize("options", [["--keep", "61"], ["--timeout", "100"]], ids=["keep", "timeout"])
def test_another_keep_or_timeout_is_the_same_request(server: Server, runs: Runs, options: list[str]) -> None:
    """As PROTOCOL.md, section 6, says what a request is."""
    name = fresh_name()
    for more in ([], options):
        assert named(server, name, f"{runs.command}; echo hi", *more) == Result(0, b"hi\n", b"")
    assert runs.count == 1


OTHER_REQUESTS = {"command": ["other"], "argv": ["--argv"], "environment": ["-e", "A=2"], "directory": ["--cwd", "/"],
                  "combine": ["--combine"], "more-environment": ["-e", "A=1", "-e", "B=1"]}


@pytest.mark.parametrize("change", OTHER_REQUESTS.values(), ids=list(OTHER_REQUESTS))
@pytest.mark.parametrize("running", [True, False], ids=["running", "finished"])
def test_another_request_under_the_name_is_a_conflict(server: Server, go: Path, change: list[str],
                                                      running: bool) -> None:
    name = fresh_name()
    command = f"{gate(go)}; echo x"
    detach(server, command, "--job", name, "-e", "A=1")
    if not running:
        go.touch()
        wait_until(server, name, "finished")
    environment = [] if "-e" in change else ["-e", "A=1"]
    words, options = (change, []) if change == ["other"] else ([], change)
    result = server.rcmd(command, *words, options=["-d", "--job", name, *environment, *options])
    result.failed_by_itself()
    assert "another request" in result.message
    go.touch()
    assert attach(server, name).out == b"x\n"


BAD_NAMES = {"up": "../x", "dots": "..", "hidden": ".x", "65": "x" * 65, "10k": "x" * 10_240, "blank": "a b",
             "slash": "a/b", "empty": "", "newline": "a\nb", "escape": "\x1b[2J", "umlaut": "ä"}


@pytest.mark.parametrize("name", BAD_NAMES.values(), ids=list(BAD_NAMES))
@pytest.mark.parametrize("how", [["-d"], ["-n"]], ids=["detached", "attached"])
def test_a_bad_name_runs_nothing(server: Server, runs: Runs, how: list[str], name: str) -> None:
    result = server.rcmd(runs.command, options=[*how, "--job", name])
    result.failed_by_itself()
    assert "\x1b" not in result.message and len(result.message) < 300
    assert runs.count == 0


@pytest.mark.parametrize("name", ["x" * 64, "-", "_.-", "0"])
def test_a_name_may_be(make_server: MakeServer, runs: Runs, name: str) -> None:
    server = make_server()
    for _ in range(2):
        result = server.rcmd(f"{runs.command}; echo hi", options=["-n", f"--job={name}"])
        assert result == Result(0, b"hi\n", b"")
    assert runs.count == 1


def test_a_name_belongs_to_its_key(make_place: Callable[..., Place], make_server: MakeServer, runs: Runs) -> None:
    place = make_place()
    other = wire.Key("other@there", os.urandom(32))
    place.authorize(place.key, other)
    key_file = place.add_key_file("other.key", other)
    server = make_server(place=place)
    name = fresh_name()
    for key, answer in (([], "mine"), (["-i", key_file], "theirs")):
        for _ in range(2):
            result = named(server, name, f"{runs.command}; echo {answer}", *key)
            assert result == Result(0, f"{answer}\n".encode(), b"")
    assert runs.count == 2
    assert len(listed(server)) == len(listed(server, "-i", key_file)) == 1


def test_two_inputs_are_never_spliced(server: Server) -> None:
    name = fresh_name()
    with server.start_rcmd("cat", options=["--job", name], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as one:
        one.stdin.write(b"one\n")
        one.stdin.flush()
        assert one.stdout.readline() == b"one\n"
        two = server.rcmd("cat", options=["--job", name], input=b"two\n")
        two.failed_by_itself()
        assert two.out == b"" and MAY_HAVE_RUN.search(two.message)
        one.stdin.write(b"more\n")
        one.stdin.close()
        assert (one.stdout.read(), one.wait(60)) == (b"more\n", 0)


def test_who_comes_when_the_input_is_complete_attaches(server: Server, runs: Runs, go: Path) -> None:
    name = fresh_name()
    command = f"{runs.command}; cat; echo that was it; {gate(go)}"
    with server.start_rcmd(command, options=["--job", name], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as one:
        one.stdin.write(b"one\n")
        one.stdin.close()
        assert one.stdout.readline() + one.stdout.readline() == b"one\nthat was it\n"
        with server.start_rcmd(command, options=["--job", name], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as two:
            assert two.stdout.readline() + two.stdout.readline() == b"one\nthat was it\n"
            go.touch()
            assert [one.wait(60), two.wait(60)] == [0, 0]
    assert server.rcmd(command, options=["--job", name], input=b"other\n").out == b"one\nthat was it\n"
    assert runs.count == 1


def test_a_large_input_reaches_a_named_job(server: Server) -> None:
    result = server.rcmd("cat", options=["--job", fresh_name()], input=NUMBERS)
    assert result == Result(0, NUMBERS, b"")


def test_100_clients_with_one_name_start_one_job(server: Server, runs: Runs) -> None:
    name = fresh_name()
    command = f"{runs.command}; seq 1000; echo $$; exit 5"
    answers: list[Result] = []
    clients = [threading.Thread(target=lambda: answers.append(named(server, name, command)))
               for _ in range(scaled(100, 10))]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    assert len(answers) == len(clients)
    assert answers[0].code == 5
    assert all(answer == answers[0] for answer in answers), {str(answer)[-300:] for answer in answers}
    assert runs.count == 1


# The client goes


def test_a_named_job_ends_keep_after_its_client_was_killed(server: Server) -> None:
    name, variable = fresh_name(), mark()
    options = ["--job", name, "--keep", "1", "-e", f"{variable}=1"]
    with server.start_rcmd("echo up; sleep 1000", options=options, stdout=subprocess.PIPE) as client:
        assert client.stdout.readline() == b"up\n"
        client.kill()
    wait_for(lambda: not marked(variable), "the job to be gone")
    wait_until(server, name, "finished")
    assert attach(server, name).out == b"up\n"


def test_a_named_job_lingers_when_its_client_was_killed(server: Server, runs: Runs, go: Path) -> None:
    name = fresh_name()
    command = f"{runs.command}; echo up; {gate(go)}; exit 5"
    options = ["-n", "--job", name, "--keep", "1h"]
    with server.start_rcmd(command, options=options, stdout=subprocess.PIPE) as client:
        assert client.stdout.readline() == b"up\n"
        assert listed(server)[name]["state"] == "attached"
        client.kill()
    wait_until(server, name, "lingering")
    go.touch()
    assert server.rcmd(command, options=options) == Result(5, b"up\n", b"")
    assert runs.count == 1


def test_a_detached_job_outlives_its_keep_and_its_readers(server: Server, go: Path) -> None:
    job = detach(server, f"echo up; {gate(go)}; echo down", "--keep", "0")
    witness = fresh_name()
    variable = mark()
    with process(RCMD, "attach", "--keep", "0", server.host, job, env=base_environment(server.place.home),
                 stdout=subprocess.PIPE) as reader:
        assert reader.stdout.readline() == b"up\n"
        options = ["--job", witness, "--keep", "0", "-e", f"{variable}=1"]
        with server.start_rcmd("echo up; sleep 1000", options=options, stdout=subprocess.PIPE) as client:
            assert client.stdout.readline() == b"up\n"
            reader.kill()
            client.kill()
    wait_for(lambda: not marked(variable), "the job that does not outlive its client to be gone")
    assert listed(server)[job]["state"] == "detached"
    go.touch()
    assert attach(server, job) == Result(0, b"up\ndown\n", b"")


@pytest.mark.parametrize("name", ["INT", "TERM", "HUP"])
def test_a_signal_to_the_client_reaches_the_named_job(server: Server, name: str) -> None:
    job = fresh_name()
    command = f"trap 'echo got {name}; exit 5' {name}; echo up; while :; do sleep 0.05; done"
    with server.start_rcmd(command, options=["--job", job], stdout=subprocess.PIPE) as client:
        assert client.stdout.readline() == b"up\n"
        client.send_signal(getattr(signal, f"SIG{name}"))
        assert (client.stdout.read(), client.wait(60)) == (f"got {name}\n".encode(), 5)
    assert named(server, job, command).code == 255  # not what was asked for: that had an input


def test_a_named_job_on_a_terminal_is_remembered(server: Server, runs: Runs) -> None:
    name = fresh_name()
    for _ in range(2):
        result = server.rcmd(f"{runs.command}; tty <&1; exit 5", options=["-tt", "-n", "--job", name])
        assert result.code == 5 and result.out.startswith(b"/dev/pts/")
    assert runs.count == 1


# The daemon goes


@pytest.mark.parametrize("end", [Server.kill, Server.stop], ids=["SIGKILL", "SIGTERM"])
def test_a_waiting_client_goes_on_when_the_daemon_is_back(make_server: MakeServer, runs: Runs, go: Path,
                                                          tmp_path: Path, end: Callable[[Server], None]) -> None:
    server = make_server()
    name = fresh_name()
    command = f"{runs.command}; {COUNT}; {gate(go)}; {COUNT}; echo oops >&2; exit 9"
    shown = tmp_path / "shown"
    with shown.open("wb") as out, server.start_rcmd(command, options=["-q", "-n", "--job", name], stdout=out,
                                                    stderr=subprocess.PIPE) as client:
        wait_for(lambda: shown.stat().st_size == len(NUMBERS), "the first half")
        end(server)
        again = restarted(make_server, server)
        go.touch()
        assert (client.wait(60), client.stderr.read()) == (9, b"oops\n")
    assert shown.read_bytes() == NUMBERS * 2
    assert named(again, name, command) == Result(9, NUMBERS * 2, b"oops\n")
    assert runs.count == 1


@pytest.mark.parametrize("end", [Server.kill, Server.stop], ids=["SIGKILL", "SIGTERM"])
def test_a_job_runs_to_its_end_without_a_daemon(make_server: MakeServer, runs: Runs, go: Path, tmp_path: Path,
                                                end: Callable[[Server], None]) -> None:
    server = make_server()
    job = detach(server, f"{runs.command}; {gate(go)}; {COUNT}; touch {tmp_path}/done; exit 9")
    end(server)
    go.touch()
    wait_for((tmp_path / "done").exists, "the job to end")
    wait_for(lambda: not supervisor(directory(server.place, job)), "its supervisor to end")
    again = restarted(make_server, server)
    entry = listed(again)[job]
    assert (entry["state"], entry["code"], entry["stdout"]) == ("finished", 9, len(NUMBERS))
    assert attach(again, job) == Result(9, NUMBERS, b"")
    assert runs.count == 1


def test_input_goes_on_when_the_daemon_is_back(make_server: MakeServer, tmp_path: Path) -> None:
    server = make_server()
    with server.start_rcmd("cat", options=["-q", "--job", fresh_name()], stdin=subprocess.PIPE,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE) as client:
        client.stdin.write(b"before\n")
        client.stdin.flush()
        assert client.stdout.readline() == b"before\n"
        for turn in range(5):
            server.kill()
            client.stdin.write(b"%d\n" % turn)
            client.stdin.flush()
            server = restarted(make_server, server)
            assert client.stdout.readline() == b"%d\n" % turn
        out, err = client.communicate(NUMBERS)
        assert (client.returncode, out, err) == (0, NUMBERS, b"")


def test_a_signal_reaches_the_job_of_a_former_daemon(make_server: MakeServer) -> None:
    server = make_server()
    job = detach(server, "trap 'echo usr1; exit 4' USR1; echo up; while :; do sleep 0.05; done")
    wait_for(lambda: listed(server)[job]["stdout"] == 3, "the job to be ready")
    server.kill()
    again = restarted(make_server, server)
    assert kill(again, job, "-s", "USR1").code == 0
    result = attach(again, job)
    assert (result.code, result.out) == (4, b"up\nusr1\n")


def test_a_named_job_lingers_no_longer_than_keep_without_a_daemon(make_server: MakeServer) -> None:
    server = make_server()
    variable = mark()
    options = ["--job", fresh_name(), "--keep", "1", "-e", f"{variable}=1"]
    with server.start_rcmd("echo up; sleep 1000", options=options, stdout=subprocess.PIPE) as client:
        assert client.stdout.readline() == b"up\n"
        server.kill()
        client.kill()
    wait_for(lambda: not marked(variable), "the job to be gone")


def test_20_jobs_lose_nothing_while_the_daemon_is_killed_100_times(make_server: MakeServer, tmp_path: Path) -> None:
    chance = random.Random(20)
    server = make_server()
    kills, count = scaled(100, 10), scaled(20, 4)
    answers: dict[int, Result] = {}
    jobs = [Runs(tmp_path / f"runs-{number}") for number in range(count)]
    commands = [f"{job.command}; for i in $(seq 100); do echo {number} $i; sleep 0.01; done; exit {number}"
                for number, job in enumerate(jobs)]
    names = [fresh_name() for _ in jobs]

    def insist(number: int) -> None:
        """As a script would: again, when it is sure that nothing was started."""
        for _ in range(1000):
            answers[number] = named(server, names[number], commands[number], "-q", "--keep", "1h", timeout=300)
            if answers[number].code != 255 or not NEVER_STARTED.search(answers[number].message):
                return

    clients = [threading.Thread(target=insist, args=(number,)) for number in range(count)]
    for turn in range(kills):
        if turn % (kills // count) == 0 and turn // (kills // count) < count:
            clients[turn // (kills // count)].start()
        time.sleep(chance.uniform(0, 0.1))  # the random moment
        server.kill()
        server = restarted(make_server, server)
    for client in clients:
        client.join()
    expected = {number: Result(number, b"".join(b"%d %d\n" % (number, line) for line in range(1, 101)), b"")
                for number in range(count)}
    wrong = {number: str(answer)[-500:] for number, answer in answers.items() if answer != expected[number]}
    assert not wrong and len(answers) == count
    assert [job.count for job in jobs] == [1] * count
    for number, name in enumerate(names):
        assert attach(server, name) == expected[number]


# A job is started once, wherever its start was interrupted


def left_with(make_server: MakeServer, runs: Runs, *names: str) -> tuple[Server, str]:
    """A stopped server's place, with a job of which only these files are there."""
    server = make_server()
    name = fresh_name()
    detach(server, f"{runs.command}; echo hi; exit 5", "--job", name)
    assert attach(server, name).code == 5
    server.stop()
    for path in directory(server.place, name).iterdir():
        if path.name not in names:
            path.unlink()
    assert runs.count == 1
    return server, name


@pytest.mark.parametrize("names", [["request"], ["request", "lock"], ["request", "lock", "socket"]],
                         ids=["request", "lock", "socket"])
def test_a_job_that_was_written_but_not_started_is_started_once(make_server: MakeServer, runs: Runs,
                                                                names: list[str]) -> None:
    server, name = left_with(make_server, runs, *names)
    again = restarted(make_server, server)
    wait_until(again, name, "finished")
    assert attach(again, name) == Result(5, b"hi\n", b"")
    again.kill()
    last = restarted(make_server, server)
    assert attach(last, name) == Result(5, b"hi\n", b"")
    assert detach(last, f"{runs.command}; echo hi; exit 5", "--job", name) == name
    assert runs.count == 2


@pytest.mark.parametrize("names", [["starting"], ["starting", "kept", "stdout", "stderr"]], ids=["starting", "output"])
def test_a_job_that_may_have_run_is_not_started(make_server: MakeServer, runs: Runs, names: list[str]) -> None:
    server, name = left_with(make_server, runs, "request", "lock", "socket", *names)
    again = restarted(make_server, server)
    assert listed(again)[name]["state"] == "unknown"
    result = attach(again, name)
    result.failed_by_itself()
    assert MAY_HAVE_RUN.search(result.message)
    again.rcmd(f"{runs.command}; echo hi; exit 5", options=["-d", "--job", name])
    assert runs.count == 1
    assert again.serves()


# The supervisor goes


def kill_supervisor(server: Server, job: str) -> None:
    os.kill(wait_for(lambda: supervisor(directory(server.place, job)), "the supervisor"), signal.SIGKILL)


def is_unknown(result: Result) -> bool:
    return result.code == 255 and bool(MAY_HAVE_RUN.search(result.message)) and len(result.message.splitlines()) == 1


def test_a_killed_supervisor_takes_its_command_along(server: Server) -> None:
    variable = mark()
    job = detach(server, "echo up; exec sleep 1000", "-e", f"{variable}=1")
    wait_for(lambda: listed(server)[job]["stdout"] == 3, "the job to run")
    kill_supervisor(server, job)
    wait_for(lambda: not marked(variable), "the command to be gone")
    assert listed(server)[job]["state"] == "unknown"
    result = attach(server, job)
    assert result.out == b"up\n" and is_unknown(result), result


def test_a_client_is_told_that_the_supervisor_is_gone(server: Server, runs: Runs) -> None:
    name = fresh_name()
    command = f"{runs.command}; echo up; exec sleep 1000"
    with server.start_rcmd(command, options=["-n", "--job", name], stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE) as client:
        assert client.stdout.readline() == b"up\n"
        kill_supervisor(server, name)
        result = Result(client.wait(60), client.stdout.read(), client.stderr.read())
    assert is_unknown(result), result
    again = named(server, name, command)
    assert again.out == b"up\n" and is_unknown(again), again
    assert runs.count == 1


def test_a_job_whose_supervisor_is_gone_stays_unknown(make_server: MakeServer, runs: Runs) -> None:
    server = make_server()
    job = detach(server, f"{runs.command}; echo up; exec sleep 1000")
    wait_for(lambda: listed(server)[job]["stdout"] == 3, "the job to run")
    server.kill()
    kill_supervisor(server, job)
    again = restarted(make_server, server)
    assert listed(again)[job]["state"] == "unknown"
    assert is_unknown(attach(again, job))
    assert runs.count == 1
    assert again.serves()


def test_the_status_events_say_that_the_outcome_is_unknown(server: Server, tmp_path: Path) -> None:
    job = detach(server, "echo up; exec sleep 1000")
    wait_for(lambda: listed(server)[job]["stdout"] == 3, "the job to run")
    kill_supervisor(server, job)
    with (tmp_path / "events").open("w+b") as events:
        attach(server, job, "--status-fd", str(events.fileno()), pass_fds=[events.fileno()])
        events.seek(0)
        last = json.loads(events.read().splitlines()[-1])
    assert last["event"] == "error" and last["started"] in (True, "unknown"), last
