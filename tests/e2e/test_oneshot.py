"""One command: its streams, its status, where and how it runs."""
from __future__ import annotations

import os
import pwd
import subprocess
import time

import pytest

from harness import NEVER_STARTED, RCMD, RCMD_SERVER, Server, run_rcmd


def test_stdout_stderr_and_status_come_back_apart(server: Server) -> None:
    result = server.rcmd("echo out; echo err >&2; exit 3")
    assert (result.code, result.out, result.err) == (3, b"out\n", b"err\n")


@pytest.mark.parametrize("status", [0, 1, 2, 124, 126, 127, 128, 254, 255])
def test_the_status_is_the_commands_own(server: Server, status: int) -> None:
    result = server.rcmd(f"exit {status}")
    assert (result.code, result.out, result.err) == (status, b"", b"")


@pytest.mark.parametrize(("name", "number"), [("KILL", 9), ("TERM", 15), ("SEGV", 11), ("USR1", 10),
                                              ("PIPE", 13)])
def test_a_signal_n_gives_128_plus_n(server: Server, name: str, number: int) -> None:
    assert server.rcmd(f"kill -{name} $$; sleep 60").code == 128 + number


def test_a_command_that_does_not_exist_is_127(server: Server) -> None:
    result = server.rcmd("no-such-command-here")
    assert result.code == 127
    assert b"no-such-command-here" in result.err


def test_a_command_that_is_not_executable_is_126(server: Server) -> None:
    result = server.rcmd("/etc/passwd")
    assert result.code == 126
    assert b"/etc/passwd" in result.err


@pytest.mark.parametrize(("program", "status"), [("no-such-program-here", 127), ("/no/such/program", 127),
                                                 ("/etc/passwd", 126), ("/etc", 126)])
def test_argv_reports_what_cannot_be_executed_in_one_line(server: Server, program: str, status: int) -> None:
    result = server.rcmd(program, "x", options=["--argv"])
    assert (result.code, result.out) == (status, b"")
    lines = result.message.splitlines()
    assert len(lines) == 1 and lines[0].startswith("rcmd: ") and program in lines[0], result.message


def test_arguments_are_joined_with_single_spaces_for_the_shell(server: Server) -> None:
    assert server.rcmd("echo", "a  b", "$((1+1))", "'c  d'").out == b"a b 2 c  d\n"


def test_argv_passes_the_words_as_they_stand(server: Server) -> None:
    words = ["a  b", "$HOME", "", "*", "x\ny", "--", "-n", "ü"]
    result = server.rcmd("printf", "[%s]", *words, options=["--argv"])
    assert result.out == "".join(f"[{word}]" for word in words).encode()


def test_argv_passes_bytes_that_are_not_utf8(server: Server) -> None:
    word = b"\xff\xfe\x80".decode("utf-8", "surrogateescape")
    assert server.rcmd("printf", "%s", word, options=["--argv"]).out == b"\xff\xfe\x80"


def test_the_shell_gets_bytes_that_are_not_utf8(server: Server) -> None:
    command = b"printf %s '\xff\xc0'".decode("utf-8", "surrogateescape")
    assert server.rcmd(command).out == b"\xff\xc0"


@pytest.mark.parametrize("before", [["--argv", "--combine"], []])
def test_options_are_read_before_and_after_the_host(server: Server, before: list[str]) -> None:
    after = [] if before else ["--argv", "--combine"]
    result = server.rcmd(*after, "sh", "-c", "echo $0 >&2", "word", options=before)
    assert (result.code, result.out, result.err) == (0, b"word\n", b"")


def test_nothing_is_an_option_from_the_first_word_of_the_command_on(server: Server) -> None:
    assert server.rcmd("echo", "-n", "--json", "-p", "1").out == b"--json -p 1"


def test_one_double_dash_ends_the_options(server: Server) -> None:
    assert server.rcmd("--", "echo", "--", "x").out == b"-- x\n"
    result = server.rcmd("echo", "--json", options=["--"])
    assert (result.code, result.out) == (0, b"--json\n")


