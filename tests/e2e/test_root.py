"""A server started by root: commands run as the user that the key's line allows, with no way back."""
from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path
from typing import Callable

import pytest

import wire
from accounts import EXPIRED, TURNED_AWAY, USER, can_have_mounts_of_its_own, with_accounts, with_files
from harness import RCMD_SERVER, SANITIZED, Place, Result, Server, authorized_line, base_environment, run, run_rcmd, run_server

pytestmark = pytest.mark.skipif(not can_have_mounts_of_its_own(), reason="only root can become another user, whom only the test sees")

MakePlace = Callable[..., Place]
MakeServer = Callable[..., Server]


def crowd() -> None:
    """Supplementary groups that a child must not inherit."""
    os.setgroups([0, 4, 27, 42])


@pytest.fixture
def limited(make_place: MakePlace, make_server: MakeServer) -> Server:
    """A server whose key runs commands as USER."""
    place = make_place()
    place.write_authorized(authorized_line(place.key, f"user={USER.name}") + "\n")
    enter = with_accounts(place.root)

    def preexec() -> None:
        enter()
        crowd()

    return make_server(place=place, preexec=preexec)


def as_user(server: Server, *words: str) -> bytes:
    result = server.rcmd(*words, options=["--argv", "--cwd", "/"])
    assert result.code == 0, result
    return result.out


def test_id_shows_the_user_and_its_groups_only(limited: Server) -> None:
    name = USER.name
    expected = f"uid={USER.uid}({name}) gid={USER.uid}({name}) groups={USER.uid}({name})\n"
    assert as_user(limited, "id").decode() == expected


def test_real_effective_saved_and_filesystem_ids_are_all_dropped(limited: Server) -> None:
    status = as_user(limited, "cat", "/proc/self/status").decode()
    fields = dict(line.split(":\t", 1) for line in status.splitlines())
    assert fields["Uid"].split() == [str(USER.uid)] * 4
    assert fields["Gid"].split() == [str(USER.uid)] * 4
    assert fields["Groups"].split() in ([], [str(USER.uid)])
    for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        assert int(fields[name], 16) == 0, name


@pytest.mark.parametrize("call", ["os.setuid(0)", "os.seteuid(0)", "os.setgid(0)", "os.setgroups([0])",
                                  "open('/etc/shadow')", "os.kill(os.getppid(), 0)"])
def test_there_is_no_way_back(limited: Server, call: str) -> None:
    result = limited.rcmd("/usr/bin/python3", "-c", f"import os; {call}", options=["--argv", "--cwd", "/"])
    assert result.code == 1 and b"PermissionError" in result.err


def test_the_environment_is_that_of_the_user(limited: Server) -> None:
    lines = as_user(limited, "env").decode().splitlines()
    assert {f"USER={USER.name}", f"LOGNAME={USER.name}", f"HOME={USER.home}"} <= set(lines)


def test_a_home_that_does_not_exist_does_not_keep_a_command_from_running(limited: Server) -> None:
    result = limited.rcmd("pwd", options=["--argv"])
    assert (result.code, result.out) == (0, b"/\n"), result


def test_the_shell_runs_commands_as_the_user(limited: Server) -> None:
    result = limited.rcmd("id -un; id -Gn")
    assert (result.code, result.out.decode().split()) == (0, [USER.name, USER.name]), result


def closed(make_place: MakePlace, make_server: MakeServer, name: str) -> str:
    """What the client says when commands may not run as that account, in whatever way they are asked for."""
    place = make_place()
    place.write_authorized(authorized_line(place.key, f"user={name}") + "\n")
    enter = with_accounts(place.root)
    server = make_server(place=place, preexec=enter)
    for options in ([], ["--argv"], ["-tt"], ["--job", "durable"]):
        result = server.rcmd("true", options=options)
        result.failed_by_itself()
    checked = run(RCMD_SERVER, "check", "--authorized-keys", str(place.authorized_keys), env=base_environment(place.home),
                  preexec_fn=enter)
    assert checked.code == 1 and "line 1" in checked.message + checked.out.decode() and name in checked.out.decode()
    return result.message


def test_an_account_whose_shell_turns_people_away_runs_nothing(make_place: MakePlace, make_server: MakeServer) -> None:
    assert "nologin" in closed(make_place, make_server, TURNED_AWAY.name)


def test_an_account_that_has_expired_runs_nothing(make_place: MakePlace, make_server: MakeServer) -> None:
    assert "expired" in closed(make_place, make_server, EXPIRED.name)


