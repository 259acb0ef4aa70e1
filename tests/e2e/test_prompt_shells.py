"""What lasts from one command of the prompt to the next, with each login shell it is promised for."""
from __future__ import annotations

import ctypes
import os
import shutil
from pathlib import Path
from typing import Callable, Iterator

import pytest

from harness import AS_ROOT, Place, Server
from screen import Screen, prompt_on_screen

pytestmark = pytest.mark.skipif(not AS_ROOT, reason="only root can give a server another /etc/passwd")

CLONE_NEWNS = 0x20000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000


def with_accounts(passwd: Path) -> Callable[[], None]:
    """For the server's process alone, that file is /etc/passwd."""
    libc = ctypes.CDLL(None, use_errno=True)

    def call(name: str, *arguments: object) -> None:
        if getattr(libc, name)(*arguments) != 0:
            raise OSError(ctypes.get_errno(), name)

    def mount() -> None:
        call("unshare", CLONE_NEWNS)
        call("mount", None, b"/", None, MS_REC | MS_PRIVATE, None)
        call("mount", os.fsencode(passwd), b"/etc/passwd", None, MS_BIND, None)

    return mount


@pytest.fixture(scope="module", params=["sh", "bash", "dash", "zsh"])
def shell_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    shell = shutil.which(request.param)
    assert shell, f"{request.param} is missing: scripts/install-deps"
    place = Place(tmp_path_factory.mktemp("place"))
    passwd = place.root / "passwd"
    passwd.write_text(f"root:x:0:0:root:{place.home}:{shell}\n")
    passwd.chmod(0o644)
    server = Server(place, preexec=with_accounts(passwd))
    assert server.rcmd("echo $SHELL").out.decode() == f"{shell}\n"
    yield server
    server.stop()


@pytest.fixture
def screen(shell_server: Server) -> Iterator[Screen]:
    with prompt_on_screen(shell_server) as shown:
        yield shown


def test_the_directory_and_an_exported_variable_last(screen: Screen) -> None:
    assert screen.ask("cd /tmp; export A=1") == []
    assert screen.ask("pwd; echo $A") == ["/tmp", "1"]


def test_a_variable_that_is_unset_is_gone(screen: Screen) -> None:
    screen.ask("export A=1 B='x  y'")
    screen.ask("unset A")
    assert screen.ask("echo \"<${A-unset}> <$B>\"") == ["<unset> <x  y>"]


def test_the_umask_lasts(screen: Screen) -> None:
    screen.ask("umask 027")
    assert screen.ask("umask")[0].lstrip("0") == "27"


def test_what_a_function_or_a_sourced_file_does_lasts(shell_server: Server, screen: Screen) -> None:
    (shell_server.place.home / "settings").write_text("cd /usr\nexport FROM_FILE=yes\n")
    screen.ask("f() { cd /tmp; export FROM_FUNCTION=yes; }; f && true | true")
    screen.ask(". ~/settings; if true; then export NESTED=yes; fi")
    assert screen.ask("echo $PWD $FROM_FILE $FROM_FUNCTION $NESTED") == ["/usr yes yes yes"]


def test_what_a_subshell_does_not(screen: Screen) -> None:
    screen.ask("cd /tmp")
    screen.ask("(cd /usr; export A=1); cd /usr | cat")
    assert screen.ask("echo $PWD \"<$A>\"")[0] in ("/tmp <>", "/usr <>")  # zsh runs a pipe's last part itself


def test_it_lasts_when_the_command_ends_by_exit(screen: Screen) -> None:
    screen.enter("cd /tmp; export A=1; exit 3")
    screen.expect(r":/tmp \[3\]>$")
    assert screen.ask("echo $PWD $A") == ["/tmp 1"]


def test_a_signal_or_exec_leaves_it_as_it_was(screen: Screen) -> None:
    screen.ask("cd /tmp")
    screen.enter("cd /usr; kill -9 $$")
    screen.expect(r":/tmp \[137 KILL\]>$")
    screen.ask("cd /usr; exec true")
    assert screen.ask("pwd") == ["/tmp"]


def test_a_command_that_closes_its_descriptors_still_ends_well(screen: Screen) -> None:
    screen.enter("cd /tmp; exec 0<&- 1>&- 2>&-; exit 4")
    screen.expect(r"\[4\]>$")
    assert screen.ask("echo alive") == ["alive"]


def test_the_status_is_that_of_the_command(screen: Screen) -> None:
    screen.enter("false")
    screen.expect(r" \[1\]>$")
    screen.enter("no-such-command-here")
    screen.expect(r" \[127\]>$")
    assert screen.ask("true") == []


def test_nothing_of_it_shows(shell_server: Server, screen: Screen) -> None:
    # Neither in $0 and the arguments, nor in what the shell traces, nor on stdin, nor in the environment.
    assert screen.ask("echo $0 $# \"$*\"") == [screen.ask("echo $SHELL")[0] + " 0"]
    traced = screen.ask("set -x; true")
    assert len(traced) == 1 and traced[0].startswith("+") and traced[0].endswith(" true"), traced
    screen.enter("cat")
    screen.type("typed")
    screen.keys("Enter", "C-d")
    screen.expect(r"^typed\ntyped\n127\.0\.0\.1:")


def test_a_trap_of_the_command_works(screen: Screen) -> None:
    assert screen.ask("trap 'echo bye' EXIT; echo hello") == ["hello", "bye"]


def test_line_numbers_are_the_users(screen: Screen) -> None:
    told = " ".join(screen.ask("no-such-command-here"))
    assert "1: " in told and "2: " not in told, told
