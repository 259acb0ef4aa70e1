"""The server's log: one line an event, whatever peers send."""
from __future__ import annotations

import re
from typing import Callable

import wire
from harness import Server, wait_for


def end_line(server: Server, job: str) -> str:
    """The line that tells of a job's end."""
    pattern = re.compile(rf"^.*\bjob={re.escape(job)}\b.*\bstatus=.*$", re.M)
    found = wait_for(lambda: pattern.findall(server.log()), "the line of the job's end")
    assert len(found) == 1, found
    return found[0]


def logged(server: Server, command: str, *options: str) -> str:
    report = server.rcmd(command, options=["--json", *options]).json
    return end_line(server, report["job"])


def raw_control_bytes(server: Server) -> bytes:
    content = server.log_path.read_bytes()
    return bytes(byte for byte in content if byte < 0x20 and byte != 0x0a or byte == 0x7f)


def test_a_job_is_one_line_with_who_from_where_what_and_how_it_ended(server: Server) -> None:
    line = logged(server, "echo some; exit 3")
    assert f"key={server.place.key.key_id}" in line
    assert re.search(r"\bfrom=127\.0\.0\.1:\d+", line)
    assert 'command="echo some; exit 3"' in line
    assert re.search(r"\bstatus=3\b", line)


def test_a_signal_is_in_the_status(server: Server) -> None:
    assert re.search(r"\bstatus=\S*KILL", logged(server, "kill -9 $$"))


def test_hostile_bytes_of_a_command_are_escaped_and_make_no_second_line(server: Server) -> None:
    forged = "\n2038-01-19 job=forged status=0\r"
    command = f"true '{forged}\x1b]0;owned\x07\x1b[2J\t\x01\x7f\u2028\u2029\u0085\"\\'"
    lines_before = server.log().count("\n")
    line = logged(server, command)
    assert "\x1b" not in line and "2038-01-19 job=forged" in line
    assert server.log().count("\n") - lines_before <= 5
    assert not raw_control_bytes(server)
    assert not re.search("[\u2028\u2029\u0080-\u009f]", server.log())
    assert not re.search("^2038", server.log(), re.M)


def test_bytes_that_are_not_utf8_are_escaped(server: Server) -> None:
    logged(server, b"true '\xff\xfe\x9b2J'".decode("utf-8", "surrogateescape"))
    server.log_path.read_bytes().decode("utf-8")  # fails if they are there as they came
    assert not raw_control_bytes(server)


def test_a_quote_in_a_command_does_not_end_its_field(server: Server) -> None:
    line = logged(server, 'true "x" status=99 \\')
    assert re.search(r'command="true \\"x\\" status=99 \\\\"', line), line


def test_a_long_command_is_still_one_line(server: Server) -> None:
    line = logged(server, "true " + "x" * 100_000)
    assert len(line) < 200_000


def test_a_user_name_with_a_newline_makes_no_second_line(server: Server) -> None:
    hostile = "root\nforged line status=0\r\x1b[2J"
    with wire.Wire(server.port, server.place.key).login(user=hostile) as client:
        assert client.finish(client.execute("true")).error["code"] == "forbidden"
    assert server.serves()
    assert not re.search("^forged", server.log(), re.M)
    assert not raw_control_bytes(server)


def test_a_failed_login_is_logged_with_its_address_and_key_id(server: Server) -> None:
    stranger = wire.Key("stranger@there", b"x" * 32)
    with wire.Wire(server.port, stranger) as client:
        client.greet()
        client.send({"type": "auth"}, client.proof())
        assert client.last_words()["code"] == "auth_failed"
    pattern = r"^.*stranger@there.*$"
    line = wait_for(lambda: re.search(pattern, server.log(), re.M), "the failed login in the log").group(0)
    assert "127.0.0.1" in line


def test_secrets_are_never_logged(make_server: Callable[..., Server]) -> None:
    server = make_server("--log-level", "debug")
    server.rcmd("echo x", options=["-e", "PASSWORD=hunter2"])
    server.rcmd("cat", input=b"typed-secret\n")
    text = server.log()
    keys = server.place.authorized_keys.read_text().split()
    for secret in (wire.encode(server.place.key.secret), keys[3], keys[4], "hunter2", "typed-secret"):
        assert secret not in text


def test_a_log_level_leaves_lesser_lines_out(make_server: Callable[..., Server]) -> None:
    server = make_server("--log-level", "error")
    assert server.serves()
    assert "echo honest" not in server.log()
