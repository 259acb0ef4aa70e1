"""Ansible with rcmd as its ssh: modules, files, asynchronous tasks, failing hosts, retries that repeat nothing."""
from __future__ import annotations

import hashlib
import json
import re
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

from callers import USER, call, contents, digest, environment, random_file
from cutter import Cutter, cutter
from harness import Place, Result, Server, process, wait_for

# How files are transferred, and whether modules are sent through the input of their interpreter.
WAYS = {
    "pipelined": {"ANSIBLE_PIPELINING": "True", "ANSIBLE_SSH_TRANSFER_METHOD": "piped"},
    "piped": {"ANSIBLE_PIPELINING": "False", "ANSIBLE_SSH_TRANSFER_METHOD": "piped"},
    "sftp": {"ANSIBLE_PIPELINING": "False", "ANSIBLE_SSH_TRANSFER_METHOD": "sftp"},
    "scp": {"ANSIBLE_PIPELINING": "False", "ANSIBLE_SSH_TRANSFER_METHOD": "scp"},
}
AWKWARD_WORDS = ["a  b", "it's", 'say "so"', "$(id)", "`id`", "*", "back\\slash", "ümläut", "-n", "", "a;b|c&d>e", "%h"]


@dataclass
class Ansible:
    """A control node with an inventory of its own; all that it leaves is in one directory."""

    place: Place
    root: Path
    hosts: dict[str, int] = field(default_factory=dict)
    options: str = ""  # more of them, for rcmd

    def environment(self) -> dict[str, str]:
        return {"ANSIBLE_LOCAL_TEMP": f"{self.root}/local", "ANSIBLE_REMOTE_TEMP": f"{self.root}/remote",
                "ANSIBLE_ASYNC_DIR": f"{self.root}/async", "ANSIBLE_NOCOLOR": "1", "ANSIBLE_NOCOWS": "1",
                "ANSIBLE_RETRY_FILES_ENABLED": "False", "ANSIBLE_CONFIG": f"{self.root}/ansible.cfg",
                "ANSIBLE_DEPRECATION_WARNINGS": "False"}

    def words(self, program: str) -> list[str]:
        lines = [f"{name} ansible_host=127.0.0.1 ansible_port={port}" for name, port in self.hosts.items()]
        variables = [f"ansible_user={USER}", f"ansible_ssh_extra_args='{self.options}'", "ansible_ssh_executable=rcmd",
                     "ansible_sftp_extra_args='-S rcmd'", "ansible_scp_extra_args='-S rcmd'",
                     "ansible_python_interpreter=/usr/bin/python3"]
        (self.root / "ansible.cfg").touch()  # so that no other is taken
        inventory = self.root / "inventory"
        inventory.write_text("\n".join([*lines, "[all:vars]", *variables]) + "\n")
        return [program, "-i", str(inventory)]

    def ad_hoc(self, module: str, arguments: str = "", *words: str, hosts: str = "all",
               env: dict[str, str] | None = None) -> Result:
        """One module, with a line of output for each host."""
        more = ["-a", arguments] if arguments else []
        return call(self.place, *self.words("ansible"), hosts, "-o", "-m", module, *more, *words, cwd=self.root,
                    env=self.environment() | (env or {}))

    def play(self, tasks: list[dict[str, Any]], env: dict[str, str] | None = None) -> Result:
        """A playbook of these tasks, for all hosts."""
        (self.root / "play.json").write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))
        return call(self.place, *self.words("ansible-playbook"), "play.json", cwd=self.root,
                    env=self.environment() | (env or {}))


@pytest.fixture
def ansible(server: Server, tmp_path: Path) -> Ansible:
    return Ansible(server.place, tmp_path, {"node1": server.port, "node2": server.port})


def results(result: Result) -> dict[str, tuple[str, Any]]:
    """What became of each host, and what the module returned there, or why it was not reached."""
    found: dict[str, tuple[str, Any]] = {}
    for line in result.out.decode().splitlines():
        if match := re.fullmatch(r"(\S+) \| ([A-Z]+)!? => (\{.*\})", line):
            found[match[1]] = (match[2], json.loads(match[3]))
        elif match := re.fullmatch(r"(\S+) \| (UNREACHABLE)!: (.*)", line):
            found[match[1]] = (match[2], match[3])
    return found


