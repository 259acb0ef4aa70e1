"""A server keeps its identity, and a client refuses a host that shows another one."""
from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
import stat
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Callable

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import wire
from cutter import cutter
from fakes import FakeServer, Middle, listener
from harness import (MAY_HAVE_RUN, NEVER_STARTED, RCMD, Place, Result, Server, base_environment, process, run,
                     run_rcmd, run_server, scaled, write_private)

OTHER = "SHA256:" + "A" * 43


def known_hosts(place: Place) -> Path:
    return place.home / ".config" / "rcmd" / "known_hosts"


def fingerprint(port: int) -> str:
    """Of the identity that a server shows."""
    connection, plain = wire.tls_connect(port)
    key = connection.get_peer_certificate().to_cryptography().public_key()
    plain.close()
    digest = hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def line_of(server: Server) -> str:
    return f"{server.host} {fingerprint(server.port)}\n"


def replace_server(make_server: Callable[..., Server], server: Server) -> Server:
    """Another installation on the same address, which knows the same keys."""
    server.stop()
    shutil.rmtree(server.place.state)
    return make_server("--listen", server.host, place=server.place)


def code_of(server: Server, *options: str, **more: Any) -> str:
    """What scripts are told of a command that was refused."""
    result = server.rcmd("echo x", options=["--json", *options], **more)
    assert result.code == 255 and NEVER_STARTED.search(result.message), result
    assert result.json["started"] is False
    return result.json["error"]["code"]


def works(result: Result) -> bool:
    assert result == Result(0, b"x\n", b"")
    return True


def warned(result: Result) -> str:
    """The one line that a command said that worked all the same."""
    assert (result.code, result.out) == (0, b"x\n"), result
    lines = result.message.splitlines()
    assert len(lines) == 1 and lines[0].startswith("rcmd: 127.0.0.1: "), result.message
    return lines[0]


# The server


def test_the_identity_is_made_once_and_survives_a_restart(make_server: Callable[..., Server]) -> None:
    server = make_server()
    identity = server.place.state / "identity"
    before, content = fingerprint(server.port), identity.read_bytes()
    assert stat.S_IMODE(identity.stat().st_mode) == 0o600
    assert before == fingerprint(server.port)
    server.stop()
    again = make_server(place=server.place)
    assert fingerprint(again.port) == before and identity.read_bytes() == content
    for each in (server, again):
        assert re.findall(r" started .*fingerprint=(\S+)", each.log()) == [before]


def test_servers_differ(make_server: Callable[..., Server]) -> None:
    assert fingerprint(make_server().port) != fingerprint(make_server().port)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_an_identity_that_others_can_read_is_refused(make_server: Callable[..., Server], mode: int) -> None:
    server = make_server()
    server.stop()
    identity = server.place.state / "identity"
    identity.chmod(mode)
    result = run_server(server.place)
    assert (result.code, result.out) == (1, b"")
    assert f"chmod 0600 {identity}" in result.message
    assert run("sh", "-c", f"chmod 0600 {identity}").code == 0
    assert make_server(place=server.place).serves()


def foreign_key(text: str) -> str:
    """The certificate, with a key that is not its own."""
    key = run("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256").out.decode()
    return key + text[text.index("-----BEGIN CERTIFICATE"):]


@pytest.mark.parametrize("damage", [
    lambda text: "", lambda text: text[:100], lambda text: text[:text.index("-----BEGIN CERTIFICATE")],
    lambda text: text[text.index("-----BEGIN CERTIFICATE"):], lambda text: text.replace("M", "N", 1), foreign_key,
    lambda text: "nonsense\n"],
    ids=["empty", "cut", "no-certificate", "no-key", "changed", "foreign-key", "nonsense"])
def test_a_damaged_identity_is_refused(make_server: Callable[..., Server], damage: Callable[[str], str]) -> None:
    server = make_server()
    server.stop()
    identity = server.place.state / "identity"
    write_private(identity, damage(identity.read_text()))
    result = run_server(server.place)
    assert (result.code, result.out) == (1, b"") and len(result.message.splitlines()) == 1
    assert str(identity) in result.message and "remove it" in result.message
    assert "PRIVATE" not in result.message
    identity.unlink()
    assert make_server(place=server.place).serves()


# What is kept