def test_while_nologin_is_there_only_root_runs_commands(make_place: MakePlace, make_server: MakeServer) -> None:
    place = make_place()
    place.write_authorized(authorized_line(place.key, f"user={USER.name},root") + "\n")
    run_directory = place.root / "run"
    run_directory.mkdir()
    (run_directory / "nologin").touch()
    accounts, nologin = with_accounts(place.root), with_files((run_directory, "/run"))

    def preexec() -> None:
        accounts()
        nologin()

    server = make_server(place=place, preexec=preexec)
    refused = server.rcmd("true")
    refused.failed_by_itself()
    assert "nologin" in refused.message
    assert run_rcmd(place, "-l", "root", server.host, "echo in").out == b"in\n"


def test_a_directory_that_only_root_may_enter_is_refused(limited: Server, tmp_path: object) -> None:
    os.chmod(str(tmp_path), 0o700)
    result = limited.rcmd("pwd", options=["--argv", "--cwd", str(tmp_path)])
    assert result.code == 255 and result.out == b""


def test_a_program_that_only_root_may_execute_is_126(limited: Server, tmp_path: object) -> None:
    program = f"{tmp_path}/program"
    with open(program, "w") as text:
        text.write("#!/bin/sh\necho ran\n")
    os.chmod(program, 0o700)
    result = limited.rcmd(program, options=["--argv", "--cwd", "/"])
    assert (result.code, result.out) == (126, b"")


def test_programs_are_looked_for_with_the_users_rights(limited: Server) -> None:
    """What stands where only root may look is not found, nor does it keep from being found what stands behind it."""
    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o755)
        for name, mode, word in (("closed", 0o700, "root's"), ("open", 0o755, "everybody's")):
            program = Path(place) / name / "program"
            program.parent.mkdir(mode)
            program.write_text(f'#!/bin/sh\necho "{word}"\n')
            program.chmod(0o755)

        def tried(*names: str) -> Result:
            path = ":".join(f"{place}/{name}" for name in names)
            return limited.rcmd("program", options=["--argv", "--cwd", "/", "-e", f"PATH={path}"])

        assert tried("closed", "open") == Result(0, b"everybody's\n", b"")
        assert tried("closed").code == 126
        assert tried("none").code == 127


def test_another_user_than_the_lines_is_forbidden(limited: Server) -> None:
    result = run_rcmd(limited.place, "--argv", "-l", "root", limited.host, "id")
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
    place.write_authorized(authorized_line(place.key, f"user={USER.name},root") + "\n")
    server = make_server(place=place, preexec=with_accounts(place.root))
    assert as_user(server, "id", "-un").decode() == f"{USER.name}\n"
    for options, host in ((["-l", "root"], server.host), ([], f"root@{server.host}")):
        assert run_rcmd(place, *options, host, "id -un").out == b"root\n"
    assert run_rcmd(place, "-l", "daemon", server.host, "id -un").code == 255


def test_signals_reach_a_command_of_another_user(limited: Server) -> None:
    result = limited.rcmd("sleep", "1000", options=["--argv", "--cwd", "/", "--timeout", "1"])
    assert result.code == 124


def capabilities(pid: int | str) -> dict[str, int]:
    fields = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return {name: int(fields[name], 16) for name in ("CapPrm", "CapEff", "CapInh", "CapBnd")}


@pytest.mark.skipif(SANITIZED, reason="a sanitizer needs the rights of a debugger")
def test_the_daemon_uses_only_the_rights_it_needs(limited: Server) -> None:
    needed = sum(1 << number for number in (0, 2, 3, 5, 6, 7))  # CHOWN, DAC_READ_SEARCH, FOWNER, KILL, SETGID, SETUID
    assert capabilities(limited.pid)["CapEff"] == capabilities("self")["CapEff"] & needed


def test_a_command_of_root_has_all_rights_of_root(make_server: MakeServer) -> None:
    result = make_server().rcmd("grep CapEff /proc/self/status")
    assert int(result.out.split()[1], 16) == capabilities("self")["CapBnd"], result


def test_no_new_privs_is_an_option(make_place: MakePlace, make_server: MakeServer) -> None:
    place = make_place()
    place.write_authorized(authorized_line(place.key, f"user={USER.name}") + "\n")
    question = "grep NoNewPrivs /proc/self/status"
    enter = with_accounts(place.root)
    assert make_server(place=place, preexec=enter).rcmd(question).out.split() == [b"NoNewPrivs:", b"0"]
    place.state = place.root / "other-state"
    assert make_server("--no-new-privs", place=place, preexec=enter).rcmd(question).out.split() == [b"NoNewPrivs:", b"1"]
