"""The command lines that programs build for ssh mean the same to rcmd: each as captured, and the rules behind."""
from __future__ import annotations

import os
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

import wire
from callers import USER, call, configure, environment
from harness import RCMD, Place, Result, Server, process, scaled, wait_for

# What Ansible looks for on stderr to find out whether it has an old ssh.
NEVER_SAID = ("Bad configuration option: ControlPersist", "Usage:")
SFTP_HELLO = bytes.fromhex("00000005 01 00000003")
SFTP_ANSWER = bytes.fromhex("02 00000003")


@pytest.fixture(scope="module")
def nobodys_port() -> Iterator[int]:
    """A port that is taken, but on which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.fixture(scope="module")
def node(place: Place, server: Server, nobodys_port: int) -> Iterator[Place]:
    """A host of that name, others whose names are rcmd's own words, and one that is not reached."""
    settings = {"address": "127.0.0.1", "port": server.port}
    configure(place, {name: settings for name in ("node", "jobs", "attach", "kill", "keygen", "cp")} | {
        "gone": {"address": "127.0.0.1", "port": nobodys_port}})
    yield place


@pytest.fixture
def rcmd(node: Place, server: Server) -> Callable[..., Result]:
    """Runs rcmd; {port} and {user} in its words are those of the server."""

    def run(*words: str, **options: Any) -> Result:
        filled = [word.replace("{port}", str(server.port)).replace("{user}", USER) for word in words]
        result = call(node, "rcmd", *filled, **options)
        for text in NEVER_SAID:
            assert text not in result.message
        return result

    return run


# A command that shows how its words arrived, and its status.
SHOW = ["printf '<%s>' a   b\\ c \"$SHOWN\"", "'d  e'", ";", "exit", "5"]
SHOWN = (5, b"<a><b c><><d  e>", b"")

ANSIBLE = ["-C", "-o", "ControlMaster=auto", "-o", "ControlPersist=60s", "-o", "Port={port}", "-o",
           "KbdInteractiveAuthentication=no", "-o",
           "PreferredAuthentications=gssapi-with-mic,gssapi-keyex,hostbased,publickey", "-o",
           "PasswordAuthentication=no", "-o", 'User="{user}"', "-o", "ConnectTimeout=10", "-o",
           'ControlPath="/no/such/directory/8b2d9c1a"']
PARALLEL_WORKER = ["exec", "perl", "-X", "-e", "GNU_Parallel_worker,eval+pack+q/H10000000/,join+q//,@ARGV"]

ROWS = {
    "rsync": ["-l", "{user}", "node", *SHOW],
    "rsync with a port": ["-p", "{port}", "-l", "{user}", "127.0.0.1", *SHOW],
    "git": ["-o", "SendEnv=GIT_PROTOCOL", "-p", "{port}", "{user}@127.0.0.1", " ".join(SHOW)],
    "git, simple": ["{user}@node", " ".join(SHOW)],
    "parallel": ["-p", "{port}", "-l", "{user}", "127.0.0.1", "--", *SHOW],
    "parallel, first with -M": ["-S", "/tmp/no such directory/ssh-%r@%h:%p", "-MT", "node", "--", *SHOW],
    "parallel, then with -M": ["-S", "/tmp/no such directory/ssh-%r@%h:%p", "node", "--", *SHOW],
    "pdsh as a program": ["-l", "{user}", "node", " ".join(SHOW)],
    "pdsh": ["-oConnectTimeout=10", "-2", "-a", "-x", "-l{user}", "node", " ".join(SHOW)],
    "clush": ["-oForwardAgent=no", "-oForwardX11=no", "-l", "{user}", "-oConnectTimeout=15", "-oBatchMode=yes", "node",
              " ".join(SHOW)],
    "ansible": [*ANSIBLE, "127.0.0.1", " ".join(SHOW)],
    "pssh": ["-T", "127.0.0.1", "-o", "NumberOfPasswordPrompts=1", "-o", "SendEnv=PSSH_NODENUM PSSH_NUMNODES PSSH_HOST",
             "-l", "{user}", "-p", "{port}", " ".join(SHOW)],
    "Eternal Terminal": ["{user}@node", "-oServerAliveInterval=5", "-oLogLevel=ERROR", " ".join(SHOW)],
    "docker": ["-o ConnectTimeout=30", "-T", "-l", "{user}", "-p", "{port}", "--", "127.0.0.1", *SHOW],
    "systemctl": ["-xT", "-p", "{port}", "--", "{user}@127.0.0.1", *SHOW],
    "scp, old protocol": ["-x", "-oPermitLocalCommand=no", "-oClearAllForwardings=yes", "-oRemoteCommand=none",
                          "-oRequestTTY=no", "-oForwardAgent=no", "-p", "{port}", "-l", "{user}", "--", "127.0.0.1",
                          " ".join(SHOW)],
}