def recap(result: Result) -> dict[str, dict[str, int]]:
    """The counts at the end of a playbook, for each host, without those that are 0."""
    found = {}
    for line in result.out.decode().partition("PLAY RECAP")[2].splitlines():
        if match := re.fullmatch(r"(\S+)\s+: (.*)", line):
            counts = {name: int(count) for name, count in re.findall(r"(\w+)=(\d+)", match[2])}
            found[match[1]] = {name: count for name, count in counts.items() if count}
    return found


@pytest.mark.parametrize("way", ["pipelined", "sftp"])
def test_ping(ansible: Ansible, way: str) -> None:
    result = ansible.ad_hoc("ping", env=WAYS[way])
    assert (result.code, result.err) == (0, b"")
    assert {name: (state, returned["ping"]) for name, (state, returned) in results(result).items()} == {
        "node1": ("SUCCESS", "pong"), "node2": ("SUCCESS", "pong")}


@pytest.mark.parametrize("way", WAYS)
def test_files_go_there_and_come_back(ansible: Ansible, way: str) -> None:
    root = ansible.root
    (root / "tree" / "sub directory").mkdir(parents=True)
    for name in ("binary", "sub directory/t w o"):
        random_file(root / "tree" / name, 300_000)
    (root / "template.j2").write_text("I am {{ inventory_hostname }}: {{ 6 * 7 }} 'ümläut'\n")
    there = f"{root}/{{{{ inventory_hostname }}}}"
    if way != "pipelined":  # one is enough, and quicker
        del ansible.hosts["node2"]
    result = ansible.play([
        {"copy": {"src": "tree/", "dest": f"{there}/"}},
        {"copy": {"content": "some content\n", "dest": f"{there}/its content", "mode": "0640"}},
        {"template": {"src": "template.j2", "dest": f"{there}/template", "mode": "0600"}},
        {"fetch": {"src": f"{there}/binary", "dest": f"{root}/fetched/"}},
    ], env=WAYS[way])
    assert (result.code, result.err) == (0, b""), result.out.decode()
    assert recap(result) == {name: {"ok": 4, "changed": 4} for name in ansible.hosts}
    for made in (root / name for name in ansible.hosts):
        assert digest(root / "fetched" / made.name / str(made / "binary").lstrip("/")) == digest(made / "binary")
        assert (made / "its content").stat().st_mode & 0o777 == 0o640
        found = contents(made)
        assert found.pop(b"its content") == ("file", hashlib.sha256(b"some content\n").hexdigest())
        assert found.pop(b"template") == ("file",
                                          hashlib.sha256(f"I am {made.name}: 42 'ümläut'\n".encode()).hexdigest())
        assert found == contents(root / "tree")


@pytest.mark.parametrize("pipelining", ["True", "False"])
def test_commands_get_their_words_and_input_and_give_their_output(ansible: Ansible, pipelining: str) -> None:
    (ansible.root / "script").write_text("#!/bin/sh\necho \"script $1\"\n")
    # What each of them printed is sent as a command's input, and kept over there.
    printed = "{{ [raw.stdout, command.stdout, stdin.stdout, script.stdout | trim] | to_json }}"
    result = ansible.play([
        {"raw": "printf 'raw  %s' \"$((1+1))\"", "register": "raw"},
        {"command": {"argv": ["printf", "<%s>", *AWKWARD_WORDS]}, "register": "command"},
        {"command": {"cmd": "cat", "stdin": "given\nto it"}, "register": "stdin"},
        {"script": "script word", "register": "script"},
        {"shell": {"cmd": f"cat >{ansible.root}/{{{{ inventory_hostname }}}}", "stdin": printed,
                   "stdin_add_newline": False}},
    ], env={"ANSIBLE_PIPELINING": pipelining})
    assert (result.code, result.err) == (0, b""), result.out.decode()
    for name in ansible.hosts:
        assert json.loads((ansible.root / name).read_text()) == [
            "raw  2", "".join(f"<{word}>" for word in AWKWARD_WORDS), "given\nto it", "script word"]


