"""authorized_keys: its permissions, its lines, and that it is read again."""
from __future__ import annotations

import os
from typing import Callable

import pytest

import wire
from harness import AS_ROOT, NEVER_STARTED, Place, Server, authorized_line, run_rcmd, run_server, wait_for

MakePlace = Callable[..., Place]
MakeServer = Callable[..., Server]
OPTIONS = "user=root" if AS_ROOT else ""


def key(name: str) -> wire.Key:
    return wire.Key(name, os.urandom(32))


def opens(server: Server, other: wire.Key) -> bool:
    path = server.place.home / f"key-of-{other.key_id}"
    if not path.exists():
        server.place.add_key_file(path.name, other)
    return server.rcmd("exit 0", options=["-i", str(path)]).code == 0


def test_without_the_file_the_server_refuses_to_start_and_says_what_to_do(make_place: MakePlace) -> None:
    place = make_place()
    place.authorized_keys.unlink()
    result = run_server(place)
    assert (result.code, result.out) == (1, b"")
    assert str(place.authorized_keys) in result.message and "rcmd keygen" in result.message


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing here\n", "nonsense\n"])
def test_without_a_valid_line_the_server_refuses_to_start_and_says_what_to_do(make_place: MakePlace,
                                                                             text: str) -> None:
    place = make_place()
    place.write_authorized(text)
    result = run_server(place)
    assert (result.code, result.out) == (1, b"")
    assert str(place.authorized_keys) in result.message and "rcmd keygen" in result.message


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_can_write_is_refused(make_place: MakePlace, mode: int) -> None:
    place = make_place()
    place.authorized_keys.chmod(mode)
    result = run_server(place)
    assert (result.code, result.out) == (1, b"")
    assert str(place.authorized_keys) in result.message


def test_comments_and_blank_lines_are_skipped(make_place: MakePlace, make_server: MakeServer) -> None:
    place = make_place()
    place.write_authorized(f"# a comment\n\n   \n\t# another\n  {authorized_line(place.key)}  \n# end")
    assert make_server(place=place).serves()


GOOD = authorized_line(wire.Key("bad@line", b"k" * 32))
ID, ALGORITHM, SALT, STORED, SERVER_KEY, *_ = GOOD.split()
BAD_LINES = {
    "unknown algorithm": f"{ID} hmac-sha1 {SALT} {STORED} {SERVER_KEY} {OPTIONS}",
    "short salt": f"{ID} {ALGORITHM} {wire.encode(b's' * 15)} {STORED} {SERVER_KEY} {OPTIONS}",
    "long salt": f"{ID} {ALGORITHM} {wire.encode(b's' * 17)} {STORED} {SERVER_KEY} {OPTIONS}",
    "short stored key": f"{ID} {ALGORITHM} {SALT} {wire.encode(b's' * 31)} {SERVER_KEY} {OPTIONS}",
    "short server key": f"{ID} {ALGORITHM} {SALT} {STORED} {wire.encode(b's' * 31)} {OPTIONS}",
    "not base64": f"{ID} {ALGORITHM} {SALT} {STORED} {SERVER_KEY[:-2]}*= {OPTIONS}",
    "no padding": f"{ID} {ALGORITHM} {SALT.rstrip('=')} {STORED} {SERVER_KEY} {OPTIONS}",
    "field missing": f"{ID} {ALGORITHM} {SALT} {STORED}",
    "wrong id": f"../{ID} {ALGORITHM} {SALT} {STORED} {SERVER_KEY} {OPTIONS}",
    "unknown option": f"{GOOD} no-such-option",
    "quote that is not closed": f'{GOOD} command="true',
    "network that is none": f"{GOOD} from=10.0.0.0/33",
    "date that is none": f"{GOOD} expires=tomorrow",
    "option twice": f"{GOOD} no-pty no-pty",
    "empty user": f"{ID} {ALGORITHM} {SALT} {STORED} {SERVER_KEY} user=",
}


@pytest.mark.parametrize("line", BAD_LINES.values(), ids=[name.replace(" ", "-") for name in BAD_LINES])
def test_a_bad_line_is_refused_with_its_number_and_the_others_stay_valid(make_place: MakePlace,
                                                                        make_server: MakeServer,
                                                                         line: str) -> None:
    place = make_place()
    place.write_authorized(f"# first\n{line}\n{authorized_line(place.key)}\n")
    server = make_server(place=place)
    assert server.serves()
    assert not opens(server, wire.Key("bad@line", b"k" * 32))
    assert any("line 2" in text or ":2" in text or "line=2" in text for text in server.log().splitlines())


def test_a_new_key_opens_without_a_restart(make_server: MakeServer) -> None:
    server = make_server()
    other = key("other@there")
    assert not opens(server, other)
    server.place.authorize(server.place.key, other)
    wait_for(lambda: opens(server, other), "the new key to be accepted")
    assert server.serves()


def test_a_removed_key_opens_no_more(make_server: MakeServer) -> None:
    server = make_server()
    other = key("other@there")
    server.place.authorize(server.place.key, other)
    wait_for(lambda: opens(server, other), "the new key to be accepted")
    server.place.authorize(server.place.key)
    wait_for(lambda: not opens(server, other), "the removed key to be refused")
    assert server.serves()


def test_a_file_changed_in_place_is_read_again(make_server: MakeServer) -> None:
    server = make_server()
    other = key("other@there")
    with server.place.authorized_keys.open("a") as lines:
        lines.write(authorized_line(other) + "\n")
    wait_for(lambda: opens(server, other), "the new key to be accepted")


def test_a_file_that_becomes_writable_for_others_opens_for_nobody_new(make_server: MakeServer) -> None:
    server = make_server()
    other = key("other@there")
    server.place.authorize(server.place.key, other)
    server.place.authorized_keys.chmod(0o666)
    assert not opens(server, other)
    server.place.authorized_keys.chmod(0o600)
    wait_for(lambda: opens(server, other), "the file to be taken again")


def test_a_running_job_outlives_a_change_of_the_file(make_server: MakeServer) -> None:
    server = make_server()
    with server.login() as client:
        job = client.begin("read x; echo $x", stdin=True)
        server.place.authorize(server.place.key, key("other@there"))
        assert server.serves()
        client.write(job, b"still\n")
        assert client.finish(job).out == b"still\n"


def test_each_of_many_keys_opens(make_place: MakePlace, make_server: MakeServer) -> None:
    place = make_place()
    keys = [key(f"key-{number}") for number in range(500)]
    place.authorize(*keys, place.key)
    server = make_server(place=place)
    for other in (keys[0], keys[250], keys[499]):
        with server.login(other) as client:
            assert client.finish(client.execute("printf %s $RCMD_KEY")).out.decode() == other.key_id


@pytest.mark.skipif(AS_ROOT, reason="the server does not run as an ordinary user")
def test_an_ordinary_user_cannot_allow_another_one(make_place: MakePlace) -> None:
    place = make_place()
    place.write_authorized(authorized_line(place.key, "user=root") + "\n")
    assert run_server(place).code == 1


def test_a_user_that_the_line_does_not_allow_is_forbidden(server: Server) -> None:
    result = run_rcmd(server.place, f"no-such-user-here@{server.host}", "echo ran")
    result.failed_by_itself()
    assert result.out == b"" and NEVER_STARTED.search(result.message), result.message
