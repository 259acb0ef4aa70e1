"""rcmd-server under systemd: what it says to $NOTIFY_SOCKET, the sockets that it is passed, and the unit files."""
from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

from durable import directory, supervisor
from harness import (DEADLINE, RCMD_SERVER, REPOSITORY, Place, Result, Server, base_environment, process, run,
                     run_rcmd, wait_for)

UNITS = REPOSITORY / "server"
SERVICE = UNITS / "rcmd-server.service"
SOCKET = UNITS / "rcmd-server.socket"


@contextmanager
def manager(address: str) -> Iterator[socket.socket]:
    """Where a service manager listens."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.settimeout(DEADLINE)
        listening.bind("\0" + address[1:] if address.startswith("@") else address)
        yield listening


def told(listening: socket.socket) -> dict[str, str]:
    """The next datagram."""
    return dict(line.split("=", 1) for line in listening.recv(4096).decode().splitlines())


def told_nothing(listening: socket.socket) -> bool:
    listening.setblocking(False)
    try:
        return not listening.recv(4096)
    except BlockingIOError:
        return True
    finally:
        listening.settimeout(DEADLINE)


def address_of(kind: str, place: Place) -> str:
    return str(place.root / "notify") if kind == "path" else f"@rcmd-test-{uuid.uuid4().hex}"


def listening_socket(family: int = socket.AF_INET, address: str = "127.0.0.1") -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    made.bind((address, 0))
    made.listen()
    return made


def passing(descriptors: list[int], whose: str = "$$") -> list[str]:
    """What is put in front of a command that is to have these descriptors as a service manager passes them."""
    moves = " ".join(f"{3 + index}<&{20 + index}" for index in range(len(descriptors)))
    script = f'exec {moves}; export LISTEN_FDS={len(descriptors)} LISTEN_FDNAMES=a:b LISTEN_PID={whose}; exec "$@"'
    lifted = " ".join(f"{20 + index}<&{descriptor}" for index, descriptor in enumerate(descriptors))
    return ["bash", "-c", f"exec {lifted}; {script}", "bash"]


@contextmanager
def serving(place: Place, sockets: list[socket.socket], *options: str, lines: int, whose: str = "$$",
            **environment: str) -> Iterator[tuple[subprocess.Popen, list[str]]]:
    """A server with these inherited sockets, without --listen unless given: itself and the addresses that it listens on."""
    numbers = [one.fileno() for one in sockets]
    command = [RCMD_SERVER, "--authorized-keys", str(place.authorized_keys), "--state-dir", str(place.state), *options]
    with process(*passing(numbers, whose), *command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                 env=base_environment(place.home) | environment, pass_fds=numbers) as child:
        said = [child.stdout.readline().decode() for _ in range(lines)]
        assert all(line.startswith("listening on ") for line in said), said
        yield child, [line.split()[-1] for line in said]
        child.terminate()
        assert child.wait(DEADLINE) == 0
        assert child.stdout.read() == b"", "it listens on more addresses"


def echo(place: Place, host: str) -> Result:
    return run_rcmd(place, host, "echo served")


# Notifications


@pytest.mark.parametrize("kind", ["path", "abstract"])
def test_it_says_when_it_is_ready_and_when_it_ends(make_place: Callable[..., Place], make_server: Callable[..., Server],
                                                   kind: str) -> None:
    place = make_place()
    address = address_of(kind, place)
    with manager(address) as listening:
        server = make_server(place=place, env={"NOTIFY_SOCKET": address})
        assert told(listening) == {"READY": "1"}
        assert server.serves()
        assert told_nothing(listening)
        server.stop()
        assert told(listening) == {"STOPPING": "1"}
        assert told_nothing(listening)


def test_it_says_that_it_reloads(make_place: Callable[..., Place], make_server: Callable[..., Server]) -> None:
    place = make_place()
    address = address_of("path", place)
    with manager(address) as listening:
        server = make_server(place=place, env={"NOTIFY_SOCKET": address})
        assert told(listening) == {"READY": "1"}
        server.process.send_signal(signal.SIGHUP)
        reloading = told(listening)
        assert reloading["RELOADING"] == "1" and int(reloading["MONOTONIC_USEC"]) > 0
        assert told(listening) == {"READY": "1"}
        assert server.serves()


@pytest.mark.parametrize("address", ["/nonexistent/notify", "relative", "@" + "x" * 200, "/" + "x" * 200, "@"])
def test_a_manager_that_is_not_there_keeps_nobody_from_work(make_server: Callable[..., Server], address: str) -> None:
    server = make_server(env={"NOTIFY_SOCKET": address})
    assert server.serves()
    wait_for(lambda: re.search(r" warning notify .*state=\"READY=1\"", server.log()), "the line in the log")


def test_in_the_background_it_says_so_too(make_place: Callable[..., Place]) -> None:
    place = make_place()
    address = address_of("path", place)
    pid_file = place.root / "pid"
    with manager(address) as listening:
        result = run(RCMD_SERVER, "--daemon", "--pid-file", str(pid_file), "--listen", "127.0.0.1:0",
                     "--authorized-keys", str(place.authorized_keys), "--state-dir", str(place.state),
                     env=base_environment(place.home) | {"NOTIFY_SOCKET": address})
        assert result.code == 0, result.message
        assert told(listening) == {"READY": "1"}
        os.kill(int(pid_file.read_text()), signal.SIGTERM)
        assert told(listening) == {"STOPPING": "1"}
        wait_for(lambda: not pid_file.exists(), "the daemon to end")


# Sockets


def test_a_passed_socket_is_used_instead_of_the_default_port(make_place: Callable[..., Place]) -> None:
    place = make_place()
    with listening_socket() as passed:
        with serving(place, [passed], lines=1) as (_, hosts):
            assert hosts == [f"127.0.0.1:{passed.getsockname()[1]}"]
            assert echo(place, hosts[0]).out == b"served\n"


def test_several_sockets_and_listen_are_all_used(make_place: Callable[..., Place]) -> None:
    place = make_place()
    with listening_socket() as one, listening_socket() as two:
        with serving(place, [one, two], "--listen", "127.0.0.1:0", lines=3) as (_, hosts):
            assert hosts[:2] == [f"127.0.0.1:{passed.getsockname()[1]}" for passed in (one, two)]
            assert len(set(hosts)) == 3
            for host in hosts:
                assert echo(place, host).out == b"served\n"


def test_a_socket_outlasts_the_server(make_place: Callable[..., Place]) -> None:
    place = make_place()
    with listening_socket() as passed:
        for _ in range(2):
            with serving(place, [passed], lines=1) as (_, hosts):
                assert echo(place, hosts[0]).out == b"served\n"


def test_an_ipv4_client_of_a_socket_for_both_is_named_as_such(make_place: Callable[..., Place]) -> None:
    place = make_place()
    with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as both:
        both.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        both.bind(("::ffff:127.0.0.1", 0))
        both.listen()
        with serving(place, [both], lines=1) as (_, hosts):
            assert hosts == [f"127.0.0.1:{both.getsockname()[1]}"]
            result = run_rcmd(place, hosts[0], 'echo "$RCMD_CLIENT"')
            assert re.fullmatch(rb"127\.0\.0\.1:\d+\n", result.out), result


def refused(place: Place, passed: list[int], **more: Any) -> str:
    """Why the server does not start with these descriptors."""
    command = [RCMD_SERVER, "--authorized-keys", str(place.authorized_keys), "--state-dir", str(place.state)]
    result = run(*passing(passed), *command, env=base_environment(place.home), pass_fds=passed, **more)
    assert (result.code, result.out) == (1, b""), result
    lines = result.message.splitlines()
    assert len(lines) == 1 and lines[0].startswith("rcmd-server: descriptor 3 "), result.message
    return lines[0]


def test_what_is_no_listening_tcp_socket_is_refused(make_place: Callable[..., Place]) -> None:
    place = make_place()
    with socket.socket() as idle, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams, \
            socket.socket(socket.AF_UNIX) as local, open("/dev/null") as file:
        datagrams.bind(("127.0.0.1", 0))
        local.bind(str(place.root / "local"))
        local.listen()
        for wrong in (idle, datagrams, local, file):
            assert "ListenStream" in refused(place, [wrong.fileno()])


@pytest.mark.parametrize("count", ["2", "x", "-1", "999999", "1 "])
def test_a_number_of_sockets_that_is_wrong_is_refused(make_place: Callable[..., Place], count: str) -> None:
    place = make_place()
    with listening_socket() as passed:
        number = passed.fileno()
        result = run("bash", "-c", f'exec 3<&{number} 4<&-; export LISTEN_PID=$$ LISTEN_FDS="{count}"; exec "$@"', "bash",
                     RCMD_SERVER, "--authorized-keys", str(place.authorized_keys), "--state-dir", str(place.state),
                     env=base_environment(place.home), pass_fds=[number])
    assert (result.code, result.out) == (1, b""), result
    assert "LISTEN_FDS" in result.message and result.message.count("\n") == 1


def test_sockets_for_another_process_are_left_alone(make_place: Callable[..., Place]) -> None:
    place = make_place()
    with listening_socket() as passed:
        with serving(place, [passed], "--listen", "127.0.0.1:0", lines=1, whose="1") as (_, hosts):
            assert hosts != [f"127.0.0.1:{passed.getsockname()[1]}"]
            assert echo(place, hosts[0]).out == b"served\n"


@pytest.mark.parametrize("options", [[], ["-d"]], ids=["plain", "durable"])
def test_nothing_of_it_reaches_a_command(make_place: Callable[..., Place], options: list[str]) -> None:
    place = make_place()
    address = address_of("path", place)
    out = place.root / "out"
    look = f"env > {out}; ls -l /proc/self/fd >> {out}; echo done >> {out}"
    with manager(address), listening_socket() as passed:
        more = {"NOTIFY_SOCKET": address, "LISTEN_FDNAMES": "x", "WATCHDOG_USEC": "5"}
        with serving(place, [passed], lines=1, **more) as (_, hosts):
            assert run_rcmd(place, *options, hosts[0], look).code == 0
            wait_for(lambda: out.exists() and out.read_text().endswith("done\n"), "the command's output")
    text = out.read_text()
    assert "RCMD_JOB=" in text
    assert not re.search(r"NOTIFY_SOCKET|LISTEN_|WATCHDOG|socket:", text), text


def test_a_supervisor_has_neither_the_sockets_nor_the_variables(make_place: Callable[..., Place]) -> None:
    place = make_place()
    address = address_of("path", place)
    with manager(address), listening_socket() as passed:
        with serving(place, [passed], lines=1, NOTIFY_SOCKET=address) as (_, hosts):
            job = run_rcmd(place, "-d", hosts[0], "exec sleep 1000").out.decode().strip()
            pid = supervisor(directory(place, job))
            environment = Path(f"/proc/{pid}/environ").read_bytes()
            held = [os.readlink(entry) for entry in Path(f"/proc/{pid}/fd").iterdir()]
            assert run_rcmd(place, "kill", "-s", "KILL", hosts[0], job).code == 0
        inode = os.fstat(passed.fileno()).st_ino
    assert not re.search(rb"NOTIFY_SOCKET|LISTEN_", environment), environment
    assert f"socket:[{inode}]" not in held, held


# The unit files


def setting(file: Path, name: str) -> str:
    [value] = re.findall(rf"^{name}=(.*)$", file.read_text(), re.M)
    return value


def test_the_service_starts_a_program_that_takes_its_options(make_place: Callable[..., Place]) -> None:
    place = make_place()
    program, *options = setting(SERVICE, "ExecStart").split()
    assert program == Path(RCMD_SERVER).name
    with listening_socket() as passed:
        with serving(place, [passed], *options, lines=1) as (_, hosts):
            assert echo(place, hosts[0]).out == b"served\n"


def test_the_services_reload_is_a_signal_that_the_server_survives(make_server: Callable[..., Server]) -> None:
    server = make_server()
    command = setting(SERVICE, "ExecReload").replace("$MAINPID", str(server.pid)).split()
    assert run(*command).code == 0
    assert server.serves()


def test_stopping_the_service_spares_the_supervisors_and_commands_may_gain_rights() -> None:
    assert setting(SERVICE, "KillMode") == "process"
    assert setting(SERVICE, "Type") == "notify"
    in_force = re.sub(r"^#.*$", "", SERVICE.read_text(), flags=re.M)
    assert not re.search(r"NoNewPrivileges|Private|Protect|Restrict[A-Z]|SystemCall", in_force)


def test_the_socket_is_on_the_port_that_clients_call() -> None:
    assert setting(SOCKET, "ListenStream") == "7420"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze")
def test_systemd_finds_nothing_wrong_with_the_units(tmp_path: Path) -> None:
    text = SERVICE.read_text().replace("ExecStart=rcmd-server", f"ExecStart={RCMD_SERVER}")
    (tmp_path / SERVICE.name).write_text(text)
    shutil.copy(SOCKET, tmp_path)
    result = run("systemd-analyze", "verify", "--man=no", str(tmp_path / SERVICE.name), str(tmp_path / SOCKET.name))
    assert (result.code, result.message) == (0, "")
