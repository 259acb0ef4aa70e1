"""What lasts from one command of the prompt to the next: directory, exported variables, umask."""
from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Iterator

import pytest

from accounts import can_have_mounts_of_its_own, with_own_account
from harness import Place, Server
from screen import AT_PROMPT, Screen, prompt_on_screen

OWN = "the account's own"


@pytest.fixture(scope="module", params=[OWN, "sh", "bash", "dash", "zsh"])
def server(request: pytest.FixtureRequest, place: Place) -> Iterator[Server]:
    preexec = None
    if request.param != OWN:
        if not can_have_mounts_of_its_own():
            pytest.skip("needs mounts of its own")
        shell = shutil.which(request.param)
        if shell is None:
            pytest.skip(f"there is no {request.param}")
        preexec = with_own_account(place.root / f"passwd-{request.param}", shell)
    running = Server(place, preexec=preexec)
    if request.param != OWN:
        assert running.rcmd("echo $SHELL").out.decode() == f"{shell}\n"
    yield running
    running.stop()


@pytest.fixture
def screen(server: Server) -> Iterator[Screen]:
    with prompt_on_screen(server, columns=200) as shown:
        yield shown


def test_directory_and_variable_last(screen: Screen) -> None:
    assert screen.ask("cd /tmp; export A=1") == []
    assert screen.rows()[-1] == "127.0.0.1:/tmp>"
    assert screen.ask("pwd; echo $A") == ["/tmp", "1"]
    assert screen.ask("cd ..; pwd") == ["/"]


def test_a_variable_that_is_not_exported_does_not_last(screen: Screen) -> None:
    screen.ask("A=1")
    assert screen.ask("echo ${A-none}") == ["none"]


def test_a_variable_can_be_changed_and_unset(screen: Screen) -> None:
    screen.ask("export A=1 B=2")
    screen.ask("A=3; unset B")
    assert screen.ask("echo $A ${B-none}") == ["3 none"]
    screen.ask("export A=")
    assert screen.ask("echo \"<${A-none}>\"") == ["<>"]


def test_a_variable_of_the_login_can_be_unset(screen: Screen) -> None:
    assert screen.ask("echo $LANG") == ["C.UTF-8"]
    screen.ask("unset LANG")
    assert screen.ask("echo ${LANG-none}") == ["none"]


def test_the_umask_lasts(screen: Screen, tmp_path: Path) -> None:
    screen.ask("umask 027")
    assert [int(row, 8) for row in screen.ask("umask")] == [0o27]
    screen.ask(f"touch {tmp_path}/file")
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("line", [
    "go() { cd /usr; export A=1; }; go",
    "if true; then cd /usr; export A=1; fi",
    "{ cd /usr && export A=1; }",
    "for d in /tmp /usr; do cd $d; export A=1; done",
    "cd /usr; export A=1; false",
    "eval 'cd /usr; export A=1'",
    "cd /usr; export A=1 # and a comment",
    "cd /usr; export A=1; cat < /dev/null &",
])
def test_it_is_the_state_at_the_end_of_the_line_that_lasts(screen: Screen, line: str) -> None:
    screen.ask(line)
    assert screen.ask("pwd; echo $A") == ["/usr", "1"]