@pytest.mark.parametrize("words", ROWS.values(), ids=ROWS)
def test_a_command_line_of_another_program_runs_its_command(rcmd: Callable[..., Result], words: list[str]) -> None:
    assert rcmd(*words) == Result(*SHOWN)
    # And its input arrives.
    without = words[:-1 if words[-1] == " ".join(SHOW) else -len(SHOW)]
    assert rcmd(*without, "cat", input=b"in\0put") == Result(0, b"in\0put", b"")


SUBSYSTEM_ROWS = {
    "scp": ["-x", "-oPermitLocalCommand=no", "-oClearAllForwardings=yes", "-oRemoteCommand=none", "-oRequestTTY=no",
            "-oForwardAgent=no", "-p", "{port}", "-l", "{user}", "-s", "--", "127.0.0.1", "sftp"],
    "sftp": ["-oForwardX11 no", "-oPermitLocalCommand no", "-oClearAllForwardings yes", "-oRemoteCommand none",
             "-oRequestTTY no", "-oForwardAgent no", "-oPort {port}", "-l", "{user}", "-s", "--", "127.0.0.1", "sftp"],
    "sshfs": ["-x", "-a", "-oClearAllForwardings=yes", "-p", "{port}", "-oNumberOfPasswordPrompts=1", "-s", "--",
              "{user}@127.0.0.1", "sftp"],
    "sshfs without a port": ["-x", "-a", "-oClearAllForwardings=yes", "-s", "--", "node", "sftp"],
    "the option behind the host": ["node", "-s", "sftp"],
    "its long name": ["--subsystem", "node", "sftp"],
}


@pytest.mark.parametrize("words", SUBSYSTEM_ROWS.values(), ids=SUBSYSTEM_ROWS)
def test_a_command_line_of_another_program_reaches_the_subsystem(node: Place, server: Server, words: list[str]) -> None:
    filled = [word.replace("{port}", str(server.port)).replace("{user}", USER) for word in words]
    with process(RCMD, *filled, env=environment(node), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                 stderr=subprocess.PIPE) as client:
        client.stdin.write(SFTP_HELLO)
        client.stdin.flush()
        size = int.from_bytes(client.stdout.read(4), "big")
        assert client.stdout.read(size)[:5] == SFTP_ANSWER
        client.stdin.close()
        assert (client.stdout.read(), client.wait(60), client.stderr.read()) == (b"", 0, b"")


def test_gits_question_for_what_kind_of_ssh_it_is(rcmd: Callable[..., Result]) -> None:
    result = rcmd("-G", "-o", "SendEnv=GIT_PROTOCOL", "-p", "2222", "bob@no-such-host.invalid")
    assert (result.code, result.err) == (0, b"")
    assert {"hostname no-such-host.invalid", "port 2222", "user bob"} <= set(result.out.decode().splitlines())


def test_gits_protocol_goes_over(rcmd: Callable[..., Result]) -> None:
    words = ["-o", "SendEnv=GIT_PROTOCOL", "node", 'echo "[$GIT_PROTOCOL]"']
    assert rcmd(*words, env={"GIT_PROTOCOL": "version=2"}).out == b"[version=2]\n"
    assert rcmd(*words).out == b"[]\n"
    assert rcmd(*words[2:], env={"GIT_PROTOCOL": "version=2"}).out == b"[]\n"


