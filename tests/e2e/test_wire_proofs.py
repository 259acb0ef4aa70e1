"""The challenge: the published vectors, and what an attacker may try with it."""
from __future__ import annotations

import os
from pathlib import Path

import pytest

import wire
from fakes import FakeServer, Middle, listener
from harness import NEVER_STARTED, Server, run_rcmd

HELLO = (b'{"type":"hello","versions":[1],"features":[],"key_id":"alice@laptop","user":"",'
         b'"nonce":"ERERERERERERERERERERERERERERERERERERERERERE="}')
CHALLENGE = (b'{"type":"challenge","version":1,"features":[],'
             b'"nonce":"IiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiI=",'
             b'"salt":"oKGio6SlpqeoqaqrrK2urw==",'
             b'"boot":"00112233445566778899aabbccddeeff","uptime":1234,"size":32}')
SERVER_PROOF = "51e8f3c02c0acbe3110e0487525496aba838743ae5d514427b68595017c235d6"
CLIENT_PROOF = "13cc3c3df79765699a38db8dab25c74fbdde88b3e65f5515c5dacdcac89bac58"


def test_the_vectors_of_the_protocol_hold() -> None:
    keys = wire.derive(bytes(range(32)), bytes(range(0xa0, 0xb0)))
    assert keys.client.hex() == "29068031b4d64728d356d0b58b877b74deb8140c9320a065319085afbdc0bc64"
    assert keys.stored.hex() == "26269ed7da9134ef172e16deeff01402d163945a23e3deb6202f9772fac36140"
    assert keys.server.hex() == "aead96412317d5d17e3301eed875275acf7cc47548ebfc4acab8ce2e22eb37a2"
    text = wire.transcript(HELLO, CHALLENGE, bytes(range(0x40, 0x60)))
    assert wire.server_proof(keys, text).hex() == SERVER_PROOF
    assert wire.client_proof(keys, text).hex() == CLIENT_PROOF


@pytest.fixture(scope="module", autouse=True)
def known_address(server: Server) -> None:
    """From an address without a login in the last minutes wrong proofs would be answered by penalties."""
    assert server.serves()


def stranger(server: Server, key: wire.Key | None = None) -> wire.Wire:
    return wire.Wire(server.port, key or server.place.key)


def fails(client: wire.Wire, proof: bytes) -> dict:
    error = client.answer_to(wire.frame({"type": "auth", "size": 32}, proof))
    assert error["code"] == "auth_failed", error
    return error


def test_a_wrong_proof_fails_wherever_its_wrong_bit_is(server: Server) -> None:
    for place in (0, 1, 16, 31):
        with stranger(server) as client:
            client.greet()
            wrong = bytearray(client.proof())
            wrong[place] ^= 0x80
            fails(client, bytes(wrong))
    assert server.serves()


@pytest.mark.parametrize("proof", [b"\0" * 32, b"\xff" * 32])
def test_a_proof_of_nothing_fails(server: Server, proof: bytes) -> None:
    with stranger(server) as client:
        client.greet()
        fails(client, proof)


def test_a_replayed_proof_fails(server: Server) -> None:
    with stranger(server).login() as first:
        hello, proof = first.hello, first.proof()
    with stranger(server) as second:
        second.greet(hello)
        fails(second, proof)


def test_the_servers_own_proof_sent_back_fails(server: Server) -> None:
    with stranger(server) as client:
        client.greet()
        fails(client, client.their_proof)


def test_what_is_in_authorized_keys_opens_nothing(server: Server) -> None:
    with stranger(server) as client:
        client.greet()
        mask = wire.mac(client.keys.stored, b"client" + client.transcript)
        for known in (client.keys.stored, client.keys.server):
            with stranger(server) as thief:
                thief.greet()
                fails(thief, bytes(a ^ b for a, b in zip(known, mask)))


def test_a_proof_without_the_binding_to_this_connection_fails(server: Server) -> None:
    for binding in (b"", b"\0" * 32, os.urandom(32)):
        with stranger(server) as client:
            client.greet()
            fails(client, wire.client_proof(client.keys,
                                            wire.transcript(client.hello, client.raw_challenge, binding)))