def test_what_a_sourced_file_does_lasts(screen: Screen, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("cd /usr\nexport A=1\n")
    screen.ask(f". {tmp_path}/file")
    assert screen.ask("pwd; echo $A") == ["/usr", "1"]


@pytest.mark.parametrize("line", ["(cd /usr; export A=2)", "sh -c 'cd /usr; export A=2'",
                                  "echo $(cd /usr; pwd)", "cd /usr | true", "(cd /usr; exit 0)"])
def test_what_happens_elsewhere_does_not_last(screen: Screen, line: str) -> None:
    screen.ask("cd /tmp; export A=1")
    screen.ask(line)
    assert screen.ask("pwd; echo $A") == ["/tmp", "1"]


def test_the_state_lasts_when_the_line_ends_with_exit(screen: Screen) -> None:
    assert screen.ask("cd /tmp; export A=1; exit 3") == []
    assert screen.rows()[-1] == "127.0.0.1:/tmp [3]>"
    assert screen.ask("pwd; echo $A") == ["/tmp", "1"]


def test_the_state_lasts_when_the_line_fails(screen: Screen) -> None:
    assert screen.ask("cd /tmp; export A=1; no-such-command 2>&-") == []
    assert screen.rows()[-1] == "127.0.0.1:/tmp [127]>"
    assert screen.ask("pwd; echo $A") == ["/tmp", "1"]


def test_the_state_lasts_when_the_line_closes_its_output(screen: Screen) -> None:
    screen.ask("cd /tmp; export A=1; exec >&- 2>&- <&-")
    assert screen.ask("pwd; echo $A") == ["/tmp", "1"]


@pytest.mark.parametrize("name", ["KILL", "TERM", "INT"])
def test_a_command_ended_by_a_signal_leaves_the_state_as_it_was(screen: Screen, name: str) -> None:
    screen.ask("cd /tmp; export A=1")
    screen.ask(f"cd /usr; export A=2; kill -{name} $$; sleep 1000")
    assert screen.rows()[-1].endswith(f" {name}]>"), screen.text()
    assert screen.ask("pwd; echo $A") == ["/tmp", "1"]


def test_an_interrupted_command_leaves_the_state_as_it_was(screen: Screen) -> None:
    screen.ask("cd /tmp; export A=1")
    screen.enter_sleep("cd /usr; export A=2")
    screen.keys("C-c")
    screen.expect_last(AT_PROMPT)
    assert screen.rows()[-1] == "127.0.0.1:/tmp [130 INT]>"
    assert screen.ask("pwd; echo $A") == ["/tmp", "1"]


def test_exec_leaves_the_state_as_it_was(screen: Screen) -> None:
    screen.ask("cd /tmp; export A=1")
    screen.ask("cd /usr; export A=2; exec true")
    assert screen.ask("pwd; echo $A") == ["/tmp", "1"]


@pytest.mark.parametrize("name", ["with  two blanks", "two\nlines", "中文 äöü", "'quotes\" and $dollars",
                                  "-dash", "tab\tand\\backslash", "\x1b[31mred"],
                         ids=["blanks", "newline", "utf8", "quotes", "dash", "backslash", "escape"])
def test_a_directory_with_any_name(screen: Screen, tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    screen.ask(f"cd {tmp_path}; cd ./*; pwd > ../here")
    screen.ask("pwd > ../there")
    assert (tmp_path / "here").read_text() == (tmp_path / "there").read_text() == f"{tmp_path}/{name}\n"
    assert "\x1b[31mred" not in screen.coloured()


def test_a_directory_that_is_no_utf8(screen: Screen, tmp_path: Path) -> None:
    os.mkdir(bytes(tmp_path) + b"/\xff\xfe")
    screen.ask(f"cd {tmp_path}; cd ./*")
    screen.ask("pwd > ../there")
    assert (tmp_path / "there").read_bytes() == bytes(tmp_path) + b"/\xff\xfe\n"


def test_a_symbolic_link_stays_one(screen: Screen, tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    (tmp_path / "link").symlink_to("target")
    screen.ask(f"cd {tmp_path}/link")
    assert screen.rows()[-1].endswith("/link>")
    assert screen.ask("pwd") == [f"{tmp_path}/link"]
    assert screen.ask("cd ..; pwd") == [f"{tmp_path}"]


@pytest.mark.parametrize("value", ["a\nb\n\nc", "\n", "中文", "  blanks  ", "\x01\x7f",
                                   "a='b' \"c\" $d `e` \\f"],
                         ids=["lines", "newline", "utf8", "blanks", "control", "special"])
def test_a_variable_with_any_value(screen: Screen, tmp_path: Path, value: str) -> None:
    (tmp_path / "value").write_text(value + "x")
    screen.ask(f"V=$(cat {tmp_path}/value); export V=\"${{V%x}}\"; export OTHER=1")
    screen.ask(f"printf %s \"$V\" > {tmp_path}/after")
    assert (tmp_path / "after").read_text() == value
    assert screen.ask("echo $OTHER") == ["1"]


def test_a_large_environment_lasts(screen: Screen) -> None:
    screen.ask("export V=$(head -c 100000 /dev/zero | tr '\\0' x)")
    assert screen.ask("echo ${#V}") == ["100000"]


def test_what_is_too_large_to_last_is_said(screen: Screen) -> None:
    screen.ask("cd /")
    [said] = screen.ask("for n in 1 2 3; do export V$n=$(head -c 100000 /dev/zero | tr '\\0' x); done; cd /tmp")
    assert said.startswith("rcmd: the environment takes more than 256 KiB")
    assert screen.rows()[-1] == "127.0.0.1:/>"


def test_the_command_is_recognized_in_ps(screen: Screen) -> None:
    shown = "".join(screen.ask("ps -ww -o args= -p $$; echo the command"))
    assert "ps -ww -o args= -p $$; echo the command" in shown


def test_the_shell_has_its_usual_name(screen: Screen, server: Server) -> None:
    assert screen.ask("echo $0") == server.rcmd("echo $0").out.decode().splitlines()
    assert screen.ask("echo $# $*") == ["0"]


def test_the_shells_messages_count_lines_as_the_user_does(screen: Screen, server: Server) -> None:
    assert screen.ask("no-such-command") == server.rcmd("no-such-command").message.splitlines()
    assert screen.ask("echo $LINENO") == server.rcmd("echo $LINENO").out.decode().splitlines()


def test_nothing_of_the_mechanism_is_seen(screen: Screen, server: Server) -> None:
    assert screen.ask("true") == []
    traced = screen.ask("set -x; echo hello")
    assert traced == [*server.rcmd("set -x; echo hello").message.splitlines(), "hello"]
    assert not [row for row in screen.ask("env") if re.search("state|/proc", row)]
    assert screen.ask("jobs") == []
    descriptors = "ls -1 /proc/self/fd; true"
    assert screen.ask(descriptors) == server.rcmd(descriptors, options=["-tt"]).out.decode().splitlines()


def test_nothing_of_the_mechanism_is_read(screen: Screen, tmp_path: Path) -> None:
    screen.enter(f"echo up; cat > {tmp_path}/read")
    screen.expect("^up$")
    screen.enter("first")
    screen.enter("second")
    screen.keys("C-d")
    screen.expect_last(AT_PROMPT)
    assert (tmp_path / "read").read_text() == "first\nsecond\n"


def test_nothing_of_the_mechanism_is_remembered(screen: Screen, server: Server) -> None:
    screen.ask("cd /tmp; export A=1")
    screen.ask(": not the last")
    kept = (server.place.home / ".local/state/rcmd/history").read_text().splitlines()
    assert kept[-2:] == ["cd /tmp; export A=1", ": not the last"]
    assert "trap" not in "".join(screen.ask("history"))


def test_a_trap_of_the_users_own_runs(screen: Screen) -> None:
    assert screen.ask("trap 'echo bye' EXIT; cd /") == ["bye"]
    assert screen.ask("echo $((3 + 4))") == ["7"]


def test_a_directory_that_is_removed_under_the_prompt(screen: Screen, tmp_path: Path) -> None:
    home = screen.ask("pwd")
    (tmp_path / "gone").mkdir()
    screen.ask(f"export A=1; cd {tmp_path}/gone")
    (tmp_path / "gone").rmdir()
    said = screen.ask("echo $((3 + 4))")
    assert "7" not in said and "No such file or directory" in "".join(said)
    assert screen.rows()[-1] == "127.0.0.1:~ [255]>"
    assert screen.ask("pwd; echo $A") == [*home, "1"]