def test_the_port_and_the_user_may_be_options(server: Server) -> None:
    me = server.rcmd("id -un").out.decode().strip()
    for options, host in [(["-p", str(server.port)], "127.0.0.1"),
                          (["-p", str(server.port), "-l", me], "127.0.0.1"),
                          (["-p", str(server.port)], f"{me}@127.0.0.1"), ([], f"{me}@{server.host}"),
                          ([], f"localhost:{server.port}")]:
        result = run_rcmd(server.place, *options, host, "id -un")
        assert (result.code, result.out.decode().strip()) == (0, me), (options, host, result)


def test_a_command_runs_in_the_home_directory_of_its_user(server: Server) -> None:
    home = pwd.getpwuid(os.geteuid()).pw_dir
    expected = os.path.realpath(home) if os.path.isdir(home) else "/"
    assert server.rcmd("pwd -P").out.decode() == expected + "\n"


def test_cwd_runs_the_command_there(server: Server) -> None:
    assert server.rcmd("pwd", options=["--cwd", "/usr/bin"]).out == b"/usr/bin\n"
    assert server.rcmd("pwd", options=["--argv", "--cwd=/usr"]).out == b"/usr\n"


def test_a_cwd_that_does_not_exist_is_255_and_nothing_was_started(server: Server) -> None:
    result = server.rcmd("echo x", options=["--cwd", "/no/such/place"])
    result.failed_by_itself()
    assert result.out == b"" and "/no/such/place" in result.message
    assert NEVER_STARTED.search(result.message), result.message


def test_env_sets_variables(server: Server) -> None:
    options = ["-e", "A=1 2", "--env", "B=x=y", "--env=C="]
    assert server.rcmd('echo "[$A][$B][${C-unset}]"', options=options).out == b"[1 2][x=y][]\n"


def test_env_without_a_name_or_a_value_is_refused(server: Server) -> None:
    for wrong in ("=x", "NAME"):
        result = server.rcmd("echo x", options=["-e", wrong])
        assert (result.code, result.out) == (255, b""), wrong


def test_combine_puts_stderr_into_stdout_in_order(server: Server) -> None:
    command = "for i in 1 2 3; do echo out$i; echo err$i >&2; done"
    result = server.rcmd(command, options=["--combine"])
    assert (result.code, result.err) == (0, b"")
    assert result.out == b"".join(b"out%d\nerr%d\n" % (i, i) for i in (1, 2, 3))


def test_timeout_ends_the_command_with_124(server: Server) -> None:
    result = server.rcmd("echo before; sleep 1000", options=["--timeout", "1"])
    assert (result.code, result.out) == (124, b"before\n")


def test_timeout_kills_a_command_that_ignores_term(server: Server) -> None:
    result = server.rcmd("trap '' TERM; while :; do sleep 1; done", options=["--timeout", "1s"])
    assert result.code == 124


def test_a_command_within_its_timeout_keeps_its_status(server: Server) -> None:
    assert server.rcmd("exit 9", options=["--timeout", "2m"]).code == 9


@pytest.mark.parametrize("wrong", ["", "x", "-1", "5y", "1e3", "99999999999999999999"])
def test_a_duration_that_is_none_is_refused(server: Server, wrong: str) -> None:
    result = server.rcmd("echo x", options=[f"--timeout={wrong}"])
    assert (result.code, result.out) == (255, b"")
    assert result.message.startswith("rcmd: ")


def test_a_background_process_does_not_hold_the_client(server: Server) -> None:
    begin = time.monotonic()
    result = server.rcmd("sleep 60 & echo x")
    assert (result.code, result.out) == (0, b"x\n")
    assert time.monotonic() - begin < 20, "it waited for the background process"