def test_the_worker_of_parallel(rcmd: Callable[..., Result]) -> None:
    """Its program comes in words of hexadecimal digits, and many kilobytes of them."""
    program = 'print "<$ENV{HOME}>" x 0; print scalar(@ARGV) > 3 ? "worked" : "no"; exit 6;' + "#" * 5000
    digits = program.encode().hex()
    words = [digits[start:start + 1000] for start in range(0, len(digits), 1000)]
    assert rcmd("node", "--", *PARALLEL_WORKER, *words) == Result(6, b"worked", b"")


def test_the_prompt_of_clush(rcmd: Callable[..., Result]) -> None:
    words = ["-T", "-oForwardAgent=no", "-oForwardX11=no", "-oConnectTimeout=15", "-oBatchMode=yes", "node"]
    script = b"cd /usr\necho first\npwd\nexit 7\n"
    assert rcmd(*words, "", input=script) == Result(7, b"first\n/usr\n", b"")
    assert rcmd(*words, input=script) == Result(7, b"first\n/usr\n", b"")


def test_ansible_with_a_terminal(rcmd: Callable[..., Result]) -> None:
    result = rcmd(*ANSIBLE, "-tt", "127.0.0.1", "/bin/sh -c 'test -t 0 && test -t 1 && echo terminal; exit 4'")
    assert (result.code, result.out) == (4, b"terminal\r\n")


def test_ansible_with_a_terminal_for_stdin(node: Place, server: Server) -> None:
    """So it starts a command into which it pipes nothing: the terminal is its own, and nobody types there."""
    other, mine = os.openpty()
    words = [word.replace("{port}", str(server.port)).replace("{user}", USER) for word in ANSIBLE]
    with process(RCMD, *words, "127.0.0.1", "/bin/sh -c 'echo ~ && sleep 0'", env=environment(node), stdin=mine,
                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True) as client:
        os.close(mine)
        assert client.stdout.read().strip() == os.path.expanduser(f"~{USER}").encode()
        assert client.wait(60) == 0 and client.stderr.read() == b""
    os.close(other)


def test_ansible_pipes_a_module(rcmd: Callable[..., Result]) -> None:
    module = b"import sys\nprint('module')\nsys.exit(3)\n" + b"#" * scaled(1_000_000) + b"\n"
    result = rcmd(*ANSIBLE, "127.0.0.1", "/bin/sh -c '/usr/bin/python3 && sleep 0'", input=module)
    assert result == Result(3, b"module\n", b"")


@pytest.mark.parametrize("word", ["check", "stop", "exit"])
def test_ansible_finds_no_connection_to_reset(rcmd: Callable[..., Result], word: str) -> None:
    result = rcmd(*ANSIBLE, "-O", word, "127.0.0.1")
    result.failed_by_itself()


def test_mosh_but_for_its_proxy(rcmd: Callable[..., Result]) -> None:
    result = rcmd("-n", "-tt", "-4", "-S", "none", "{user}@node", "--", "sh -c 'test -t 1 && echo terminal'")
    assert (result.code, result.out) == (0, b"terminal\r\n")


# The order of options, host and command.

@pytest.mark.parametrize("words, expected", [
    (["node", "echo", "-p", "5", "-l", "x", "--", "-n"], "-p 5 -l x -- -n"),
    (["node", "--", "echo", "-T", "--"], "-T --"),
    (["-q", "node", "-T", "--", "echo", "-q"], "-q"),
    (["127.0.0.1", "-p", "{port}", "-l", "{user}", "echo", "behind", "the", "host"], "behind the host"),
    (["127.0.0.1", "-p{port}", "-l{user}", "-q", "echo", "attached"], "attached"),
    (["-qnp", "{port}", "127.0.0.1", "echo", "bundled"], "bundled"),
    (["-qTp{port}", "127.0.0.1", "echo", "bundled", "and", "attached"], "bundled and attached"),
    (["-xaTl", "{user}", "node", "echo", "x"], "x"),
    (["-oPort={port}", "127.0.0.1", "-4oUser={user}", "echo", "o"], "o"),
    (["--port={port}", "--user", "{user}", "127.0.0.1", "echo", "long"], "long"),
    (["--", "node", "echo", "after", "--"], "after --"),
    (["--", "jobs", "echo", "a", "host"], "a host"),
    (["-q", "jobs", "echo", "a", "host"], "a host"),
    (["-q", "attach", "echo", "a", "host"], "a host"),
    (["-q", "kill", "echo", "a", "host"], "a host"),
    (["-q", "keygen", "echo", "a", "host"], "a host"),
    (["-q", "cp", "echo", "a", "host"], "a host"),
    (["node", "echo", "jobs", "cp"], "jobs cp"),
    (["node", "echo a   b", "  c"], "a b c"),
    (["node", "echo", "$((1+1))", "'$HOME'"], "2 $HOME"),
])
def test_options_host_options_and_the_rest_untouched(rcmd: Callable[..., Result], words: list[str],
                                                     expected: str) -> None:
    assert rcmd(*words) == Result(0, expected.encode() + b"\n", b"")


