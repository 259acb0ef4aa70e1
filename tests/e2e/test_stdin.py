"""What the client's stdin gives to the command, and how much of it."""
from __future__ import annotations

import hashlib
import os
import subprocess

import pytest

from harness import RCMD, Server, base_environment, run

EVERY_BYTE = bytes(range(256)) * 257


@pytest.mark.parametrize("data", [b"", b"x", b"\0\xff\n\r\x1b", EVERY_BYTE, os.urandom(300_000)],
                         ids=["empty", "byte", "control", "every", "random"])
def test_stdin_arrives_byte_exact_with_its_end(server: Server, data: bytes) -> None:
    result = server.rcmd("cat", input=data)
    assert (result.code, result.out) == (0, data)


def test_the_end_of_stdin_is_passed_on(server: Server) -> None:
    assert server.rcmd("wc -c; echo ended", input=b"12345").out.split() == [b"5", b"ended"]


def test_input_typed_later_is_passed_on_at_once(server: Server) -> None:
    with server.start_rcmd("while read x; do echo got $x; done", stdin=subprocess.PIPE,
                           stdout=subprocess.PIPE) as client:
        for word in (b"one", b"two", b"three"):
            client.stdin.write(word + b"\n")
            client.stdin.flush()
            assert client.stdout.readline() == b"got " + word + b"\n"
        client.stdin.close()
        assert client.wait(60) == 0


def test_an_ignored_open_stdin_does_not_hold_the_client(server: Server) -> None:
    with server.start_rcmd("echo done; exit 6", stdin=subprocess.PIPE, stdout=subprocess.PIPE) as client:
        assert client.wait(60) == 6
        assert client.stdout.read() == b"done\n"


def test_an_endless_stdin_that_nobody_reads_ends_with_the_commands_status(server: Server) -> None:
    with open("/dev/zero", "rb") as zeros:
        assert server.rcmd("exit 5", stdin=zeros).code == 5


def test_head_of_an_endless_stdin_ends_at_once_with_5(server: Server) -> None:
    with open("/dev/zero", "rb") as zeros:
        assert server.rcmd("head -c 1000 >/dev/null; exit 5", stdin=zeros).code == 5
    with server.start_rcmd("head -c 1000 >/dev/null; exit 5", stdin=subprocess.PIPE) as client:
        feeder = subprocess.Popen(["yes"], stdout=client.stdin)
        try:
            client.stdin.close()
            assert client.wait(60) == 5
        finally:
            feeder.kill()
            feeder.wait()


def test_a_command_that_closes_its_stdin_goes_on(server: Server) -> None:
    with open("/dev/zero", "rb") as zeros:
        result = server.rcmd("exec <&-; sleep 0.5; echo on; exit 2", stdin=zeros)
    assert (result.code, result.out) == (2, b"on\n")


def test_n_takes_nothing_from_stdin(server: Server) -> None:
    read_end, write_end = os.pipe()
    os.write(write_end, b"kept")
    os.close(write_end)
    result = server.rcmd("cat; echo end", options=["-n"], stdin=read_end)
    assert (result.code, result.out) == (0, b"end\n")
    assert os.read(read_end, 100) == b"kept"
    os.close(read_end)


def test_a_file_as_stdin_is_read(server: Server, tmp_path: object) -> None:
    path = f"{tmp_path}/input"
    data = os.urandom(3_000_000)
    with open(path, "wb") as output:
        output.write(data)
    with open(path, "rb") as source:
        result = server.rcmd("sha256sum", stdin=source)
    assert result.out.split()[0].decode() == hashlib.sha256(data).hexdigest()


def test_a_loop_that_reads_lines_keeps_them_with_n(server: Server) -> None:
    script = 'while read line; do "$@" "echo $line"; done'
    result = run("sh", "-c", script, "sh", RCMD, "-n", server.host, input=b"a\nb\nc\n",
                 env=base_environment(server.place.home))
    assert result.out == b"a\nb\nc\n"


def test_a_directory_as_stdin_is_an_error_that_names_stdin(server: Server) -> None:
    directory = os.open("/", os.O_RDONLY)
    try:
        result = server.rcmd("cat; echo done", stdin=directory)
    finally:
        os.close(directory)
    assert result.code != 0, "a read error passed for an end of file"
    assert "rcmd: " in result.message


def test_what_the_command_left_of_a_file_is_there_for_the_next_reader(server: Server,
                                                                      tmp_path: object) -> None:
    path = f"{tmp_path}/lines"
    with open(path, "wb") as output:
        output.write(b"x" * 1000 + b"rest")
    with open(path, "rb", buffering=0) as source:
        assert server.rcmd("head -c 1000 | wc -c", stdin=source).out.split() == [b"1000"]
        assert source.read() == b"rest"
