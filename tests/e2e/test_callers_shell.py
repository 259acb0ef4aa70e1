"""rcmd in shell scripts: in pipelines and loops, with descriptors of any kind, which it leaves as it found them."""
from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import socket
import subprocess
import threading
from pathlib import Path
from typing import Any, Iterator

import pytest

from callers import MIB, configure, digest, environment, plant, random_file, tree
from harness import RCMD, Place, Result, Server, process, run, scaled, wait_for

# More than fits into any buffer on the way.
LINES = b"".join(b"%06d\n" % number for number in range(scaled(500_000, least=100_000)))


@pytest.fixture(scope="module")
def hosts(place: Place, server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Two servers, alpha and beta, and a name under which there is none."""
    other_place = Place(tmp_path_factory.mktemp("other") / "place")
    other_place.authorize(place.key)
    other = Server(other_place)
    gone = Server(Place(tmp_path_factory.mktemp("gone") / "place"))
    gone.kill()
    configure(place, {name: {"address": "127.0.0.1", "port": each.port, "env": {"HOST": name}}
                      for name, each in (("alpha", server), ("beta", other), ("gone", gone))})
    yield place
    gone.stop()
    other.stop()


def shell(place: Place, script: str, *words: Any, env: dict[str, str] | None = None, **options: Any) -> Result:
    """Runs a script of sh; the words are its $1 and so on."""
    return run("sh", "-c", script, "sh", *map(str, words), env=environment(place, **(env or {})), **options)


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return plant(tmp_path_factory.mktemp("planted") / "source tree")


def test_tar_into_another_host(hosts: Place, planted: Path, tmp_path: Path) -> None:
    script = 'tar -C "$1" -c . | rcmd alpha "mkdir -p $2 && tar -C $2 -x -p"'
    assert shell(hosts, script, planted, tmp_path / "target") == Result(0, b"", b"")
    assert tree(tmp_path / "target") == tree(planted)


def test_tar_out_of_another_host(hosts: Place, planted: Path, tmp_path: Path) -> None:
    assert shell(hosts, 'rcmd --cwd "$1" alpha tar -c . | tar -C "$2" -x -p', planted, tmp_path) == Result(0, b"", b"")
    assert tree(tmp_path) == tree(planted)


def test_tar_from_host_to_host(hosts: Place, planted: Path, tmp_path: Path) -> None:
    script = 'rcmd --cwd "$1" alpha "tar c ." | rcmd --cwd "$2" beta "tar xp; echo unpacked on \\$HOST"'
    assert shell(hosts, script, planted, tmp_path) == Result(0, b"unpacked on beta\n", b"")
    assert tree(tmp_path) == tree(planted)


def test_a_pipeline_through_several_hosts_is_byte_exact(hosts: Place, tmp_path: Path) -> None:
    source = random_file(tmp_path / "source", scaled(32, least=4) * MIB + 3)
    script = 'rcmd alpha cat <"$1" | rcmd beta gzip -1 | rcmd alpha gzip -d | rcmd beta cat >"$2"'
    assert shell(hosts, script, source, tmp_path / "target") == Result(0, b"", b"")
    assert digest(tmp_path / "target") == digest(source)


def test_the_status_counts_in_lists_and_pipelines(hosts: Place) -> None:
    script = """
        rcmd alpha true && echo and
        rcmd alpha false || echo or $?
        if rcmd alpha 'exit 3'; then echo no; else echo else $?; fi
        ! rcmd alpha false && echo not
        x=$(rcmd alpha 'echo word; exit 4'); echo $x $?
        (rcmd alpha 'exit 5'); echo $?
        rcmd gone true 2>/dev/null; echo $?
    """
    assert shell(hosts, script).out.decode().split() == "and or 1 else 3 not word 4 5 255".split()
    result = run("bash", "-c", "set -o pipefail; rcmd alpha 'echo x; exit 6' | rcmd beta cat", env=environment(hosts))
    assert (result.code, result.out) == (6, b"x\n")


def test_a_background_list_and_wait(hosts: Place) -> None:
    script = """
        for i in 1 2 3 4; do rcmd alpha "exit 1$i" & pids="$pids $!"; done
        for p in $pids; do wait $p; echo $?; done
    """
    assert shell(hosts, script).out.split() == [b"11", b"12", b"13", b"14"]


@pytest.mark.parametrize("command", ["true", "false", "echo $HOST >/dev/null", "exec <&-", "sleep 0", "exit 5"])
def test_a_loop_that_reads_a_file_loses_no_line(hosts: Place, tmp_path: Path, command: str) -> None:
    names = ["alpha", "beta"] * 5 + ["alpha"]
    (tmp_path / "hosts").write_text("".join(f"{name}\n" for name in names))
    result = shell(hosts, 'while read h; do rcmd $h "$2"; echo $h; done <"$1"', tmp_path / "hosts", command)
    assert (result.out.decode().split(), result.err) == (names, b"")


def test_a_loop_over_hosts_that_are_not_reached_loses_no_line(hosts: Place, tmp_path: Path) -> None:
    names = ["alpha", "gone", "beta", "gone", "gone", "alpha"]
    (tmp_path / "hosts").write_text("\n".join(names))  # the last line has no end, as some editors leave it
    result = shell(hosts, 'while read h || [ "$h" ]; do rcmd $h true; echo $h $?; h=; done <"$1"', tmp_path / "hosts")
    assert result.out.decode().splitlines() == [f"{name} {255 if name == 'gone' else 0}" for name in names]


def test_a_loop_over_a_large_file_loses_no_line(hosts: Place, tmp_path: Path) -> None:
    """What rcmd has read ahead, megabytes of it, is given back."""
    (tmp_path / "lines").write_bytes(LINES)
    result = shell(hosts, 'i=0; while [ $i -lt 5 ] && read x; do rcmd alpha true; echo $x; i=$((i+1)); done <"$1"',
                   tmp_path / "lines")
    assert (result.out.split(), result.err) == ([b"%06d" % number for number in range(5)], b"")


def test_a_loop_that_reads_a_pipe_needs_n(hosts: Place) -> None:
    script = "printf 'alpha\\nbeta\\nalpha\\nbeta\\n' | while read h; do rcmd -n $h 'echo $HOST'; done"
    assert shell(hosts, script).out.split() == [b"alpha", b"beta", b"alpha", b"beta"]


def test_the_loop_and_the_commands_share_the_lines(hosts: Place, tmp_path: Path) -> None:
    (tmp_path / "lines").write_text("".join(f"{number}\n" for number in range(1, 7)))
    result = shell(hosts, "while read x; do echo here $x; rcmd alpha 'read x; echo there $x'; done <\"$1\"",
                   tmp_path / "lines")
    assert result.out.decode().splitlines() == ["here 1", "there 2", "here 3", "there 4", "here 5", "there 6"]


@pytest.mark.parametrize("command, consumed", [
    ("true", 0),
    ("exec <&-; true", 0),
    ("dd bs=1 count=5 2>/dev/null", 5),
    ("read x; echo $x", 7),
    ("dd bs=1 count=20000 2>/dev/null", 20_000),
    ("head -c 5 | cat", 5),
    ("dd bs=65536 count=3 iflag=fullblock 2>/dev/null", 3 * 65536),
    ("cat", len(LINES)),
    ("dd bs=1 count=5 2>/dev/null; exit 9", 5),
    ("dd bs=1 count=5 2>/dev/null; kill -KILL $$", 5),
])
def test_a_file_is_set_back_to_what_the_command_consumed(hosts: Place, tmp_path: Path, command: str,
                                                         consumed: int) -> None:
    (tmp_path / "lines").write_bytes(LINES)
    result = shell(hosts, '{ rcmd alpha "$2"; cat; } <"$1"', tmp_path / "lines", command)
    # What these commands have read they have written.
    assert result == Result(0, LINES, b"")
    with (tmp_path / "lines").open("rb", buffering=0) as source:
        assert run(RCMD, "alpha", command, env=environment(hosts), stdin=source).err == b""
        assert source.tell() == consumed


def test_a_file_is_set_back_relative_to_where_it_was(hosts: Place, tmp_path: Path) -> None:
    (tmp_path / "lines").write_bytes(LINES)
    script = """{
        read a; rcmd alpha 'read b; echo $b'
        read c; rcmd beta 'dd bs=1 count=7 2>/dev/null'
        read d; echo $a $c $d
    } <"$1" """
    assert shell(hosts, script, tmp_path / "lines").out.split() == [b"000001", b"000003", b"000000", b"000002",
                                                                    b"000004"]


def test_a_file_opened_for_both_is_set_back(hosts: Place, tmp_path: Path) -> None:
    (tmp_path / "lines").write_text("one\ntwo\nthree\n")
    result = shell(hosts, "{ rcmd alpha 'read x'; printf TWO; cat; } <>\"$1\"", tmp_path / "lines",
                   stdout=subprocess.PIPE)
    assert result.code == 0 and (tmp_path / "lines").read_text() == "one\ntwo\nthree\n"
    assert result.out == b"TWOtwo\nthree\n"


@pytest.mark.parametrize("words",
                         ["-n alpha true", "-n alpha cat", "gone cat", "-i /no/such/key alpha cat",
                          "--no-such-option alpha cat", "-V", "-G alpha"])
def test_a_file_is_untouched_where_nothing_reads_it(hosts: Place, tmp_path: Path, words: str) -> None:
    (tmp_path / "lines").write_bytes(LINES)
    result = shell(hosts, f'{{ rcmd {words} >/dev/null 2>&1; cat; }} <"$1"', tmp_path / "lines")
    assert result.out == LINES


def test_n_takes_nothing_from_a_pipe_either(hosts: Place) -> None:
    assert shell(hosts, "printf 'one\\ntwo\\n' | { rcmd -n alpha 'cat; echo end'; cat; }").out == b"end\none\ntwo\n"


# Descriptors of three kinds, each with the other end of it.

def make_pipe(writing: bool) -> tuple[int, int]:
    read_end, write_end = os.pipe()
    return (write_end, read_end) if writing else (read_end, write_end)


def make_socket(_: bool) -> tuple[int, int]:
    return tuple(end.detach() for end in socket.socketpair())  # type: ignore[return-value]


class Descriptors:
    """stdin, stdout and stderr for a client, and the other ends of them. On a terminal the three are one."""

    def __init__(self, kind: str, nonblocking: bool):
        if kind == "terminal":
            other, mine = pty.openpty()
            self.mine, self.other = [mine] * 3, [other] * 3
        else:
            make = {"pipe": make_pipe, "socket": make_socket}[kind]
            ends = [make(writing) for writing in (False, True, True)]
            self.mine, self.other = [end[0] for end in ends], [end[1] for end in ends]
        for descriptor in self.mine:
            os.set_blocking(descriptor, not nonblocking)
        self.found = self.flags()

    def __enter__(self) -> Descriptors:
        return self

    def __exit__(self, *_: object) -> None:
        for descriptor in {*self.mine, *self.other}:
            os.close(descriptor)

    def flags(self) -> list[int]:
        return [fcntl.fcntl(descriptor, fcntl.F_GETFL) for descriptor in self.mine]

    def read_until(self, number: int, text: bytes) -> None:
        got = b""
        while text not in got:
            assert select.select([self.other[number]], [], [], 60)[0], f"{text!r} did not come: {got!r}"
            got += os.read(self.other[number], 1000)


@pytest.mark.parametrize("nonblocking", [False, True], ids=["blocking", "nonblocking"])
@pytest.mark.parametrize("kind", ["pipe", "terminal", "socket"])
@pytest.mark.parametrize("end", ["0", "3", "not reached", "bad option", "TERM", "INT", "HUP", "KILL"])
def test_descriptors_are_left_as_they_were_found(hosts: Place, kind: str, nonblocking: bool, end: str) -> None:
    words = {"not reached": ["gone", "true"], "bad option": ["--no-such-option", "alpha", "true"]}.get(
        end, ["alpha", f"echo ready; echo error >&2; read x; exit {end if end.isdigit() else 0}"])
    with Descriptors(kind, nonblocking) as ends:
        with process(RCMD, *words, env=environment(hosts), stdin=ends.mine[0], stdout=ends.mine[1],
                     stderr=ends.mine[2], start_new_session=True) as client:
            if words[0] == "alpha":
                ends.read_until(1, b"ready")
                if kind != "terminal":
                    ends.read_until(2, b"error\n")
                assert ends.flags() == ends.found
                if end.isdigit():
                    os.write(ends.other[0], b"go\n")
                else:
                    client.send_signal(getattr(signal, f"SIG{end}"))
            code = client.wait(60)
        assert ends.flags() == ends.found
        number = getattr(signal, f"SIG{end}", None)
        expected = int(end) if end.isdigit() else -9 if end == "KILL" else 128 + number if number else 255
        assert code == expected


def full(descriptor: int) -> bool:
    return not select.select([], [descriptor], [], 0)[1]


@pytest.mark.parametrize("kind", ["pipe", "socket", "terminal"])
@pytest.mark.parametrize("stream", [1, 2], ids=["stdout", "stderr"])
def test_a_nonblocking_output_that_is_full_again_and_again_gets_every_byte(hosts: Place, kind: str,
                                                                           stream: int) -> None:
    count = scaled(10, least=2) * MIB // 8
    if kind == "terminal":
        count //= 16  # they are slow
    expected = b"".join(b"%07d\n" % number for number in range(count))
    with Descriptors(kind, nonblocking=True) as ends, open(os.devnull, "w+b") as null:
        if kind == "terminal":
            subprocess.run(["stty", "-opost"], stdin=ends.mine[0], check=True)
        streams = {"stdout": null, "stderr": null} | {("stdout", "stderr")[stream - 1]: ends.mine[stream]}
        with process(RCMD, "alpha", f"seq -f %07.0f 0 {count - 1} >&{stream}; exit 7", env=environment(hosts),
                     stdin=subprocess.DEVNULL, start_new_session=True, **streams) as client:
            received = bytearray()
            while len(received) < len(expected):
                # A terminal cannot be asked; it is slower than the client in any case.
                if kind != "terminal" and len(received) < len(expected) // 2:
                    wait_for(lambda: full(ends.mine[stream]), "it to be full")
                assert select.select([ends.other[stream]], [], [], 60)[0], f"nothing after {len(received)} bytes"
                received += os.read(ends.other[stream], 65536)
            assert client.wait(60) == 7
        assert bytes(received) == expected
        assert ends.flags() == ends.found


@pytest.mark.parametrize("kind", ["pipe", "socket", "terminal"])
def test_a_nonblocking_input_is_waited_for(hosts: Place, kind: str) -> None:
    with Descriptors(kind, nonblocking=True) as ends:
        if kind == "terminal":
            subprocess.run(["stty", "-echo"], stdin=ends.mine[0], check=True)
        with process(RCMD, "alpha", "echo ready; while read x && [ $x ]; do echo got $x; done; exit 7",
                     env=environment(hosts), stdin=ends.mine[0], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                     start_new_session=True) as client:
            assert client.stdout.readline() == b"ready\n"  # by now it has found that there is nothing to read
            for word in (b"one", b"two", b"three"):
                os.write(ends.other[0], word + b"\n")
                assert client.stdout.readline() == b"got " + word + b"\n"
            os.write(ends.other[0], b"\n")
            assert client.wait(60) == 7
            assert client.stderr.read() == b""


@pytest.mark.parametrize("nonblocking", [False, True], ids=["blocking", "nonblocking"])
def test_one_socket_as_input_and_output(hosts: Place, nonblocking: bool) -> None:
    """As inetd and rsync give it."""
    data = os.urandom(scaled(8, least=2) * MIB)
    here, there = socket.socketpair()
    there.setblocking(not nonblocking)
    here.settimeout(60)
    with here, process(RCMD, "alpha", "cat; exit 7", env=environment(hosts), stdin=there, stdout=there,
                       stderr=subprocess.PIPE) as client:
        there.close()

        def send() -> None:
            here.sendall(data)
            here.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send)
        sender.start()
        received = bytearray()
        while piece := here.recv(65536):
            received += piece
        sender.join(60)
        assert client.wait(60) == 7
        assert client.stderr.read() == b""
        assert bytes(received) == data


@pytest.mark.parametrize("closed, script, expected", [
    ("<&-", "cat; echo end; exit 3", (3, b"end\n", b"")),
    ("<&-", "echo err >&2; exit 3", (3, b"", b"err\n")),
    (">&-", "cat >/dev/null; exit 3", (3, b"", b"")),
    (">&-", "echo err >&2; exit 3", (3, b"", b"err\n")),
    ("2>&-", "cat; exit 3", (3, b"input\n", b"")),
    ("<&- 2>&-", "cat; echo end; exit 3", (3, b"end\n", b"")),
    ("<&- >&-", "echo err >&2; exit 3", (3, b"", b"err\n")),
    (">&- 2>&-", "cat >/dev/null; exit 3", (3, b"", b"")),
    ("<&- >&- 2>&-", "exit 3", (3, b"", b"")),
])
def test_closed_descriptors(hosts: Place, tmp_path: Path, closed: str, script: str,
                            expected: tuple[int, bytes, bytes]) -> None:
    result = shell(hosts, f'echo input | {{ exec rcmd alpha "$1" {closed}; }}', script)
    assert (result.code, result.out, result.err) == expected
    # Nothing of rcmd's own has been mistaken for them: many bytes on what is open are as they have to be.
    if ">&-" not in closed.replace("2>&-", ""):
        result = shell(hosts, f'exec rcmd alpha "$1" {closed}', f"seq {len(LINES) // 7}")
        assert (result.code, len(result.out.split())) == (0, len(LINES) // 7)


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_descriptors_where_rcmd_itself_fails(hosts: Place, closed: str) -> None:
    result = shell(hosts, f"exec rcmd gone true {closed}")
    assert (result.code, result.out) == (255, b"")
    assert result.message.startswith("rcmd: gone: ") or "2>&-" in closed


@pytest.mark.parametrize("stream, script", [(1, "echo lost; exit 0"), (2, "echo lost >&2; exit 0")])
def test_output_for_a_closed_descriptor_is_never_a_success(hosts: Place, stream: int, script: str) -> None:
    assert shell(hosts, f'exec rcmd alpha "$1" {stream}>&-', script).code == 255


def test_a_script_on_stdin_runs_on_the_other_side(hosts: Place) -> None:
    result = shell(hosts, "rcmd alpha <<'END'\ncd /usr\npwd\necho $HOST; exit 6\necho never\nEND\necho $?")
    assert (result.out, result.err) == (b"/usr\nalpha\n6\n", b"")


def test_what_a_script_on_stdin_leaves_is_there_for_the_next_reader(hosts: Place, tmp_path: Path) -> None:
    """This shell reads a line at a time, not all do."""
    (tmp_path / "script").write_text("echo one\nexit 0\necho left\n")
    result = shell(hosts, '{ rcmd alpha bash; cat; } <"$1"', tmp_path / "script")
    assert result.out == b"one\necho left\n"


def test_xargs_and_find(hosts: Place, tmp_path: Path) -> None:
    for name in ("a b", "c"):
        (tmp_path / name).write_text(name)
    result = shell(hosts, 'find "$1" -type f -print0 | xargs -0 -n 1 rcmd --argv alpha wc -c', tmp_path)
    assert sorted(result.out.decode().splitlines()) == sorted([f"3 {tmp_path}/a b", f"1 {tmp_path}/c"])
    result = shell(hosts, "printf 'alpha\\nbeta\\n' | xargs -P 2 -I{} rcmd {} 'echo $HOST'")
    assert sorted(result.out.split()) == [b"alpha", b"beta"]


def test_a_command_substitution_in_a_here_document(hosts: Place) -> None:
    result = shell(hosts, "cat <<END\n$(rcmd alpha 'printf \"a  b\\n\\n\"') $(rcmd beta 'echo $HOST')\nEND")
    assert result.out == b"a  b beta\n"


@pytest.mark.parametrize("batch", [False, True], ids=["command", "batch"])
def test_a_signal_that_timeout_sends_twice_is_one(hosts: Place, tmp_path: Path, batch: bool) -> None:
    """To the process and to its group: the command still decides what it does, and the client waits for it."""
    command = 'trap "echo ended; exit 9" TERM; echo set; sleep 1000 & wait'
    (tmp_path / "lines").write_text(command + "\n")
    words = ["--batch", "alpha"] if batch else ["alpha", command]
    for _ in range(scaled(20, least=5)):
        with (tmp_path / "lines").open() as lines, \
                process("timeout", "1000", RCMD, *words, env=environment(hosts), stdin=lines if batch else subprocess.DEVNULL,
                        stdout=subprocess.PIPE, stderr=subprocess.PIPE) as limited:
            assert limited.stdout.readline() == b"set\n"
            limited.send_signal(signal.SIGALRM)  # as its timer does when the time is over
            assert (limited.stdout.read(), limited.stderr.read(), limited.wait(60)) == (b"ended\n", b"", 124)
