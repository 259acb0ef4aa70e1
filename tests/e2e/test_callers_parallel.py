"""GNU parallel with rcmd as its remote shell: outputs, statuses, files that go there and come back, option -M."""
from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

from callers import USER, await_the_end_of, call, configure, digest, environment, random_file
from harness import Place, Result, Server, mark, marked, process, scaled, wait_for

HOSTS = ("alpha", "beta")


@pytest.fixture(scope="module")
def hosts(place: Place, server: Server) -> Iterator[Place]:
    """The one server under two names; the notice that is for people who publish is settled."""
    configure(place, {name: {"address": "127.0.0.1", "port": server.port, "env": {"HOST": name}} for name in HOSTS})
    (place.home / ".parallel").mkdir()
    (place.home / ".parallel" / "will-cite").touch()
    yield place


def parallel(place: Place, *words: Any, **options: Any) -> Result:
    return call(place, "parallel", "--ssh", "rcmd", *map(str, words), **options)


def test_every_job_runs_once_on_one_of_the_hosts(hosts: Place, tmp_path: Path) -> None:
    count = scaled(60, least=12)
    ran = tmp_path / "ran"
    result = parallel(hosts, "-S", ",".join(f"3/{name}" for name in HOSTS), f"echo {{}} >>{ran}; echo $HOST {{}}",
                      ":::", *range(count))
    assert (result.code, result.err) == (0, b"")
    assert sorted(ran.read_text().split()) == sorted(map(str, range(count)))
    said = [line.split() for line in result.out.decode().splitlines()]
    assert sorted(number for _, number in said) == sorted(map(str, range(count)))
    assert {host for host, _ in said} == set(HOSTS)


def test_the_order_is_kept_when_that_is_wanted(hosts: Place) -> None:
    result = parallel(hosts, "-k", "-S", "4/alpha", "[ {} = 1 ] && sleep 1; echo {}", ":::", 1, 2, 3, 4, 5)
    assert result == Result(0, b"1\n2\n3\n4\n5\n", b"")


@pytest.mark.parametrize("way", ["environment", "login", "a user and a port in -S"])
def test_the_ways_to_say_which_shell_and_host(hosts: Place, server: Server, way: str) -> None:
    if way == "environment":
        result = call(hosts, "parallel", "-S", "alpha", "echo got {}", ":::", "a", "b c", env={"PARALLEL_SSH": "rcmd"})
    elif way == "login":
        result = call(hosts, "parallel", "-S", f"rcmd -p {server.port} 127.0.0.1", "echo got {}", ":::", "a", "b c")
    else:
        result = parallel(hosts, "-S", f"{USER}@127.0.0.1:{server.port}", "echo got {}", ":::", "a", "b c")
    assert (result.code, result.err) == (0, b"")
    assert sorted(result.out.splitlines()) == [b"got a", b"got b c"]