def test_nonces_are_fresh_and_the_salt_of_a_key_stays(server: Server) -> None:
    challenges = []
    for _ in range(5):
        with stranger(server) as client:
            client.greet(wire.to_json(client.hello_header(nonce=wire.encode(b"n" * 32))))
            challenges.append(client.challenge)
    assert len({challenge["nonce"] for challenge in challenges}) == 5
    assert len({challenge["salt"] for challenge in challenges}) == 1
    assert len({challenge["boot"] for challenge in challenges}) == 1


def attempt(server: Server, key_id: str) -> tuple[dict, bytes, str]:
    """For a secret that the server does not know: the challenge, the last message as sent, how it closes."""
    with stranger(server, wire.Key(key_id, os.urandom(32))) as client:
        client.greet()
        client.send({"type": "auth"}, client.proof())
        raw, _ = client.receive_raw()
        with pytest.raises(wire.Closed) as closed:
            client.receive()
        return client.challenge, raw, str(closed.value)


def test_an_unknown_key_id_cannot_be_told_from_a_wrong_key(server: Server) -> None:
    known, unknown = server.place.key.key_id, "tester@gone"
    assert len(known) == len(unknown)
    tries = {name: [attempt(server, name) for _ in range(3)] for name in (known, unknown)}
    endings = {(raw, closed) for results in tries.values() for _, raw, closed in results}
    assert len(endings) == 1, "the last messages or the ways to close differ"
    for results in tries.values():
        challenges = [challenge for challenge, _, _ in results]
        assert len({challenge["salt"] for challenge in challenges}) == 1, "the salt of an id changes"
        assert len({challenge["nonce"] for challenge in challenges}) == 3
    first, second = (tries[name][0][0] for name in (known, unknown))
    assert list(first) == list(second), "the fields or their order differ"
    assert first["salt"] != second["salt"]
    assert len(first["salt"]) == len(second["salt"]) and first["boot"] == second["boot"]


def test_unknown_key_ids_have_salts_of_their_own_that_survive_a_restart(make_server: object) -> None:
    server = make_server()
    before = [attempt(server, name)[0]["salt"] for name in ("one@gone", "two@gone")]
    server.stop()
    again = make_server(place=server.place)
    assert before == [attempt(again, name)[0]["salt"] for name in ("one@gone", "two@gone")]
    assert before[0] != before[1]


def test_an_unknown_user_and_an_unknown_key_fail_alike_without_the_proof(server: Server) -> None:
    with stranger(server, wire.Key(server.place.key.key_id, os.urandom(32))) as client:
        assert client.greet(user="no-such-user-here") == "challenge"
        fails(client, client.proof())


def test_a_man_in_the_middle_gets_no_proof_and_no_request_from_the_client(server: Server,
                                                                          tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    middle = Middle(server.port)
    with listener(middle) as port:
        result = run_rcmd(server.place, f"127.0.0.1:{port}", f"touch {trace}")
    result.failed_by_itself()
    assert NEVER_STARTED.search(result.message), result.message
    assert middle.behind_challenge == [] and not trace.exists()


def test_a_man_in_the_middle_of_a_careless_client_is_refused_by_the_server(server: Server) -> None:
    middle = Middle(server.port)
    with listener(middle) as port:
        with wire.Wire(port, server.place.key) as careless:
            careless.greet()
            careless.send({"type": "auth"}, careless.proof())
            with pytest.raises((wire.Closed, TimeoutError)):
                careless.receive()
    assert middle.answer.get("code") == "auth_failed"
    assert server.serves()


def test_a_server_with_another_secret_gets_no_proof_from_the_client(server: Server) -> None:
    impostor = wire.Key(server.place.key.key_id, os.urandom(32))
    behind: list[str] = []

    def script(fake: FakeServer) -> None:
        fake.challenge()
        behind.append(fake.receive()["type"])

    with listener(FakeServer(impostor, script)) as port:
        result = run_rcmd(server.place, f"127.0.0.1:{port}", "true")
    result.failed_by_itself()
    assert behind == []
