"""The disk that durable jobs need: bounded, full, kept for a while, and full of rubbish."""
from __future__ import annotations

import errno
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Callable, Iterator

import pytest

import wire
from durable import (COUNT, NUMBERS, MakeServer, Runs, attach, detach, directory, fresh_name, gate, go, kill, listed, named,
                     nothing_is_left, restarted, runs, wait_until)
from harness import (AS_ROOT, MAY_HAVE_RUN, NEVER_STARTED, RCMD, Result, Server, base_environment, mark,
                     marked, process, run, run_server, wait_for)

__all__ = ["go", "nothing_is_left", "runs"]  # fixtures

KIB = 1 << 10
SPOOL = 64 * KIB
GONE = re.compile(r"the first (\d+) bytes of stdout are not kept")
DAY = 86_400


@pytest.fixture(scope="module")
def blob(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("blob") / "blob"
    path.write_bytes(os.urandom(1 << 20))
    return path


@pytest.fixture(scope="module")
def server(place: object) -> Iterator[Server]:
    running = Server(place, "--max-spool", "64K")
    yield running
    running.stop()


def on_disk(path: Path) -> int:
    """The bytes that the job's output takes, holes aside."""
    return sum((path / name).stat().st_blocks * 512 for name in ("stdout", "stderr"))


# Bounded


def test_a_job_waits_when_its_space_is_full_and_then_loses_nothing(server: Server, blob: Path) -> None:
    job = detach(server, f"cat {blob}; exit 7")
    wait_until(server, job, "full")
    assert 0 < listed(server)[job]["stdout"] <= SPOOL
    assert on_disk(directory(server.place, job)) <= SPOOL + 8 * KIB
    assert attach(server, job) == Result(7, blob.read_bytes(), b"")
    entry = listed(server)[job]
    assert (entry["state"], entry["code"], entry["stdout"]) == ("finished", 7, blob.stat().st_size)
    assert on_disk(directory(server.place, job)) <= SPOOL + 8 * KIB


def test_what_was_dropped_is_said(server: Server, blob: Path) -> None:
    whole = blob.read_bytes()
    job = detach(server, f"cat {blob}; exit 7")
    assert attach(server, job).out == whole
    again = attach(server, job)
    gone = GONE.search(again.message)
    assert again.code == 7 and gone and len(again.message.splitlines()) == 1, again.message
    assert len(whole) - SPOOL <= int(gone.group(1)) < len(whole)
    assert again.out == whole[int(gone.group(1)):]
    quiet = attach(server, job, "--from", gone.group(1))
    assert quiet == Result(7, again.out, b"")


def test_an_offset_below_what_is_kept_is_an_error(server: Server, blob: Path) -> None:
    job = detach(server, f"cat {blob}; exit 7")
    assert attach(server, job).code == 7
    for offset in ("0", "1"):
        refused = attach(server, job, "--from", offset)
        refused.failed_by_itself()
        assert refused.out == b"" and offset in refused.message
    assert attach(server, job, "--from", str(blob.stat().st_size)) == Result(7, b"", b"")


def test_asking_for_a_named_job_again_does_not_pretend_to_have_all(server: Server, runs: Runs, blob: Path) -> None:
    name = fresh_name()
    command = f"{runs.command}; cat {blob}; exit 7"
    assert named(server, name, command) == Result(7, blob.read_bytes(), b"")
    again = named(server, name, command)
    again.failed_by_itself()
    assert again.out == b"" and not NEVER_STARTED.search(again.message)
    assert runs.count == 1


@pytest.mark.parametrize("command", ["cat {0}; cat {0} >&2", "cat {0} >&2; cat {0}", "cat {0} & cat {0} >&2; wait"],
                         ids=["stdout-first", "stderr-first", "both"])
def test_two_streams_share_the_space(server: Server, blob: Path, command: str) -> None:
    job = detach(server, command.format(blob))
    wait_until(server, job, "full")
    entry = listed(server)[job]
    assert 0 < entry["stdout"] + entry["stderr"] <= SPOOL
    assert on_disk(directory(server.place, job)) <= SPOOL + 16 * KIB
    assert attach(server, job) == Result(0, blob.read_bytes(), blob.read_bytes())


def test_a_full_job_goes_on_with_a_new_daemon(make_server: MakeServer, blob: Path) -> None:
    server = make_server("--max-spool", "64K")
    job = detach(server, f"cat {blob}; exit 7")
    wait_until(server, job, "full")
    server.kill()
    again = restarted(make_server, server)
    assert listed(again)[job]["state"] == "full"
    assert attach(again, job) == Result(7, blob.read_bytes(), b"")


def test_a_reader_of_a_full_job_goes_on_with_a_new_daemon(make_server: MakeServer, blob: Path, go: Path,
                                                          tmp_path: Path) -> None:
    server = make_server("--max-spool", "64K")
    job = detach(server, f"cat {blob}; {gate(go)}; cat {blob}; exit 7")
    shown = tmp_path / "shown"
    with shown.open("wb") as out, process(RCMD, "attach", "-q", server.host, job, stdout=out,
                                          env=base_environment(server.place.home)) as reader:
        wait_for(lambda: shown.stat().st_size == blob.stat().st_size, "the first half")
        server.kill()
        go.touch()
        restarted(make_server, server)
        assert reader.wait(60) == 7
    assert shown.read_bytes() == blob.read_bytes() * 2


@pytest.mark.parametrize(("options", "code"), [([], 137), (["--timeout", "1"], 124)], ids=["killed", "timeout"])
def test_a_full_job_can_be_ended(server: Server, options: list[str], code: int) -> None:
    variable = mark()
    job = detach(server, "yes", "-e", f"{variable}=1", *options)
    wait_until(server, job, "full")
    if not options:
        assert kill(server, job, "-s", "KILL") == Result(0, b"", b"")
    wait_for(lambda: not marked(variable), "the command to be gone")
    result = attach(server, job)
    assert result.code == code
    assert len(result.out) >= SPOOL and result.out == (b"y\n" * len(result.out))[:len(result.out)]
    assert listed(server)[job]["state"] == "finished"


def test_a_stopped_client_of_a_named_job_holds_it_up_and_loses_nothing(server: Server, blob: Path, go: Path,
                                                                       tmp_path: Path) -> None:
    shown = tmp_path / "shown"
    name = fresh_name()
    with shown.open("wb") as out, server.start_rcmd(f"echo up; {gate(go)}; cat {blob} {blob} {blob}; exit 7",
                                                    options=["-n", "-q", "--job", name], stdout=out) as client:
        wait_for(lambda: shown.stat().st_size == 3, "the job to be up")
        client.send_signal(signal.SIGSTOP)
        go.touch()
        wait_until(server, name, "full")
        client.send_signal(signal.SIGCONT)
        assert client.wait(60) == 7
    assert shown.read_bytes() == b"up\n" + blob.read_bytes() * 3


def test_a_slow_reader_loses_nothing_to_a_quick_one(make_server: MakeServer, blob: Path, go: Path,
                                                    tmp_path: Path) -> None:
    server = make_server("--max-spool", "256K")
    shown = tmp_path / "shown"
    job = detach(server, f"echo up; {gate(go)}; cat {blob}; exit 7")
    with shown.open("wb") as out, process(RCMD, "attach", "-q", server.host, job, stdout=out,
                                          env=base_environment(server.place.home)) as slow:
        wait_for(lambda: shown.stat().st_size == 3, "the job to be up")
        slow.send_signal(signal.SIGSTOP)
        go.touch()
        with process(RCMD, "attach", "-q", server.host, job, stdout=subprocess.PIPE,
                     env=base_environment(server.place.home)) as quick:
            begin = quick.stdout.read(SPOOL)
            slow.send_signal(signal.SIGCONT)
            assert begin + quick.stdout.read() == b"up\n" + blob.read_bytes()
        assert slow.wait(60) == 7
    assert shown.read_bytes() == b"up\n" + blob.read_bytes()


def test_the_space_of_all_jobs_is_bounded_and_a_new_one_is_refused(make_server: MakeServer, blob: Path,
                                                                   runs: Runs) -> None:
    server = make_server("--max-spool", "64K", "--max-state", "128K")
    jobs = [detach(server, f"cat {blob}; exit 7") for _ in range(2)]
    for job in jobs:
        wait_until(server, job, "full")
    for options in (["-d"], ["-n", "--job", fresh_name()]):
        refused = server.rcmd(runs.command, options=options)
        refused.failed_by_itself()
        assert refused.out == b"" and NEVER_STARTED.search(refused.message), refused.message
    assert runs.count == 0
    assert set(listed(server)) == set(jobs)
    assert server.serves()
    assert [attach(server, job).out for job in jobs] == [blob.read_bytes()] * 2


def test_the_space_of_all_jobs_bounds_each(make_server: MakeServer, blob: Path, go: Path) -> None:
    server = make_server("--max-spool", "1M", "--max-state", "64K")
    jobs = [detach(server, f"{gate(go)}; cat {blob}; exit 7") for _ in range(3)]
    go.touch()
    for job in jobs:
        wait_for(lambda: listed(server)[job]["state"] in ("full", "finished"), "the job to stop")
    assert sum(entry["stdout"] for entry in listed(server).values()) <= SPOOL


def test_reading_one_job_makes_room_for_another(make_server: MakeServer, blob: Path) -> None:
    server = make_server("--max-spool", "64K", "--max-state", "96K")
    jobs = [detach(server, f"cat {blob}; exit 7") for _ in range(2)]
    for job in jobs:
        wait_until(server, job, "full")
    for job in jobs:
        assert attach(server, job) == Result(7, blob.read_bytes(), b"")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "disk"
    path.mkdir()
    if not AS_ROOT or run("mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(path)).code != 0:
        pytest.skip("a small disk cannot be made here")
    yield path
    assert run("umount", "-l", str(path)).code == 0


def fill_up(path: Path) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        while os.write(file, bytes(4096)):
            pass
    except OSError as error:
        assert error.errno == errno.ENOSPC
    finally:
        os.close(file)


def test_a_full_disk_refuses_new_jobs_and_running_ones_wait(small_disk: Path, make_place: Callable[..., object],
                                                            make_server: MakeServer, blob: Path, runs: Runs) -> None:
    place = make_place()
    place.state = small_disk / "state"
    server = make_server(place=place)
    name = fresh_name()
    detach(server, f"cat {blob}; exit 7", "--job", name)
    wait_until(server, name, "full")
    ballast = small_disk / "ballast"
    fill_up(ballast)
    refused = server.rcmd(runs.command, options=["-d"])
    refused.failed_by_itself()
    assert NEVER_STARTED.search(refused.message) and runs.count == 0
    assert server.serves()
    assert list(listed(server)) == [name]
    ballast.unlink()
    assert attach(server, name) == Result(7, blob.read_bytes(), b"")
    assert attach(server, detach(server, "echo hi")) == Result(0, b"hi\n", b"")


# Kept for a while


def make_older(path: Path, seconds: int) -> None:
    then = time.time() - seconds
    os.utime(path / "end", (then, then))


def test_a_finished_job_is_removed_when_its_time_is_up(make_server: MakeServer, runs: Runs) -> None:
    server = make_server()
    old, young = fresh_name(), fresh_name()
    command = f"{runs.command}; echo hi"
    for name in (old, young):
        assert named(server, name, command) == Result(0, b"hi\n", b"")
    server.stop()
    make_older(directory(server.place, old), 8 * DAY)
    make_older(directory(server.place, young), 6 * DAY)
    again = restarted(make_server, server)
    wait_for(lambda: set(listed(again)) == {young}, "the old job to be removed")
    wait_for(lambda: not directory(server.place, old).exists(), "the old job to be gone from disk")
    attach(again, old).failed_by_itself()
    assert attach(again, young).out == b"hi\n"
    assert named(again, old, command) == Result(0, b"hi\n", b"")  # the name is free
    assert runs.count == 3


def test_retain_says_how_long(make_server: MakeServer) -> None:
    server = make_server("--retain", "1000")
    old, young = fresh_name(), fresh_name()
    for name in (old, young):
        assert named(server, name, "echo hi").code == 0
    server.stop()
    make_older(directory(server.place, old), 1100)
    make_older(directory(server.place, young), 900)
    again = restarted(make_server, server, "--retain", "1000")
    wait_for(lambda: set(listed(again)) == {young}, "the old job to be removed")


def test_a_finished_job_is_kept_as_long_as_its_client_may_come_back(make_server: MakeServer) -> None:
    server = make_server("--retain", "0")
    long, short = fresh_name(), fresh_name()
    for name, keep in ((long, "1h"), (short, "0")):
        assert named(server, name, "echo hi", "--keep", keep).code == 0
    server.stop()
    for name in (long, short):
        make_older(directory(server.place, name), 1800)
    again = restarted(make_server, server, "--retain", "0")
    wait_for(lambda: set(listed(again)) == {long}, "the other job to be removed")
    assert attach(again, long).out == b"hi\n"


def test_a_running_job_is_never_too_old(make_server: MakeServer, go: Path) -> None:
    server = make_server("--retain", "0")
    job = detach(server, f"echo up; {gate(go)}; echo down", "--keep", "0")
    done = detach(server, "echo hi", "--keep", "0")
    wait_until(server, done, "finished")
    server.stop()
    for path in directory(server.place, job).iterdir():
        os.utime(path, (0, 0))
    make_older(directory(server.place, done), DAY)
    again = restarted(make_server, server, "--retain", "0")
    wait_for(lambda: set(listed(again)) == {job}, "the other job to be removed")
    go.touch()
    assert attach(again, job).out == b"up\ndown\n"


def test_a_job_that_is_removed_while_it_is_read_is_read_to_its_end(make_server: MakeServer) -> None:
    server = make_server()
    job = detach(server, f"{COUNT}; exit 3")
    wait_until(server, job, "finished")
    small = {"stdout": 65536, "stderr": 65536}
    with server.login(acks=False) as client:
        known = client.attach(wire.Job(job, limits=small), "a", 1)
        client.until(lambda: len(known.out) == 65536)
        shutil.rmtree(directory(server.place, job))
        client.acks = True
        client.grant(known, "stdout", 1 << 20)
        client.finish(known)
    assert known.error is None, known.error
    assert (known.out, known.exit["code"]) == (NUMBERS, 3)


# Rubbish


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:len(path.read_bytes()) // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def fill(path: Path) -> None:
    path.write_bytes(b"\xff\0{\n" * 100)


def remove(path: Path) -> None:
    path.unlink()


def make_a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def make_a_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def make_endless(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def three_bytes(path: Path) -> None:
    path.write_bytes(b"abc")


def too_large(path: Path) -> None:
    path.write_bytes(b"\xff" * 16)


CHANGES = [cut_short, empty, fill, make_a_directory]
RUBBISH = [(name, change) for name in ("request", "end", "kept") for change in CHANGES]
RUBBISH += [("request", make_endless), ("request", remove), ("end", make_endless), ("kept", remove),
            ("kept", three_bytes), ("kept", too_large), ("stdout", cut_short), ("stdout", empty), ("stdout", remove),
            ("stdout", make_a_directory)]


@pytest.fixture(params=["living", "restarted"])
def whether_restarted(request: pytest.FixtureRequest) -> bool:
    return request.param == "restarted"


@pytest.mark.parametrize(("name", "change"), RUBBISH, ids=[f"{name}-{change.__name__}" for name, change in RUBBISH])
def test_a_job_with_rubbish_is_said_to_be_so_and_not_run_again(make_server: MakeServer, runs: Runs, name: str,
                                                               change: Callable[[Path], None],
                                                               whether_restarted: bool) -> None:
    server = make_server()
    broken, healthy = fresh_name(), fresh_name()
    command = f"{runs.command}; seq 10000; exit 5"
    for job in (broken, healthy):
        assert named(server, job, command).code == 5
    change(directory(server.place, broken) / name)
    if whether_restarted:
        server.stop()
        server = restarted(make_server, server)
    assert server.serves()
    result = attach(server, broken)
    assert result.code == 255 and len(result.message.splitlines()) == 1, result
    again = named(server, broken, command)
    assert again.code == 255 and len(again.message.splitlines()) == 1, again
    assert not NEVER_STARTED.search(again.message), again.message
    entries = listed(server)
    assert entries[healthy]["state"] == "finished"
    if name in ("request", "end") and broken in entries:
        assert entries[broken]["state"] == "unknown", entries[broken]
    assert runs.count == 2
    assert attach(server, healthy).code == 5
    assert server.serves()


@pytest.mark.parametrize("name", ["request", "end", "kept", "stdout", "starting", "socket"])
def test_a_fifo_in_place_of_a_file_blocks_nobody(make_server: MakeServer, runs: Runs, name: str) -> None:
    server = make_server("--threads", "1")
    job = fresh_name()
    command = f"{runs.command}; echo hi"
    assert named(server, job, command).code == 0
    make_a_fifo(directory(server.place, job) / name)
    assert attach(server, job, timeout=20).code in (0, 255)
    assert server.serves()
    assert named(server, job, command).code in (0, 255)
    assert runs.count == 1


@pytest.mark.parametrize("change", [empty, cut_short], ids=["empty", "cut-short"])
def test_an_end_that_is_cut_short_leaves_the_outcome_unknown(make_server: MakeServer, runs: Runs,
                                                             change: Callable[[Path], None]) -> None:
    server = make_server()
    name = fresh_name()
    assert named(server, name, f"{runs.command}; echo hi; exit 5").code == 5
    change(directory(server.place, name) / "end")
    result = attach(server, name)
    assert result.code == 255 and MAY_HAVE_RUN.search(result.message), result
    assert runs.count == 1


def test_a_lock_that_is_a_directory_harms_one_job_only(make_server: MakeServer, runs: Runs) -> None:
    server = make_server()
    name = fresh_name()
    command = f"{runs.command}; echo hi"
    assert named(server, name, command).code == 0
    server.stop()
    make_a_directory(directory(server.place, name) / "lock")
    again = restarted(make_server, server)
    assert attach(again, name).code in (0, 255)
    assert named(again, name, command).code in (0, 255)
    assert runs.count == 1
    assert again.serves()


def strays(jobs: Path, own: Path) -> None:
    """What has no business there."""
    (jobs / "stray").write_text("stray\n")
    (own / "stray").write_text("stray\n")
    os.mkfifo(jobs / "fifo")
    os.mkfifo(own / "fifo")
    (jobs / "empty@nowhere").mkdir()
    (own / "empty").mkdir()
    (own / "name with\nnewline").mkdir()
    (own / ".hidden").mkdir()
    (own / ".hidden" / "request").write_text("stray\n")
    (own / os.fsdecode(b"\xff\xfe")).mkdir()
    (own / "loop").symlink_to(own)
    (own / "dangling").symlink_to(own / "nowhere")


def test_strays_in_the_state_directory_are_no_jobs(make_server: MakeServer, whether_restarted: bool) -> None:
    server = make_server()
    name = fresh_name()
    assert named(server, name, "echo hi").code == 0
    own = directory(server.place, name).parent
    strays(own.parent, own)
    if whether_restarted:
        server.stop()
        server = restarted(make_server, server)
    assert listed(server)[name]["state"] == "finished"
    for entry in listed(server).values():
        assert entry["job"] == name or entry["state"] == "unknown", entry
    for stray in ("stray", "fifo", "empty", "loop", "dangling"):
        attach(server, stray).failed_by_itself()
    assert attach(server, name).out == b"hi\n"
    assert attach(server, detach(server, "echo new")).out == b"new\n"
    assert server.serves()


@pytest.mark.parametrize("stray", ["stray", "fifo", "dangling"])
def test_a_name_that_a_stray_has_is_refused(make_server: MakeServer, runs: Runs, stray: str) -> None:
    server = make_server()
    name = fresh_name()
    assert named(server, name, "echo hi").code == 0
    own = directory(server.place, name).parent
    strays(own.parent, own)
    named(server, stray, runs.command).failed_by_itself()
    assert runs.count == 0
    assert server.serves()


def test_a_job_in_place_of_another_is_not_believed(make_server: MakeServer, runs: Runs) -> None:
    server = make_server()
    name, copy = fresh_name(), fresh_name()
    command = f"{runs.command}; echo hi"
    assert named(server, name, command).code == 0
    own = directory(server.place, name)
    server.stop()
    (own.parent / copy).mkdir(mode=0o700)
    (own.parent / copy / "request").write_bytes((own / "request").read_bytes())
    again = restarted(make_server, server)
    attach(again, copy).failed_by_itself()
    assert listed(again)[name]["state"] == "finished"
    assert runs.count == 1
    assert again.serves()


def test_jobs_that_are_a_file_let_no_durable_job_start(make_server: MakeServer, make_place: Callable[..., object],
                                                       runs: Runs) -> None:
    place = make_place()
    place.state.mkdir(mode=0o700)
    (place.state / "jobs").write_text("rubbish\n")
    server = make_server(place=place)
    refused = server.rcmd(runs.command, options=["-d"])
    refused.failed_by_itself()
    assert NEVER_STARTED.search(refused.message) and runs.count == 0
    result = run(RCMD, "jobs", server.host, env=base_environment(place.home))
    assert result.code in (0, 255) and result.err.count(b"\n") <= 1
    assert server.serves()


def test_a_keys_jobs_that_are_a_file_let_no_durable_job_start(make_server: MakeServer, runs: Runs) -> None:
    server = make_server()
    path = server.place.state / "jobs"
    path.mkdir(mode=0o700, exist_ok=True)
    (path / server.place.key.key_id).write_text("rubbish\n")
    refused = server.rcmd(runs.command, options=["-d"])
    refused.failed_by_itself()
    assert NEVER_STARTED.search(refused.message) and runs.count == 0
    assert server.serves()


def test_a_state_directory_that_is_a_file_is_refused(make_place: Callable[..., object]) -> None:
    place = make_place()
    place.state.write_text("rubbish\n")
    result = run_server(place)
    assert result.code != 0 and str(place.state) in result.message


@pytest.mark.skipif(AS_ROOT, reason="root may write everywhere")
def test_a_state_directory_that_is_not_writable_is_refused(make_place: Callable[..., object]) -> None:
    place = make_place()
    place.state.mkdir(mode=0o500)
    result = run_server(place)
    assert result.code != 0 and str(place.state) in result.message