def test_asynchronous_tasks(ansible: Ansible) -> None:
    """One that is waited for, one that is looked after later; they outlive the connection that started them."""
    root = ansible.root
    command = f"sleep 1; echo {{{{ inventory_hostname }}}} >>{root}/ran"
    result = ansible.play([
        {"shell": command, "async": 60, "poll": 1},
        {"shell": command, "async": 60, "poll": 0, "register": "started"},
        {"async_status": {"jid": "{{ started.ansible_job_id }}"}, "register": "state", "until": "state.finished",
         "retries": 60, "delay": 1},
    ], env={"ANSIBLE_PIPELINING": "True"})
    assert (result.code, result.err) == (0, b""), result.out.decode()
    assert {name: counts["ok"] for name, counts in recap(result).items()} == {"node1": 3, "node2": 3}
    assert sorted((root / "ran").read_text().split()) == ["node1", "node1", "node2", "node2"]


def test_a_connection_that_is_reset(ansible: Ansible) -> None:
    """There is none to reset, which is no failure."""
    result = ansible.play([{"raw": "echo before"}, {"meta": "reset_connection"}, {"raw": "echo after"}])
    assert result.code == 0, result
    assert {name: counts["ok"] for name, counts in recap(result).items()} == {"node1": 2, "node2": 2}


@pytest.mark.parametrize("command, status",
                         [("exit 3", 3), ("kill -9 $$", 137), ("no-such-program", 127), ("exit 254", 254)])
def test_a_failing_command_is_a_failure_and_not_retried(ansible: Ansible, command: str, status: int) -> None:
    """A command that a signal ended is not taken for a connection that failed."""
    runs = ansible.root / "runs"
    result = ansible.ad_hoc("raw", f"echo {{{{ inventory_hostname }}}} >>{runs}; {command}",
                            env={"ANSIBLE_SSH_RETRIES": "3"})
    assert result.code == 2, result
    assert {name: (state, returned["rc"]) for name, (state, returned) in results(result).items()} == {
        "node1": ("FAILED", status), "node2": ("FAILED", status)}
    assert sorted(runs.read_text().split()) == ["node1", "node2"]


def test_a_task_that_fails_on_one_host(ansible: Ansible) -> None:
    runs = ansible.root / "runs"
    result = ansible.play([
        {"shell": f"echo {{{{ inventory_hostname }}}} >>{runs}; test {{{{ inventory_hostname }}}} = node1"},
        {"raw": "echo went on"},
    ], env={"ANSIBLE_SSH_RETRIES": "3", "ANSIBLE_PIPELINING": "True"})
    assert result.code == 2, result
    assert recap(result) == {"node1": {"ok": 2, "changed": 2}, "node2": {"failed": 1}}
    assert sorted(runs.read_text().split()) == ["node1", "node2"]


@pytest.fixture
def nobody(make_server: Callable[..., Server]) -> int:
    """A port on which there was a server."""
    server = make_server()
    server.kill()
    return server.port


def test_an_unreachable_host_is_reported_and_the_others_go_on(ansible: Ansible, nobody: int) -> None:
    ansible.hosts["gone"] = nobody
    env = WAYS["piped"] | {"ANSIBLE_SSH_RETRIES": "1"}
    found = results(result := ansible.ad_hoc("ping", env=env))
    assert result.code == 4, result
    assert {name: state for name, (state, _) in found.items()} == {
        "node1": "SUCCESS", "node2": "SUCCESS", "gone": "UNREACHABLE"}
    told = found["gone"][1]
    assert "rcmd: 127.0.0.1: " in told and "Usage:" not in told and "Bad configuration" not in told, told
    result = ansible.play([{"ping": {}}, {"raw": "echo went on"}], env=env)
    assert result.code == 4
    assert {name: set(counts) for name, counts in recap(result).items()} == {
        "node1": {"ok", "changed"}, "node2": {"ok", "changed"}, "gone": {"unreachable"}}


def test_a_key_that_is_not_authorized_makes_a_host_unreachable(ansible: Ansible,
                                                               make_server: Callable[..., Server]) -> None:
    ansible.hosts["other"] = make_server().port
    found = results(result := ansible.ad_hoc("ping"))
    assert result.code == 4
    assert {name: state for name, (state, _) in found.items()} == {
        "node1": "SUCCESS", "node2": "SUCCESS", "other": "UNREACHABLE"}
    assert "rcmd: 127.0.0.1: authentication failed" in found["other"][1]