def test_hosts_from_a_file(hosts: Place, tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("2/alpha\n2/beta\n")
    result = parallel(hosts, "--sshloginfile", tmp_path / "hosts", "echo {}", ":::", 1, 2, 3)
    assert result.code == 0 and sorted(result.out.split()) == [b"1", b"2", b"3"], result


def test_every_host_runs_all_of_it_with_onall_and_nonall(hosts: Place) -> None:
    result = parallel(hosts, "--onall", "-S", ",".join(HOSTS), "echo $HOST {}", ":::", 1, 2)
    assert result.code == 0, result
    assert sorted(result.out.splitlines()) == [b"alpha 1", b"alpha 2", b"beta 1", b"beta 2"]
    result = parallel(hosts, "--nonall", "--tag", "-S", ",".join(HOSTS), "echo I am $HOST")
    assert result.code == 0, result
    assert sorted(result.out.splitlines()) == [b"alpha\tI am alpha", b"beta\tI am beta"]


@pytest.mark.parametrize("text",
                         ["a  b", "it's", '"', "$HOME `id` $(id)", "*", "\\", "ümläut", "-n", "a;b|c&d>e", "!x", ""])
def test_an_argument_arrives_as_it_is(hosts: Place, text: str) -> None:
    assert parallel(hosts, "-S", "alpha", "printf '<%s>'", ":::", text) == Result(0, f"<{text}>".encode(), b"")


def test_a_long_command_arrives_whole(hosts: Place) -> None:
    text = "x" * 20_000
    assert parallel(hosts, "-S", "alpha", "echo", ":::", text).out == text.encode() + b"\n"


@pytest.mark.parametrize("failing", [0, 1, 3])
def test_the_status_is_the_number_of_jobs_that_failed(hosts: Place, tmp_path: Path, failing: int) -> None:
    log = tmp_path / "log"
    result = parallel(hosts, "--joblog", log, "-S", ",".join(f"4/{name}" for name in HOSTS),
                      f"[ {{}} -ge {failing} ] || exit 4{{}}", ":::", *range(6))
    assert (result.code, result.out) == (failing, b"")
    lines = [line.split("\t") for line in log.read_text().splitlines()]
    value, host = lines[0].index("Exitval"), lines[0].index("Host")
    by_number = {line[-1].split()[1]: line for line in lines[1:]}
    for number in range(6):
        line = by_number[str(number)]
        assert line[value] == (f"4{number}" if number < failing else "0"), line
        assert line[host] in HOSTS


@pytest.mark.parametrize("command, expected", [("kill -9 $$", "137"), ("exit 255", "255"), ("no-such-program", "127")])
def test_the_log_has_the_status_of_each_end(hosts: Place, tmp_path: Path, command: str, expected: str) -> None:
    log = tmp_path / "log"
    assert parallel(hosts, "--joblog", log, "-S", "alpha", f"{command} # {{}}", ":::", 1).code == 1
    header, line = (text.split("\t") for text in log.read_text().splitlines())
    exit_value, by_signal = line[header.index("Exitval")], line[header.index("Signal")]
    assert expected in (exit_value, str(128 + int(by_signal))), line


def test_halt_ends_at_the_first_failure(hosts: Place, tmp_path: Path) -> None:
    result = parallel(hosts, "-j1", "--halt", "now,fail=1", "-S", "alpha", f"touch {tmp_path}/{{}}; [ {{}} != 2 ]",
                      ":::", 1, 2, 3, 4)
    assert result.code == 1, result
    assert sorted(os.listdir(tmp_path)) == ["1", "2"]


def test_outputs_are_not_mixed(hosts: Place) -> None:
    """Each job writes in many small pieces, many jobs at a time, on both streams."""
    lines = scaled(2000, least=200)
    command = f"i=0; while [ $i -lt {lines} ]; do echo out {{}} $i; echo err {{}} $i >&2; i=$((i+1)); done"
    result = parallel(hosts, "-S", "4/alpha,4/beta", command, ":::", *range(8))
    assert result.code == 0
    for stream, kind in ((result.out, "out"), (result.err, "err")):
        said = [line.split() for line in stream.decode().splitlines()]
        assert len(said) == 8 * lines
        blocks = [said[start:start + lines] for start in range(0, len(said), lines)]
        for block in blocks:
            assert block == [[kind, block[0][1], str(number)] for number in range(lines)]
        assert sorted(block[0][1] for block in blocks) == [str(number) for number in range(8)]


def test_each_part_of_a_pipe_goes_to_a_job(hosts: Place) -> None:
    count = scaled(200_000, least=20_000)
    numbers = b"".join(b"%d\n" % number for number in range(count))
    result = parallel(hosts, "--pipe", "--block", "100k", "-S", "2/alpha,2/beta", "cat", input=numbers)
    assert (result.code, result.err) == (0, b"")
    assert sorted(result.out.splitlines(), key=int) == numbers.splitlines()


def test_environment_variables_go_over(hosts: Place) -> None:
    result = parallel(hosts, "--env", "MINE", "-S", "alpha", 'echo "$MINE" {}', ":::", 1, env={"MINE": "a  'b' $c"})
    assert result == Result(0, b"a  'b' $c 1\n", b"")


# GNU parallel of 2022 and rsync since 3.2.4 quote the names that come back differently, whatever the remote shell.
NAMES = ["one", "two", "three-3", "vier"]
AWKWARD = ["one", "t w o", "it's three", "ümläut"]


KEPT = "kept"


def left(directory: Path) -> list[Path]:
    """What cleaning up has left: it removes the directory too if nothing is in it any more."""
    return [path for path in directory.iterdir() if path.name != KEPT] if directory.exists() else []


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """All of these files, in the current directory."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for name in {*NAMES, *AWKWARD}:
        random_file(Path(name), 300_000)
    # Something of ours is in the directory over there, so that it is neither made nor removed: when several jobs do that at one time,
    # rsync's mkdir fails now and then.
    (tmp_path / "over there").mkdir()
    (tmp_path / "over there" / KEPT).touch()
    return tmp_path / "over there"


def test_files_go_there_and_results_come_back_and_nothing_is_left(hosts: Place, there: Path) -> None:
    result = parallel(hosts, "-S", "2/alpha,2/beta", "--wd", there, "--transferfile", "{}", "--return", "{}.sum",
                      "--cleanup", "pwd; sha256sum <{} >{}.sum", ":::", *NAMES)
    assert (result.code, result.err) == (0, b"")
    assert result.out.decode().splitlines() == [str(there)] * len(NAMES)
    for name in NAMES:
        assert Path(f"{name}.sum").read_text().split()[0] == digest(name)
    assert left(there) == []


def test_without_cleanup_the_files_stay(hosts: Place, there: Path) -> None:
    result = parallel(hosts, "-S", "alpha", "--wd", there, "--transferfile", "{}", "--return", "{}.copy",
                      "cp {} {}.copy", ":::", *NAMES)
    assert (result.code, result.err) == (0, b"")
    assert sorted(path.name for path in there.iterdir()) == sorted([KEPT, *NAMES, *(f"{name}.copy" for name in NAMES)])
    for name in NAMES:
        assert digest(f"{name}.copy") == digest(there / name) == digest(name)


def test_trc_is_all_of_that_in_a_subdirectory(hosts: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here" / "deep er").mkdir(parents=True)
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    random_file(Path("deep er/file"), 100_000)
    result = parallel(hosts, "-S", "alpha", "--wd", tmp_path / "there", "--trc", "{}.back", "cp {} {}.back", ":::",
                      "deep er/file")
    assert (result.code, result.err) == (0, b"")
    assert digest("deep er/file.back") == digest("deep er/file")
    assert [path for path in (tmp_path / "there").rglob("*") if path.is_file()] == []


def test_a_base_file_is_there_for_every_job(hosts: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    Path("base file").write_text("common\n")
    result = parallel(hosts, "-S", "alpha", "--wd", tmp_path / "there", "--basefile", "base file", "--cleanup",
                      "cat 'base file'; echo {}", ":::", 1, 2)
    assert result.code == 0 and sorted(result.out.split()) == [b"1", b"2", b"common", b"common"], result
    assert left(tmp_path / "there") == []


def test_files_with_any_name_go_there(hosts: Place, there: Path) -> None:
    result = parallel(hosts, "-S", "2/alpha,2/beta", "--wd", there, "--transferfile", "{}", "--cleanup",
                      "sha256sum <{}; echo {}", ":::", *AWKWARD)
    assert (result.code, result.err) == (0, b"")
    said = result.out.decode().splitlines()
    assert sorted(said[1::2]) == sorted(AWKWARD)
    assert [line.split()[0] for line in said[::2]] == [digest(name) for name in said[1::2]]
    assert left(there) == []


def test_a_failing_job_with_files_is_counted(hosts: Place, there: Path) -> None:
    result = parallel(hosts, "-S", "alpha", "--wd", there, "--transferfile", "{}", "--cleanup", "test {} = one", ":::",
                      *NAMES)
    assert result.code == len(NAMES) - 1, result
    assert left(there) == []


def test_with_m_everything_is_the_same(hosts: Place, there: Path) -> None:
    result = parallel(hosts, "-M", "-S", "2/alpha,2/beta", "--wd", there, "--transferfile", "{}", "--return", "{}.sum",
                      "--cleanup", "sha256sum <{} >{}.sum; test {} != one", ":::", *NAMES)
    assert (result.code, result.out, result.err) == (1, b"", b"")
    for name in NAMES:
        assert Path(f"{name}.sum").read_text().split()[0] == digest(name)
    assert left(there) == []


def test_many_jobs_at_once_need_no_delay(hosts: Place) -> None:
    count = scaled(64, least=16)
    result = parallel(hosts, "-j0", "-S", "alpha", "echo {}", ":::", *range(count))
    assert (result.code, result.err) == (0, b"")
    assert sorted(map(int, result.out.split())) == list(range(count))


def test_retries_go_to_the_other_host(hosts: Place, make_server: Callable[..., Server]) -> None:
    """A host that is not reached costs a try, no more."""
    gone = make_server()
    gone.kill()
    words = ["-S", f"1/rcmd -p {gone.port} 127.0.0.1,1/alpha", "echo {}", ":::", 1, 2, 3, 4]
    result = parallel(hosts, *words)
    assert result.code > 0 and "rcmd: 127.0.0.1: " in result.message
    result = parallel(hosts, "--retries", "3", *words)
    assert result.code == 0 and sorted(result.out.split()) == [b"1", b"2", b"3", b"4"], result


def test_filter_hosts_leaves_out_what_is_not_reached(hosts: Place, make_server: Callable[..., Server]) -> None:
    gone = make_server()
    gone.kill()
    result = parallel(hosts, "--filter-hosts", "-S", f"rcmd -p {gone.port} 127.0.0.1,1/alpha", "echo $HOST {}", ":::",
                      1, 2, 3)
    assert result.code == 0, result
    assert sorted(result.out.splitlines()) == [b"alpha 1", b"alpha 2", b"alpha 3"]


def test_an_interrupted_parallel_leaves_nothing_over_there(hosts: Place, tmp_path: Path) -> None:
    """Its jobs are in process groups of their own over there; it is its remote shell that is signalled."""
    name = mark()
    with process("parallel", "--ssh", f"rcmd --keep 1h -e {name}=1", "-S", "2/alpha",
                 f"touch {tmp_path}/{{}}; sleep 1000", ":::", "1", "2", env=environment(hosts),
                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                 start_new_session=True) as running:
        wait_for(lambda: sorted(os.listdir(tmp_path)) == ["1", "2"], "the jobs to run")
        assert marked(name)
        running.send_signal(signal.SIGINT)
        assert running.wait(60) != 0
    await_the_end_of(name)