@pytest.mark.parametrize("words", [["node", "--", "--", "echo"], ["--", "node", "--", "echo"], ["node", "-", "echo"]])
def test_at_most_one_double_dash_is_eaten(node: Place, words: list[str]) -> None:
    """What comes then is part of the command, which no shell can run; some explain that at length."""
    result = call(node, "rcmd", *words, "eaten")
    assert result.code in (2, 127) and result.err and b"eaten" not in result.out


# Repeated options.

@pytest.mark.parametrize("words", [
    ["-p", "{port}", "-p", "1", "127.0.0.1"],
    ["-p", "{port}", "127.0.0.1", "-p", "1"],
    ["-p", "{port}", "-o", "Port=1", "127.0.0.1"],
    ["-o", "Port={port}", "-p", "1", "127.0.0.1"],
    ["-o", "Port={port}", "-oPort=1", "127.0.0.1"],
    ["-l", "{user}", "-l", "nosuchuser", "node"],
    ["-l", "{user}", "nosuchuser@node"],
    ["{user}@node", "-l", "nosuchuser"],
    ["-o", "User={user}", "-l", "nosuchuser", "node"],
    ["-l", "{user}", "-o", "User=nosuchuser", "node"],
    ["-o", "HostName=127.0.0.1", "-o", "HostName=no-such-host.invalid", "-p", "{port}", "no-such-host.invalid"],
    ["-F", "none", "-p", "{port}", "-F", "/no/such/file", "127.0.0.1"],
    ["-o", "SetEnv=A=1", "-o", "BatchMode=yes", "-o", "BatchMode=no", "node"],
])
def test_of_a_repeated_option_the_first_counts(rcmd: Callable[..., Result], words: list[str]) -> None:
    assert rcmd(*words, "id -un") == Result(0, f"{USER}\n".encode(), b"")


def test_of_a_repeated_key_the_first_counts(node: Place, rcmd: Callable[..., Result]) -> None:
    wrong = node.add_key_file("wrong", wire.Key("somebody@else", os.urandom(32)))
    right = str(node.key_file)
    assert rcmd("-i", right, "-i", wrong, "node", "true").code == 0
    assert rcmd("-i", right, "-o", f"IdentityFile={wrong}", "node", "true").code == 0
    assert rcmd("-o", f"IdentityFile={right}", "-i", wrong, "node", "true").code == 0
    rcmd("-i", wrong, "-i", right, "node", "true").failed_by_itself()


# The spellings of -o.

@pytest.mark.parametrize("option", [
    ["-o", "Port={port}"], ["-o", "port={port}"], ["-o", "PORT={port}"], ["-oPort={port}"], ["-o", "Port {port}"],
    ["-oPort {port}"], ["-o", "Port  =  {port}"], ["-o", "Port= {port} "], ["-o", " Port={port}"], ["-o Port={port}"],
    ["-o", 'Port="{port}"'], ["-o", 'Port = "{port}"'], ["-o", "Port\t{port}"], ["--option", "Port={port}"],
    ["--option=Port={port}"], ["-4oPort={port}"]])
def test_the_spellings_of_an_option(rcmd: Callable[..., Result], option: list[str]) -> None:
    assert rcmd("-F", "none", *option, "127.0.0.1", "echo", "x") == Result(0, b"x\n", b"")