RETRIES = {"ANSIBLE_SSH_RETRIES": "3", "ANSIBLE_PIPELINING": "True"}


@contextmanager
def in_the_middle(ansible: Ansible, command: str, module: str) -> Iterator[tuple[Path, subprocess.Popen]]:
    """A task that has begun, and that goes on when its file `go` is there. A second run would not wait."""
    runs, go = ansible.root / "runs", ansible.root / "go"
    script = f"echo run >>{runs}; while [ $(wc -l <{runs}) = 1 ] && [ ! -e {go} ]; do sleep 0.1; done; {command}"
    with process(*ansible.words("ansible"), "all", "-o", "-m", module, "-a", script, cwd=ansible.root,
                 env=environment(ansible.place, **ansible.environment(), **RETRIES), stdin=subprocess.DEVNULL,
                 stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        wait_for(lambda: runs.exists() or running.poll() is not None, "the task to begin", 120)
        assert running.poll() is None, running.communicate()
        yield go, running


def comes_back(proxy: Cutter, connections: int) -> Callable[[], bool]:
    """Cuts what there is, until there have been more connections than those."""
    def cut() -> bool:
        proxy.interrupt()
        return proxy.connections > connections

    return cut


@pytest.mark.parametrize("module", ["raw", "shell"])
def test_a_task_whose_connection_breaks_goes_on_and_runs_once(ansible: Ansible, server: Server, module: str) -> None:
    with cutter(server, iter([])) as proxy:
        ansible.hosts = {"node": proxy.port}
        with in_the_middle(ansible, "echo ended well", module) as (go, running):
            for _ in range(5):
                wait_for(comes_back(proxy, proxy.connections), "the client to come back")
            go.touch()
            out, _ = running.communicate(timeout=120)
    assert running.returncode == 0, out
    assert b"node | CHANGED | rc=0 | (stdout) ended well" in out.replace(b"\\r\\n", b"").replace(b"\\n", b""), out
    assert (ansible.root / "runs").read_text() == "run\n"


@pytest.mark.parametrize("module", ["raw", "shell"])
def test_a_task_whose_server_is_killed_and_comes_back_is_not_run_again(ansible: Ansible,
                                                                       make_server: Callable[..., Server],
                                                                       module: str) -> None:
    """What became of it is not known, so that it may not be repeated; the host, which is there again, would do it. Ansible tries
    again on 255 only."""
    server = make_server()
    ansible.place, ansible.hosts = server.place, {"node": server.port}
    ansible.options = "--unknown-status 254"
    with in_the_middle(ansible, "echo ended", module) as (_, running):
        server.kill()
        again = make_server("--listen", f"127.0.0.1:{server.port}", place=ansible.place)
        out, _ = running.communicate(timeout=120)
    assert running.returncode != 0, out
    assert (ansible.root / "runs").read_text() == "run\n", out
    assert again.serves()


def test_a_task_whose_server_is_killed_for_good_fails(ansible: Ansible, make_server: Callable[..., Server]) -> None:
    server = make_server()
    ansible.place, ansible.hosts = server.place, {"node": server.port}
    ansible.options = "--keep 0"  # so that nobody waits for it to come back
    with in_the_middle(ansible, "echo ended", "raw") as (_, running):
        server.kill()
        out, _ = running.communicate(timeout=120)
    assert running.returncode == 4 and b"node | UNREACHABLE!" in out, out
    assert (ansible.root / "runs").read_text() == "run\n"


def test_many_hosts_at_once(ansible: Ansible, server: Server) -> None:
    ansible.hosts = {f"node{number}": server.port for number in range(12)}
    runs = ansible.root / "runs"
    result = ansible.ad_hoc("raw", f"echo {{{{ inventory_hostname }}}} >>{runs}", "--forks", "12")
    assert (result.code, result.err) == (0, b""), result.out.decode()
    assert sorted(runs.read_text().split()) == sorted(ansible.hosts)