def test_wait_eof_waits_for_a_background_process(server: Server) -> None:
    result = server.rcmd("(sleep 3; echo late) & echo soon", options=["--wait-eof"])
    assert (result.code, result.out) == (0, b"soon\nlate\n")


def test_output_that_trickles_after_the_exit_is_not_cut(server: Server) -> None:
    result = server.rcmd("(for i in 1 2 3 4 5 6; do sleep 0.3; echo $i; done) & echo 0")
    assert (result.code, result.out) == (0, b"0\n1\n2\n3\n4\n5\n6\n")


def test_stderr_after_the_end_of_stdout_arrives(server: Server) -> None:
    result = server.rcmd("exec >&-; sleep 0.5; for i in 1 2 3; do echo e$i >&2; done; exit 4")
    assert (result.code, result.out, result.err) == (4, b"", b"e1\ne2\ne3\n")


def test_a_command_of_one_megabyte_is_126_and_named(server: Server) -> None:
    # A single argument of a program holds at most 128 KiB, so that many words make the megabyte.
    words = ["x" * 100_000] * 10
    for options in ([], ["--argv"]):
        result = server.rcmd("echo", *words, options=options)
        assert (result.code, result.out) == (126, b""), options
        lines = result.message.splitlines()
        assert len(lines) == 1 and lines[0].startswith("rcmd: "), result.message[:2000]
        assert len(lines[0]) < 1000
    assert server.serves()


def test_a_command_as_long_as_the_system_takes_runs(server: Server) -> None:
    words = ["x" * 100_000] * 2
    result = server.rcmd("printf", "%s", *words, options=["--argv"])
    assert (result.code, result.out) == (0, b"x" * 200_000)


def test_verbose_adds_lines_on_stderr_only(server: Server) -> None:
    result = server.rcmd("echo out", options=["-v"])
    assert (result.code, result.out) == (0, b"out\n")
    assert "127.0.0.1" in result.message


def test_quiet_changes_neither_output_nor_errors(server: Server) -> None:
    result = server.rcmd("echo out; echo err >&2", options=["-q"])
    assert (result.code, result.out, result.err) == (0, b"out\n", b"err\n")
    server.rcmd("echo x", options=["-q", "--cwd", "/no/such/place"]).failed_by_itself()


def test_without_a_command_the_remote_shell_reads_stdin(server: Server) -> None:
    result = server.rcmd(input=b"echo one\nx=2\necho $x two; exit 7\necho never\n")
    assert (result.code, result.out) == (7, b"one\n2 two\n")


def test_without_a_host_the_usage_is_told(server: Server) -> None:
    result = run_rcmd(server.place)
    assert result.code == 255 and result.out == b""
    assert result.message.startswith("rcmd: ") or "usage" in result.message.lower()


def test_an_unknown_option_is_named(server: Server) -> None:
    result = server.rcmd("echo x", options=["--no-such-option"])
    assert (result.code, result.out) == (255, b"")
    assert "--no-such-option" in result.message


def test_a_command_starts_once(server: Server, tmp_path: object) -> None:
    counter = f"{tmp_path}/counter"
    for _ in range(20):
        server.rcmd(f"echo once >> {counter}")
    with open(counter) as lines:
        assert lines.read() == "once\n" * 20


def test_clients_of_the_same_second_do_not_disturb_each_other(server: Server) -> None:
    with server.start_rcmd("sleep 1; echo slow; exit 8", stdout=subprocess.PIPE) as slow:
        assert server.rcmd("echo quick").out == b"quick\n"
        out, _ = slow.communicate(timeout=60)
    assert (slow.returncode, out) == (8, b"slow\n")


def test_the_help_of_both_programs_speaks_of_no_name_of_the_code() -> None:
    for program in (RCMD, RCMD_SERVER):
        shown = subprocess.run([program, "--help"], capture_output=True, text=True, check=True)
        assert "--" in shown.stdout
        assert "ClientOptions" not in shown.stdout and "ServerOptions" not in shown.stdout