@pytest.mark.parametrize("option, command, expected", [
    ("User={user}", "id -un", "{user}"),
    ("HostName=127.0.0.1", "echo x", "x"),
    ("AddressFamily=inet", "echo x", "x"),
    ("AddressFamily=any", "echo x", "x"),
    ("ConnectTimeout=30", "echo x", "x"),
    ("ConnectTimeout=none", "echo x", "x"),
    ("BatchMode=yes", "echo x", "x"),
    ("SetEnv=GIVEN=value", "echo $GIVEN", "value"),
    ("SetEnv GIVEN=value OTHER=more", "echo $GIVEN $OTHER", "value more"),
    ('SetEnv=GIVEN="a  b"', 'echo "$GIVEN"', "a  b"),
    ("SendEnv=MINE", "echo $MINE", "of mine"),
    ("SendEnv=OTHERS MINE", "echo $MINE", "of mine"),
    ("SendEnv=M?N* X*", "echo $MINE", "of mine"),
    ("SendEnv=OTHERS", "echo $MINE.", "."),
    ("RequestTTY=no", "test -t 1 || echo none", "none"),
    ("RequestTTY=auto", "test -t 1 || echo none", "none"),
    ("StdinNull=yes", "cat; echo end", "end"),
    ("StdinNull=no", "cat; echo end", "input\nend"),
    ("LogLevel=QUIET", "echo x", "x"),
    ("LogLevel=ERROR", "echo x", "x"),
    ("StrictHostKeyChecking=no", "echo x", "x"),
    ("StrictHostKeyChecking=accept-new", "echo x", "x"),
    ("ServerAliveInterval=15", "echo x", "x"),
])
def test_an_option_does_what_it_does_in_ssh(rcmd: Callable[..., Result], option: str, command: str,
                                            expected: str) -> None:
    result = rcmd("-o", option, "node", command, env={"MINE": "of mine"}, input=b"input\n")
    assert result == Result(0, expected.replace("{user}", USER).encode() + b"\n", b"")


def test_sendenv_may_be_given_several_times(rcmd: Callable[..., Result]) -> None:
    result = rcmd("-o", "SendEnv=ONE", "-o", "SendEnv=TWO", "node", "echo $ONE $TWO", env={"ONE": "1", "TWO": "2"})
    assert result == Result(0, b"1 2\n", b"")


@pytest.mark.parametrize("option", ["yes", "force"])
def test_requesttty_with_and_without_a_terminal(rcmd: Callable[..., Result], option: str) -> None:
    result = rcmd("-o", f"RequestTTY={option}", "node", "test -t 1 && echo terminal || echo none")
    assert (result.code, result.out) == (0, b"terminal\r\n" if option == "force" else b"none\n")


def test_an_address_family_that_the_host_has_not(rcmd: Callable[..., Result]) -> None:
    rcmd("-o", "AddressFamily=inet6", "node", "true").failed_by_itself()
    rcmd("-6", "node", "true").failed_by_itself()


def test_an_identity_file(node: Place, rcmd: Callable[..., Result]) -> None:
    node.add_key_file("my key", node.key)
    bare = {"HOME": str(node.home), "RCMD_KEY": "/no/such/key"}
    for spelling in (f'IdentityFile="{node.home}/my key"', "IdentityFile=~/my key", f"IdentityFile {node.home}/my key"):
        assert rcmd("-o", spelling, "node", "echo x", env=bare) == Result(0, b"x\n", b"")
    result = rcmd("-o", "IdentityFile=/no/such/file", "node", "true")
    result.failed_by_itself()
    assert "/no/such/file" in result.message


