"""A server started by root: commands run as the user that the key's line allows, with no way back."""
from __future__ import annotations

import os
import pwd
import re
from typing import Callable

import pytest

import wire
from harness import AS_ROOT, Place, Server, authorized_line, run_rcmd, run_server

pytestmark = pytest.mark.skipif(not AS_ROOT, reason="only root can become another user")

MakePlace = Callable[..., Place]
MakeServer = Callable[..., Server]
NOBODY = pwd.getpwnam("nobody") if AS_ROOT else None


def crowd() -> None:
    """Supplementary groups that a child must not inherit."""
    os.setgroups([0, 4, 27, 42])


@pytest.fixture
def nobody(make_place: MakePlace, make_server: MakeServer) -> Server:
    place = make_place()
    place.write_authorized(authorized_line(place.key, "user=nobody") + "\n")
    return make_server(place=place, preexec=crowd)


def as_nobody(server: Server, *words: str) -> bytes:
    """Runs the words without a shell: nobody's one lets nobody in."""
    result = server.rcmd(*words, options=["--argv", "--cwd", "/"])
    assert result.code == 0, result
    return result.out


def test_id_shows_nobody_and_its_groups_only(nobody: Server) -> None:
    expected = f"uid={NOBODY.pw_uid}(nobody) gid={NOBODY.pw_gid}(nogroup) groups={NOBODY.pw_gid}(nogroup)\n"
    assert as_nobody(nobody, "id").decode() == expected


def test_real_effective_saved_and_filesystem_ids_are_all_dropped(nobody: Server) -> None:
    status = as_nobody(nobody, "cat", "/proc/self/status").decode()
    fields = dict(line.split(":\t", 1) for line in status.splitlines())
    assert fields["Uid"].split() == [str(NOBODY.pw_uid)] * 4
    assert fields["Gid"].split() == [str(NOBODY.pw_gid)] * 4
    assert fields["Groups"].split() in ([], [str(NOBODY.pw_gid)])
    for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        assert int(fields[name], 16) == 0, name


@pytest.mark.parametrize("call", ["os.setuid(0)", "os.seteuid(0)", "os.setgid(0)", "os.setgroups([0])",
                                  "open('/etc/shadow')", "os.kill(os.getppid(), 0)"])
def test_there_is_no_way_back(nobody: Server, call: str) -> None:
    result = nobody.rcmd("/usr/bin/python3", "-c", f"import os; {call}", options=["--argv", "--cwd", "/"])
    assert result.code == 1 and b"PermissionError" in result.err


def test_the_environment_is_that_of_the_user(nobody: Server) -> None:
    lines = as_nobody(nobody, "env").decode().splitlines()
    assert {"USER=nobody", "LOGNAME=nobody", f"HOME={NOBODY.pw_dir}"} <= set(lines)


def test_a_home_that_does_not_exist_does_not_keep_a_command_from_running(nobody: Server) -> None:
    result = nobody.rcmd("pwd", options=["--argv"])
    assert (result.code, result.out) == (0, b"/\n"), result


def test_the_shell_runs_commands_as_nobody_although_it_may_not_log_in(nobody: Server) -> None:
    result = nobody.rcmd("id -un; id -Gn")
    assert (result.code, result.out) == (0, b"nobody\nnogroup\n"), result


def test_a_directory_that_only_root_may_enter_is_refused(nobody: Server, tmp_path: object) -> None:
    os.chmod(str(tmp_path), 0o700)
    result = nobody.rcmd("pwd", options=["--argv", "--cwd", str(tmp_path)])
    assert result.code == 255 and result.out == b""


def test_a_program_that_only_root_may_execute_is_126(nobody: Server, tmp_path: object) -> None:
    program = f"{tmp_path}/program"
    with open(program, "w") as text:
        text.write("#!/bin/sh\necho ran\n")
    os.chmod(program, 0o700)
    result = nobody.rcmd(program, options=["--argv", "--cwd", "/"])
    assert (result.code, result.out) == (126, b"")


def test_another_user_than_the_lines_is_forbidden(nobody: Server) -> None:
    result = run_rcmd(nobody.place, "--argv", "-l", "root", nobody.host, "id")
    result.failed_by_itself()
    assert result.out == b"" and "root" in result.message


def test_a_line_without_user_is_refused(make_place: MakePlace) -> None:
    place = make_place()
    place.write_authorized(authorized_line(place.key, "") + "\n")
    result = run_server(place)
    assert (result.code, result.out) == (1, b"")
    assert "user=" in result.message


def test_a_line_without_user_is_refused_beside_a_good_one(make_place: MakePlace,
                                                          make_server: MakeServer) -> None:
    place = make_place()
    other = wire.Key("other@there", os.urandom(32))
    place.write_authorized(f"{authorized_line(other, '')}\n{authorized_line(place.key)}\n")
    server = make_server(place=place)
    assert server.serves()
    assert server.rcmd("true", options=["-i", place.add_key_file("other", other)]).code == 255
    assert re.search(r"line.?1\b|:1\b", server.log()) and "user=" in server.log()


def test_a_line_with_a_user_that_does_not_exist_runs_nothing(make_place: MakePlace,
                                                             make_server: MakeServer) -> None:
    place = make_place()
    other = wire.Key("other@there", os.urandom(32))
    ghost = authorized_line(other, "user=no-such-user-here")
    place.write_authorized(f"{ghost}\n{authorized_line(place.key)}\n")
    server = make_server(place=place)
    result = server.rcmd("id", options=["-i", place.add_key_file("other", other)])
    assert (result.code, result.out) == (255, b"")
    assert server.serves()


def test_the_first_of_several_users_is_the_default(make_place: MakePlace, make_server: MakeServer) -> None:
    place = make_place()
    place.write_authorized(authorized_line(place.key, "user=nobody,root") + "\n")
    server = make_server(place=place)
    assert as_nobody(server, "id", "-un") == b"nobody\n"
    for options, host in ((["-l", "root"], server.host), ([], f"root@{server.host}")):
        assert run_rcmd(place, *options, host, "id -un").out == b"root\n"
    assert run_rcmd(place, "-l", "daemon", server.host, "id -un").code == 255


def test_signals_reach_a_command_of_another_user(nobody: Server) -> None:
    result = nobody.rcmd("sleep", "1000", options=["--argv", "--cwd", "/", "--timeout", "1"])
    assert result.code == 124