def test_the_first_contact_is_kept_and_nothing_is_said(make_server: Callable[..., Server]) -> None:
    server = make_server()
    for _ in range(2):
        assert works(server.rcmd("echo x"))
        assert known_hosts(server.place).read_text() == line_of(server)
        assert stat.S_IMODE(known_hosts(server.place).stat().st_mode) == 0o600


def test_the_folder_is_made_for_this_user_only(server: Server, tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert works(server.rcmd("echo x", options=["-i", str(server.place.key_file)], env={"HOME": str(home)}))
    assert (home / ".config/rcmd/known_hosts").read_text() == line_of(server)
    for folder in (home, home / ".config", home / ".config/rcmd"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_comments_and_other_hosts_stay_as_they_are(make_server: Callable[..., Server]) -> None:
    server = make_server()
    before = f"# mine\n\n  # too\n127.0.0.1:1 {OTHER}\nother\t{OTHER}"
    write_private(known_hosts(server.place), before)
    assert works(server.rcmd("echo x"))
    assert known_hosts(server.place).read_text() == before + "\n" + line_of(server)


def test_every_verb_keeps_and_checks(make_server: Callable[..., Server], tmp_path: Path) -> None:
    server = make_server()
    source = tmp_path / "source"
    source.write_text("x")
    ways = [["jobs", server.host], ["kill", server.host, "nosuch"], ["attach", server.host, "nosuch"],
            ["cp", "-P", str(server.port), str(source), f"127.0.0.1:{tmp_path}/copy"],
            ["-N", server.host], ["-d", server.host, "true"]]
    for way in ways:
        write_private(known_hosts(server.place), f"{server.host} {OTHER}\n")
        result = run_rcmd(server.place, *way)
        assert result.code == 255 and OTHER in result.message, (way, result)
    assert not (tmp_path / "copy").exists()
    known_hosts(server.place).unlink()
    assert run_rcmd(server.place, "jobs", server.host).code == 0
    assert known_hosts(server.place).read_text() == line_of(server)


def test_a_server_that_does_not_prove_the_key_is_not_kept(make_place: Callable[..., Place]) -> None:
    place = make_place()
    impostor = FakeServer(wire.Key(place.key.key_id, os.urandom(32)), lambda fake: fake.login())
    with listener(impostor) as port:
        result = run_rcmd(place, "--json", f"127.0.0.1:{port}", "true")
        assert result.json["error"]["code"] == "auth_failed"
        assert not known_hosts(place).exists()
    mute = FakeServer(place.key, lambda fake: fake.receive())
    with listener(mute) as port:
        assert run_rcmd(place, f"127.0.0.1:{port}", "true").code == 255
    assert not known_hosts(place).exists()


def run_at_once(commands: list[list[str]], place: Place) -> None:
    """All of them work, and say nothing on stderr."""
    with ExitStack() as stack:
        clients = [stack.enter_context(process(RCMD, *words, env=base_environment(place.home), stdin=subprocess.DEVNULL,
                                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)) for words in commands]
        for client in clients:
            out, err = client.communicate()
            assert (client.returncode, out, err) == (0, b"x\n", b"")


def test_many_clients_at_once_write_one_line(make_server: Callable[..., Server]) -> None:
    server = make_server()
    run_at_once([[server.host, "echo x"]] * scaled(30, least=8), server.place)
    assert known_hosts(server.place).read_text() == line_of(server)


def test_clients_of_many_hosts_at_once_lose_no_line(make_server: Callable[..., Server]) -> None:
    server = make_server()
    names = [f"host{number}" for number in range(scaled(30, least=8))]
    run_at_once([["-o", f"HostKeyAlias={name}", server.host, "echo x"] for name in names], server.place)
    lines = known_hosts(server.place).read_text().splitlines()
    assert sorted(lines) == sorted(f"{name} {fingerprint(server.port)}" for name in names)


@pytest.mark.parametrize("where", ["no-folder", "folder", "read-only"])
def test_what_cannot_be_kept_is_warned_of_once(server: Server, tmp_path: Path, where: str) -> None:
    """Root may write anywhere but in /proc."""
    (tmp_path / "file").touch()
    file = {"no-folder": tmp_path / "file" / "known_hosts", "folder": Path("/proc/none/known_hosts"),
            "read-only": Path("/proc/known_hosts")}[where]
    options = ["-o", f"UserKnownHostsFile={file}"]
    assert str(file.parent) in warned(server.rcmd("echo x", options=options))
    assert works(server.rcmd("echo x", options=["-q", *options]))
    with cutter(server, iter([4000, 4000])) as proxy:
        result = run_rcmd(server.place, *options, proxy.host, "seq 3000")
    assert result.code == 0 and result.out.endswith(b"\n3000\n") and proxy.cut == 2
    assert result.message.count(str(file.parent)) == 1, result.message


def test_a_home_that_cannot_be_written_is_warned_of(server: Server) -> None:
    result = server.rcmd("echo x", options=["-i", str(server.place.key_file)], env={"HOME": "/proc/none"})
    assert "/proc/none" in warned(result)


# What is refused


def test_a_changed_host_is_refused_until_its_line_is_removed(make_server: Callable[..., Server]) -> None:
    server = make_server()
    write_private(known_hosts(server.place), "# the first line\n")
    assert works(server.rcmd("echo x"))
    before = fingerprint(server.port)
    another = replace_server(make_server, server)
    result = another.rcmd("echo x")
    result.failed_by_itself()
    for said in (f"{known_hosts(server.place)}:2 ", before, fingerprint(another.port), "the command was not started"):
        assert said in result.message, result.message
    assert code_of(another) == "host_changed"
    command = re.search(r"run: (.*?); ", result.message).group(1)
    assert run("sh", "-c", command).code == 0
    assert works(another.rcmd("echo x"))
    assert known_hosts(server.place).read_text() == "# the first line\n" + line_of(another)


def test_one_command_removes_all_lines_of_a_changed_host(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "it's mine; known"
    write_private(file, f"{server.host} {OTHER}\nother {OTHER}\n{server.host} {OTHER}\n")
    options = ["-o", f'UserKnownHostsFile="{file}"']
    result = server.rcmd("echo x", options=options)
    result.failed_by_itself()
    command = re.search(r"run: (.*); the command was not started", result.message).group(1)
    assert run("sh", "-c", command).code == 0
    assert file.read_text() == f"other {OTHER}\n"
    assert works(server.rcmd("echo x", options=options))


def test_nothing_is_said_to_a_changed_host(make_place: Callable[..., Place]) -> None:
    place = make_place()
    said: list[Any] = []
    fake = FakeServer(place.key, lambda fake: said.append(fake.receive()))
    with listener(fake) as port:
        write_private(known_hosts(place), f"127.0.0.1:{port} {OTHER}\n")
        result = run_rcmd(place, "--json", f"127.0.0.1:{port}", "true")
        strict = run_rcmd(place, "--json", "-o", "StrictHostKeyChecking=yes", "-o", "HostKeyAlias=new",
                          f"127.0.0.1:{port}", "true")
    assert result.json["error"]["code"] == "host_changed"
    assert strict.json["error"]["code"] == "unknown_host"
    assert said == []


def test_any_of_several_lines_will_do(make_server: Callable[..., Server]) -> None:
    server = make_server()
    lines = f"{server.host} {OTHER}\n{line_of(server)}"
    write_private(known_hosts(server.place), lines)
    assert works(server.rcmd("echo x", options=["-o", "StrictHostKeyChecking=yes"]))
    assert known_hosts(server.place).read_text() == lines


@pytest.mark.parametrize("line", ["127.0.0.1:7420", f"127.0.0.1:7420 {OTHER} x", "h SHA256:AAAA", f"h {OTHER}=",
                                  f"h md5:{OTHER}", f"h {OTHER}\r"])
def test_a_broken_line_is_named(make_server: Callable[..., Server], line: str) -> None:
    server = make_server()
    write_private(known_hosts(server.place), f"# one\n\n{line}\n{line_of(server)}")
    result = server.rcmd("echo x")
    result.failed_by_itself()
    assert f"{known_hosts(server.place)}:3: " in result.message
    assert code_of(server) == "config"


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_can_write_is_refused(make_server: Callable[..., Server], mode: int) -> None:
    server = make_server()
    write_private(known_hosts(server.place), line_of(server))
    known_hosts(server.place).chmod(mode)
    result = server.rcmd("echo x")
    result.failed_by_itself()
    assert "chmod" in result.message and str(known_hosts(server.place)) in result.message
    known_hosts(server.place).chmod(0o644)
    assert works(server.rcmd("echo x"))


def test_a_host_that_changes_in_the_middle_is_refused(make_server: Callable[..., Server]) -> None:
    server, another = make_server(), make_server()
    another.place.authorize(server.place.key)
    for options in ([], ["-o", "UserKnownHostsFile=none"]):
        with cutter(server, iter([])) as proxy:
            with process(RCMD, *options, proxy.host, "echo ready; sleep 1000", env=base_environment(server.place.home),
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as client:
                assert client.stdout.readline() == b"ready\n"
                proxy.lead_to(another.port)
                proxy.interrupt()
                said = client.stderr.read().decode()
                assert client.wait() == 255
        assert MAY_HAVE_RUN.search(said.splitlines()[-1]), said
        assert fingerprint(server.port) in said and fingerprint(another.port) in said


# A man in the middle


def test_a_man_in_the_middle_is_refused_for_his_identity(make_server: Callable[..., Server]) -> None:
    server = make_server()
    middle = Middle(server.port)
    with listener(middle) as port:
        write_private(known_hosts(server.place), f"127.0.0.1:{port} {fingerprint(server.port)}\n")
        result = run_rcmd(server.place, "--json", f"127.0.0.1:{port}", "true")
    assert result.json["error"]["code"] == "host_changed"
    assert middle.hello == b""


@pytest.mark.parametrize("options", [[], ["-o", "StrictHostKeyChecking=no"]], ids=["new", "checks-off"])
def test_a_man_in_the_middle_of_an_unknown_host_is_refused_for_the_binding(make_server: Callable[..., Server],
                                                                           options: list[str]) -> None:
    server = make_server()
    middle = Middle(server.port)
    with listener(middle) as port:
        result = run_rcmd(server.place, "--json", *options, f"127.0.0.1:{port}", "true")
    assert result.json["error"]["code"] == "auth_failed"
    assert middle.hello != b"" and middle.behind_challenge == []
    assert not known_hosts(server.place).exists()


# Options


def test_strict_checking_takes_known_hosts_only(make_server: Callable[..., Server]) -> None:
    server = make_server()
    strict = ["-o", "StrictHostKeyChecking=yes"]
    assert code_of(server, *strict) == "unknown_host"
    assert not known_hosts(server.place).exists()
    result = server.rcmd("echo x", options=strict)
    result.failed_by_itself()
    assert str(known_hosts(server.place)) in result.message
    write_private(known_hosts(server.place), re.search(r"\S+:\d+ SHA256:[^;\s]+", result.message).group(0) + "\n")
    assert known_hosts(server.place).read_text() == line_of(server)
    assert works(server.rcmd("echo x", options=strict))


@pytest.mark.parametrize("value", ["accept-new", "ask", "ASK"])
def test_these_take_a_new_host_but_no_changed_one(make_server: Callable[..., Server], value: str) -> None:
    server = make_server()
    assert works(server.rcmd("echo x", options=["-o", f"StrictHostKeyChecking={value}"]))
    write_private(known_hosts(server.place), f"{server.host} {OTHER}\n")
    assert code_of(server, "-o", f"StrictHostKeyChecking={value}") == "host_changed"


@pytest.mark.parametrize("value", ["no", "off", "No"])
def test_without_checking_a_changed_host_is_taken_with_a_warning(make_server: Callable[..., Server],
                                                                 value: str) -> None:
    server = make_server()
    options = ["-o", f"StrictHostKeyChecking={value}"]
    assert works(server.rcmd("echo x", options=options))
    assert known_hosts(server.place).read_text() == line_of(server)
    wrong = f"{server.host} {OTHER}\n"
    write_private(known_hosts(server.place), wrong)
    told = warned(server.rcmd("echo x", options=options))
    assert OTHER in told and fingerprint(server.port) in told and f"{known_hosts(server.place)}:1 " in told
    assert works(server.rcmd("echo x", options=["-q", *options]))
    assert known_hosts(server.place).read_text() == wrong


def test_without_checking_the_key_must_be_proved_all_the_same(make_place: Callable[..., Place]) -> None:
    place = make_place()
    impostor = FakeServer(wire.Key(place.key.key_id, os.urandom(32)), lambda fake: fake.login())
    with listener(impostor) as port:
        write_private(known_hosts(place), f"127.0.0.1:{port} {OTHER}\n")
        result = run_rcmd(place, "-o", "StrictHostKeyChecking=no", f"127.0.0.1:{port}", "true")
    result.failed_by_itself()
    assert "authentication failed" in result.message


@pytest.mark.parametrize("value", ["perhaps", "accept"])
def test_a_wrong_value_is_refused(server: Server, value: str) -> None:
    server.rcmd("true", options=["-o", f"StrictHostKeyChecking={value}"]).failed_by_itself()


def test_another_file_can_be_named(make_server: Callable[..., Server]) -> None:
    server = make_server()
    for text, file in (("~/mine", "mine"), (f"{server.place.home}/own", "own"), ('"~/a b"', "a b")):
        assert works(server.rcmd("echo x", options=["-o", f"UserKnownHostsFile={text}"]))
        assert (server.place.home / file).read_text() == line_of(server)
    assert not known_hosts(server.place).exists()


def test_of_several_files_all_are_read_and_the_first_is_written(make_server: Callable[..., Server]) -> None:
    server = make_server()
    home = server.place.home
    options = ["-o", "UserKnownHostsFile=~/one ~/two"]
    write_private(home / "two", line_of(server))
    assert works(server.rcmd("echo x", options=options))
    assert not (home / "one").exists()
    write_private(home / "two", "")
    assert works(server.rcmd("echo x", options=options))
    assert (home / "one").read_text() == line_of(server) and (home / "two").read_text() == ""
    write_private(home / "one", "")
    write_private(home / "two", f"{server.host} {OTHER}\n")
    assert code_of(server, *options) == "host_changed"


@pytest.mark.parametrize("nothing", ["none", "/dev/null"])
def test_nothing_is_read_or_kept_if_so_asked(make_server: Callable[..., Server], nothing: str) -> None:
    server = make_server()
    options = ["-o", f"UserKnownHostsFile={nothing}"]
    assert works(server.rcmd("echo x", options=options))
    assert not known_hosts(server.place).exists()
    write_private(known_hosts(server.place), "broken\n")
    assert works(server.rcmd("echo x", options=options))
    assert code_of(server, "-o", "StrictHostKeyChecking=yes", *options) == "unknown_host"


def test_an_alias_stands_for_the_address(make_server: Callable[..., Server]) -> None:
    server = make_server()
    alias = ["-o", "HostKeyAlias=Cluster"]
    assert works(server.rcmd("echo x", options=alias))
    assert known_hosts(server.place).read_text() == f"cluster {fingerprint(server.port)}\n"
    another = replace_server(make_server, server)
    assert code_of(another, *alias) == "host_changed"
    assert works(another.rcmd("echo x"))


def test_names_are_alike_in_upper_and_lower_case(make_server: Callable[..., Server]) -> None:
    server = make_server()
    for name in ("localhost", "LocalHost"):
        assert works(run_rcmd(server.place, f"{name}:{server.port}", "echo x"))
    assert known_hosts(server.place).read_text() == f"localhost:{server.port} {fingerprint(server.port)}\n"


def test_the_address_counts_that_is_dialled(make_server: Callable[..., Server]) -> None:
    server = make_server()
    assert works(run_rcmd(server.place, "-o", "HostName=127.0.0.1", "-p", str(server.port), "node", "echo x"))
    assert known_hosts(server.place).read_text() == line_of(server)


def test_the_configuration_can_say_all_of_it(make_server: Callable[..., Server]) -> None:
    server = make_server()
    config = server.place.home / "config.toml"
    write_private(config, f'[host.node]\naddress = "127.0.0.1"\nport = {server.port}\nknown-hosts = "~/mine"\n'
                          'host-key-alias = "other"\nstrict-host-key-checking = "yes"\n')
    told = run_rcmd(server.place, "-F", str(config), "-G", "node").out.decode().splitlines()
    assert {f"userknownhostsfile {server.place.home}/mine", "stricthostkeychecking yes",
            "hostkeyalias other"} <= set(told)
    run_rcmd(server.place, "-F", str(config), "node", "true").failed_by_itself()
    write_private(server.place.home / "mine", f"other {fingerprint(server.port)}\n")
    assert works(run_rcmd(server.place, "-F", str(config), "node", "echo x"))


def test_g_shows_what_there_is_without_being_told(make_place: Callable[..., Place]) -> None:
    place = make_place()
    told = run_rcmd(place, "-G", "node").out.decode().splitlines()
    assert {f"userknownhostsfile {known_hosts(place)}", "stricthostkeychecking accept-new"} <= set(told)
    told = run_rcmd(place, "-G", "-o", "UserKnownHostsFile=/a ~/b none", "-o", "StrictHostKeyChecking=off",
                    "node").out.decode().splitlines()
    assert {f"userknownhostsfile /a {place.home}/b /dev/null", "stricthostkeychecking no"} <= set(told)