def test_a_connection_timeout_ends_the_attempt(rcmd: Callable[..., Result]) -> None:
    """A listener whose queue is full answers nobody."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        waiting = [socket.socket() for _ in range(8)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(("127.0.0.1", port))
        result = rcmd("-o", "ConnectTimeout=1", "-p", str(port), "127.0.0.1", "true")
        for each in waiting:
            each.close()
    result.failed_by_itself()


KNOWN_TO_SSH = [
    "AddKeysToAgent=no", "CanonicalizeHostname=no", "CheckHostIP=yes", "Ciphers=aes128-ctr", "ClearAllForwardings=yes",
    "Compression=yes", "ConnectionAttempts=1", "ControlMaster=auto", "ControlPath=none", "ControlPersist=60s",
    "EnableSSHKeysign=no", "EscapeChar=none", "ExitOnForwardFailure=yes", "FingerprintHash=sha256", "ForwardAgent=no",
    "ForwardX11=no", "ForwardX11Trusted=no", "GSSAPIAuthentication=no", "GlobalKnownHostsFile=/dev/null",
    "HashKnownHosts=no", "HostKeyAlgorithms=ssh-ed25519", "HostKeyAlias=x", "HostbasedAuthentication=no",
    "IPQoS=throughput", "IdentitiesOnly=yes", "IdentityAgent=none", "KbdInteractiveAuthentication=no",
    "KexAlgorithms=curve25519-sha256", "MACs=hmac-sha2-256", "NoHostAuthenticationForLocalhost=yes",
    "NumberOfPasswordPrompts=1", "PasswordAuthentication=no", "PermitLocalCommand=no",
    "PreferredAuthentications=publickey", "ProxyCommand=none", "ProxyJump=none", "PubkeyAuthentication=yes",
    "RekeyLimit=1G", "RemoteCommand=none", "ServerAliveCountMax=3", "SessionType=default", "StreamLocalBindUnlink=no",
    "TCPKeepAlive=yes", "Tunnel=no", "UpdateHostKeys=no", "UserKnownHostsFile=/dev/null", "VerifyHostKeyDNS=no",
    "VisualHostKey=no"]


@pytest.mark.parametrize("option", KNOWN_TO_SSH)
def test_an_option_of_ssh_that_does_not_matter_is_ignored(rcmd: Callable[..., Result], option: str) -> None:
    assert rcmd("-o", option, "node", "echo x") == Result(0, b"x\n", b"")


def test_an_option_that_ssh_has_not_is_warned_of(rcmd: Callable[..., Result]) -> None:
    result = rcmd("-o", "NoSuchOption=1", "node", "echo x")
    assert (result.code, result.out) == (0, b"x\n")
    told = result.message.splitlines()
    assert len(told) == 1 and told[0].startswith("rcmd: ") and "NoSuchOption" in told[0], told
    assert rcmd("-q", "-o", "NoSuchOption=1", "node", "echo x") == Result(0, b"x\n", b"")
    assert rcmd("-o", "NoSuchOption=1", "-o", "LogLevel=QUIET", "node", "echo x") == Result(0, b"x\n", b"")


@pytest.mark.parametrize("option", [
    "ProxyCommand=nc %h %p", "ProxyJump=other", "LocalForward=8080 localhost:80", "RemoteForward=8080 localhost:80",
    "DynamicForward=1080", "Tunnel=yes", "Tunnel=point-to-point", "RemoteCommand=ls", "ForwardAgent=yes",
    "forwardagent YES", "ForwardX11=yes", "ForkAfterAuthentication=yes",
])
def test_an_option_that_would_mean_something_else_is_refused(rcmd: Callable[..., Result], tmp_path: Path,
                                                             option: str) -> None:
    for words in (["-o", option, "node"], ["node", "-o", option], ["-q", f"-o{option}", "node"]):
        result = rcmd(*words, f"touch {tmp_path}/ran")
        result.failed_by_itself()
        assert option.split("=")[0].split()[0].lower() in result.message.lower()
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("option",
                         ["", "Port", "=", "=1", "Port=", "Port=x", "Port=0", "Port=65536", "ConnectTimeout=soon",
                          "RequestTTY=perhaps", "BatchMode=perhaps", "AddressFamily=inet5", "StdinNull=perhaps",
                          "LogLevel=LOUD", "SetEnv=NOVALUE", "User=", "\n", "Port=1\n2"])
def test_an_option_that_makes_no_sense_is_refused(rcmd: Callable[..., Result], option: str) -> None:
    rcmd("-o", option, "127.0.0.1", "true").failed_by_itself()


# Short options that are ignored, and those that are refused.

@pytest.mark.parametrize("words",
                         [["-1"], ["-2"], ["-a"], ["-x"], ["-k"], ["-K"], ["-C"], ["-M"], ["-y"], ["-12axkKCMy"],
                          ["-S", "/no/such/path"], ["-Snone"], ["-c", "aes128-ctr"], ["-m", "hmac-sha2-256"],
                          ["-xS", "none"]])
def test_an_option_that_does_not_matter_is_ignored(rcmd: Callable[..., Result], words: list[str]) -> None:
    assert rcmd(*words, "node", "echo x") == Result(0, b"x\n", b"")
    assert rcmd("node", *words, "echo x") == Result(0, b"x\n", b"")


@pytest.mark.parametrize("words", [
    ["-L", "8080:localhost:80"], ["-R", "8080:localhost:80"], ["-D", "1080"], ["-W", "host:22"], ["-w", "0:0"], ["-f"],
    ["-A"], ["-X"], ["-Y"], ["-J", "jump"], ["-O", "check"], ["-b", "127.0.0.1"], ["-B", "lo"], ["-E", "/dev/null"],
    ["-I", "/no/such/library"], ["-g"], ["-Q", "cipher"], ["-L8080:localhost:80"], ["-nf"], ["-Jjump"], ["-Z"],
    ["--no-such-option"]])
def test_an_option_that_would_mean_something_else_by_its_letter_is_refused(rcmd: Callable[..., Result], tmp_path: Path,
                                                                           words: list[str]) -> None:
    for line in ([*words, "node"], ["node", *words], ["-q", *words, "node"]):
        result = rcmd(*line, f"touch {tmp_path}/ran")
        result.failed_by_itself()
        assert result.out == b""
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("words",
                         [[], ["-p"], ["-l"], ["-o"], ["-i"], ["-F"], ["node", "-p"], ["-p", "x", "node"],
                          ["-s", "node"], ["-l", "", "node"]])
def test_a_line_that_is_not_complete_is_refused(rcmd: Callable[..., Result], words: list[str]) -> None:
    rcmd(*words).failed_by_itself()


# -G, -V, -N.

def settings(result: Result) -> dict[str, str]:
    assert (result.code, result.err) == (0, b"")
    return dict(line.split(" ", 1) for line in result.out.decode().splitlines())


def test_g_prints_the_settings_without_a_connection(rcmd: Callable[..., Result], nobodys_port: int) -> None:
    offline = settings(rcmd("-G", "-F", "none", "no-such-host.invalid"))
    assert offline["hostname"] == "no-such-host.invalid" and offline["port"] == "7420"
    given = settings(rcmd("-G", "-p", "2222", "-l", "bob", "gone"))
    assert (given["hostname"], given["port"], given["user"]) == ("127.0.0.1", "2222", "bob")
    given = settings(rcmd("-G", "bob@gone"))
    assert (given["hostname"], given["port"], given["user"]) == ("127.0.0.1", str(nobodys_port), "bob")
    given = settings(rcmd("gone", "-G", "-o", "HostName=192.0.2.7", "-o", "User=alice"))
    assert (given["hostname"], given["user"]) == ("192.0.2.7", "alice")


def test_g_runs_nothing_and_needs_no_key(rcmd: Callable[..., Result], tmp_path: Path) -> None:
    result = rcmd("-G", "-i", "/no/such/key", "node", f"touch {tmp_path}/ran", env={"HOME": str(tmp_path)})
    assert settings(result)["hostname"] == "node"
    assert not (tmp_path / "ran").exists()


def test_g_of_a_line_that_is_refused_fails(rcmd: Callable[..., Result]) -> None:
    rcmd("-G", "-o", "ProxyCommand=nc %h %p", "node").failed_by_itself()
    rcmd("-G", "-p", "x", "node").failed_by_itself()
    rcmd("-G").failed_by_itself()


def test_v_says_which_version_it_is(rcmd: Callable[..., Result]) -> None:
    result = rcmd("-V")
    assert result.code == 0 and (result.out + result.err).startswith(b"rcmd ")
    assert len((result.out + result.err).splitlines()) == 1


@pytest.mark.parametrize("words", [["-v"], ["-vv"], ["-vvv"], ["-v", "-v", "-v"]])
def test_verbose_is_on_stderr_alone(rcmd: Callable[..., Result], words: list[str]) -> None:
    result = rcmd(*words, "node", "echo x; exit 3")
    assert (result.code, result.out) == (3, b"x\n")
    assert result.err and all(line.startswith("rcmd: ") for line in result.message.splitlines())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_with_big_n_it_stays_until_a_signal(make_server: Callable[..., Server], number: int) -> None:
    server = make_server()
    before = server.log()
    with server.start_rcmd(options=["-N", "-v"], stderr=subprocess.PIPE, stdout=subprocess.PIPE) as client:
        line = client.stderr.readline()
        assert b"connected" in line, line
        assert client.poll() is None
        client.send_signal(number)
        assert client.wait(60) in (0, 128 + number, -number)
        assert client.stdout.read() == b""
    assert " info job job=" not in server.log()[len(before):]


def test_with_big_n_it_says_when_it_cannot_connect(rcmd: Callable[..., Result]) -> None:
    rcmd("-N", "gone").failed_by_itself()


# Where the settings come from.

def test_another_configuration_file(node: Place, server: Server, rcmd: Callable[..., Result], tmp_path: Path) -> None:
    other = tmp_path / "my config.toml"
    other.write_text(f'[host.elsewhere]\naddress = "127.0.0.1"\nport = {server.port}\n')
    assert rcmd("-F", str(other), "elsewhere", "echo x") == Result(0, b"x\n", b"")
    assert rcmd("elsewhere", "echo x", env={"RCMD_CONFIG": str(other)}) == Result(0, b"x\n", b"")
    assert settings(rcmd("-G", "-F", str(other), "node"))["hostname"] == "node"
    assert settings(rcmd("-G", "-F", "none", "elsewhere", env={"RCMD_CONFIG": str(other)}))["hostname"] == "elsewhere"
    rcmd("-F", str(tmp_path / "no such file"), "node", "true").failed_by_itself()


@pytest.mark.parametrize("duration, seconds",
                         [("90", "90"), ("90s", "90"), ("5m", "300"), ("8h", "28800"), ("2d", "172800"), ("0", "0"),
                          ("0s", "0")])
def test_a_duration_is_written_alike_on_the_command_line_and_in_the_file(rcmd: Callable[..., Result], tmp_path: Path,
                                                                         duration: str, seconds: str) -> None:
    (tmp_path / "config.toml").write_text(f'[host.node]\nkeep = "{duration}"\n')
    assert settings(rcmd("-G", "--keep", duration, "node"))["keep"] == seconds
    assert settings(rcmd("-G", "-F", f"{tmp_path}/config.toml", "node"))["keep"] == seconds


@pytest.mark.parametrize("text",
                         ["[host.node]\nadress = \"127.0.0.1\"\n", "[host.node]\nport = \"x\"\n", "[host.node\n",
                          "nonsense = 1\n"])
def test_a_configuration_file_with_a_mistake_says_where(rcmd: Callable[..., Result], tmp_path: Path, text: str) -> None:
    wrong = tmp_path / "config.toml"
    wrong.write_text("# the first line\n" + text)
    for words in (["node", "true"], ["-G", "node"]):
        result = rcmd("-F", str(wrong), *words)
        result.failed_by_itself()
        assert f"{wrong}:" in result.message, result.message


def test_many_clients_at_once_are_all_served(node: Place) -> None:
    """As callers with a large fan-out start them."""
    count = scaled(100, least=30)
    running = [subprocess.Popen([RCMD, "-oBatchMode=yes", "-oConnectTimeout=30", "node",
                                 f"echo {number}; exit {number % 7}"],
                                env=environment(node), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE)
               for number in range(count)]
    for number, client in enumerate(running):
        out, err = client.communicate(timeout=120)
        assert (client.returncode, out, err) == (number % 7, b"%d\n" % number, b"")


def test_a_command_is_ended_by_the_signal_for_its_client(node: Place, tmp_path: Path) -> None:
    """With the options of a caller the signals go over as without them."""
    with process(RCMD, "-x", "-a", "-oClearAllForwardings=yes", "-T", "node", "--",
                 f"trap 'touch {tmp_path}/ended; exit 9' TERM; echo ready; while :; do sleep 0.1; done",
                 env=environment(node), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as client:
        assert client.stdout.readline() == b"ready\n"
        client.send_signal(signal.SIGTERM)
        assert client.wait(60) == 9
    wait_for(lambda: (tmp_path / "ended").exists(), "the trap to have run")
