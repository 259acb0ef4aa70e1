"""rcmd cp with the other end in hostile hands: nothing outside of the target is touched, and there is no false exit 0."""
from __future__ import annotations

import hashlib
import json
import os
import resource
import select
import stat
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from callers import tree
from copying import BLOCK, HOST, MIB, parts
from fakes import FakeServer, listener
from harness import MEASURE_MEMORY, RCMD_SERVER, Place, Result, base_environment, process, run, run_rcmd, scaled

Message = bytes
SOON = 20.0  # a guard against an end that works for ever on one message


def raw(header: bytes, body: bytes = b"") -> Message:
    return struct.pack(">I", len(header)) + header + body


def message(kind: str, body: bytes | None = None, **fields: Any) -> Message:
    header = {"type": kind} | fields | ({} if body is None else {"size": len(body)})
    return raw(json.dumps(header).encode(), body or b"")


def digest(content: bytes) -> bytes:
    """SHA-256 of the SHA-256 of each block."""
    blocks = [content[at:at + BLOCK] for at in range(0, len(content), BLOCK)]
    return hashlib.sha256(b"".join(hashlib.sha256(block).digest() for block in blocks)).digest()


def total(files: int = 1, size: int = 1) -> Message:
    return message("total", files=files, bytes=size)


def directory(name: bytes, **fields: int) -> Message:
    return message("directory", name, **{"mode": 0o755, "mtime": 1, "mtime_ns": 1} | fields)


def header(name: bytes, length: int, **fields: Any) -> Message:
    return message("file", name, **{"length": length, "mode": 0o644, "mtime": 1, "mtime_ns": 1, "resumable": False} | fields)


def file(name: bytes, content: bytes = b"content", **fields: Any) -> Message:
    """All of a file."""
    pieces = [message("data", content[at:at + BLOCK]) for at in range(0, len(content), BLOCK)]
    return header(name, len(content), **fields) + b"".join(pieces) + message("end", digest(content))


def link(name: bytes, points_to: bytes) -> Message:
    return message("link", name + b"\0" + points_to)


def data(content: bytes) -> Message:
    return message("data", content)


def hole(length: int) -> Message:
    return message("hole", length=length)


LEAVE, FINISH, ABORT = message("leave"), message("finish"), message("abort")


def in_dir(*messages: Message) -> Message:
    return directory(b"dir") + b"".join(messages) + LEAVE + FINISH


@dataclass
class World:
    """Where the target is, and things around it that are none of a sender's business."""

    root: Path

    def __post_init__(self) -> None:
        self.target = self.root / "world" / "target"
        self.target.mkdir(parents=True)
        self.outside = self.root / "world" / "outside"
        (self.outside / "l").mkdir(parents=True)
        (self.outside / "secret").write_bytes(b"secret")
        (self.outside / "secret").chmod(0o600)
        self.before = self._around()

    def _around(self) -> Any:
        everything = tree(self.root / "world")
        return {name: what for name, what in everything.items() if not (name + b"/").startswith(b"target/")}

    def is_untouched(self) -> None:
        assert self._around() == self.before
        for at, names, files in os.walk(os.fsencode(self.target)):
            for name in names + files:
                status = os.lstat(os.path.join(at, name))
                assert stat.S_ISLNK(status.st_mode) or status.st_mode & 0o7000 == 0, (name, oct(status.st_mode))
        assert parts(self.target) == []


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def bounded() -> None:
    """Too little for what a peer claims to send."""
    if MEASURE_MEMORY:
        resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))


class Far:
    """The job of a copy, played by a fake server."""

    def __init__(self, fake: FakeServer):
        self.fake = fake
        self.input = b""
        fake.start_job()

    def write(self, sent: bytes) -> None:
        for at in range(0, len(sent), BLOCK):
            self.fake.data(sent[at:at + BLOCK], at)

    def read_until(self, mark: bytes | None = None) -> None:
        """What the client sends, until that is among it or it has nothing more to say; the connection is kept alive."""
        while mark is None or mark not in self.input:
            header, body = self.fake.channel.receive()
            if header["type"] == "ping":
                self.fake.send({"type": "pong", "boot": "00" * 16, "uptime": 1235})
            elif header["type"] == "eof":
                return
            elif header["type"] == "data":
                self.input += body
                self.fake.send({"type": "ack", "job": self.fake.job, "stream": "stdin", "offset": len(self.input),
                                "limit": len(self.input) + BLOCK})

    def end(self, written: int) -> None:
        self.fake.eof(written)
        self.fake.eof(0, "stderr")
        self.fake.exit(stdout=written, stdin=len(self.input))
        self.fake.wait_closed()

    def stay(self) -> None:
        while True:
            self.read_until()


class Client:
    """`rcmd cp` from a server that sends what it likes. Then it `waits` for the client to be ready, `stays`, or `ends`."""

    def __init__(self, place: Place):
        self.place = place

    def receive(self, sent: bytes, target: Path | str, *names: str, flags: str = "-r", then: str = "waits") -> Result:
        def script(fake: FakeServer) -> None:
            far = Far(fake)
            far.write(sent)
            if then == "stays":
                far.stay()
            if then == "waits":
                far.read_until()
            far.end(len(sent))

        with listener(FakeServer(self.place.key, script)) as port:
            options = [] if flags == "-" else [flags]
            return run_rcmd(self.place, "cp", "-P", str(port), *options, *(f"{HOST}:{name}" for name in names), str(target),
                            timeout=SOON, preexec_fn=bounded)

    def breach(self, result: Result) -> None:
        """The other end breaks the rules: that is the end of it."""
        result.failed_by_itself()
        assert result.out == b"" and "\x1b" not in result.message
        assert "server's end of the output" not in result.message  # it is the copy that is wrong, not the job

    def refusal(self, result: Result) -> None:
        """Something cannot be taken: the rest can."""
        lines = result.message.splitlines()
        assert result.code == 1 and lines and all(line.startswith("rcmd: ") for line in lines), result
        assert result.out == b"" and "\x1b" not in result.message

    def harmless(self, result: Result) -> None:
        assert (result.code, result.err) == (0, b""), result


class Process:
    """The server's own process, to which a client sends what it likes."""

    def __init__(self, place: Place):
        self.place = place

    def receive(self, sent: bytes, target: Path | str, *names: str, flags: str = "-r", then: str = "waits") -> Result:
        arguments = [RCMD_SERVER, "copy-receive", flags, str(target), *(os.path.basename(name) for name in names)]
        return run(*arguments, input=sent, timeout=SOON, preexec_fn=bounded, env=base_environment(self.place.home))

    def breach(self, result: Result) -> None:
        lines = result.message.splitlines()
        assert result.code == 1 and len(lines) == 1 and lines[0].startswith("rcmd-server: "), result
        assert "\x1b" not in result.message

    def refusal(self, result: Result) -> None:
        kinds = [header["type"] for header, _ in replies(result.out)]
        assert (result.code, result.err) == (0, b"") and kinds[-1] == "finish", (result, kinds)
        assert "refused" in kinds or "problem" in kinds, kinds

    def harmless(self, result: Result) -> None:
        kinds = [header["type"] for header, _ in replies(result.out)]
        assert (result.code, result.err) == (0, b"") and kinds[-1] == "finish", (result, kinds)
        assert "refused" not in kinds and "problem" not in kinds, kinds


def replies(sent: bytes) -> list[tuple[dict[str, Any], bytes]]:
    """The messages of a stream, which has to end with one."""
    found = []
    at = 0
    while at < len(sent):
        body = at + 4 + struct.unpack_from(">I", sent, at)[0]
        header = json.loads(sent[at + 4:body])
        at = body + header.get("size", 0)
        assert at <= len(sent), header
        found.append((header, sent[body:at]))
    return found


@pytest.fixture(params=[Client, Process], ids=["client", "process"])
def end(request: pytest.FixtureRequest, place: Place) -> Any:
    """Either program that writes files for another one."""
    return request.param(place)


# Honest ones first: else all others could fail for any reason.


def test_an_honest_sender_is_believed(end: Any, world: World) -> None:
    content = os.urandom(3 * BLOCK + 5)
    sent = total() + directory(b"dir") + file(b"a", content) + file(b"empty", b"") + link(b"l", b"../outside") + \
        directory(b"sub") + file(b"b", bytes(2 * BLOCK)) + LEAVE + \
        header(b"holes", 3 * BLOCK + 1) + hole(BLOCK) + data(b"x" * BLOCK) + hole(BLOCK + 1) + message("end", digest(bytes(BLOCK) + b"x" * BLOCK + bytes(BLOCK + 1))) + LEAVE + FINISH
    end.harmless(end.receive(sent, world.target, "there/dir"))
    at = world.target / "dir"
    assert sorted(os.listdir(at)) == ["a", "empty", "holes", "l", "sub"]
    assert (at / "a").read_bytes() == content and (at / "sub" / "b").read_bytes() == bytes(2 * BLOCK)
    assert (at / "holes").read_bytes() == bytes(BLOCK) + b"x" * BLOCK + bytes(BLOCK + 1)
    world.is_untouched()


def test_an_honest_sender_of_a_large_file_is_believed(end: Any, world: World) -> None:
    content = os.urandom(2 * BLOCK)
    sent = header(b"f", len(content), resumable=True) + message("from", offset=0) + data(content[:BLOCK]) + \
        data(content[BLOCK:]) + message("end", digest(content)) + FINISH
    end.harmless(end.receive(sent, world.target, "f", flags="-"))
    assert (world.target / "f").read_bytes() == content
    world.is_untouched()


# Names that lead away.

LEADING_AWAY = {"up": b"..", "up-and-down": b"../x", "far-up": b"../../outside/secret", "absolute": b"/tmp/rcmd-test-absolute",
                "here": b".", "none": b"", "below": b"a/b", "slash": b"/", "slash-at-the-end": b"x/", "nul": b"a\0b",
                "nul-up": b"..\0",
                "too-long": b"n" * 256}


@pytest.mark.parametrize("name", LEADING_AWAY.values(), ids=LEADING_AWAY.keys())
@pytest.mark.parametrize("kind", ["file", "directory", "link"])
@pytest.mark.parametrize("top", [False, True], ids=["below", "top"])
def test_names_that_lead_away(end: Any, world: World, kind: str, name: bytes, top: bool) -> None:
    entry = {"file": file(name, b"evil"), "directory": directory(name) + file(b"evil") + LEAVE,
             "link": link(name, b"../outside")}[kind]
    result = end.receive(entry + FINISH if top else in_dir(entry), world.target, "dir")
    end.breach(result)
    world.is_untouched()
    assert not Path("/tmp/rcmd-test-absolute").exists()
    assert os.listdir(world.target) == ([] if top else ["dir"])


@pytest.mark.parametrize("asked", [["dir"], ["a", "b"], ["d*"], ["[d]ir"], ["*"], ["."], ["/"], ["~"], ["some/where/dir"]],
                         ids=" ".join)
@pytest.mark.parametrize("name", [b"other", b".hidden", b"..", b"../dir", b"dir/../other", b"Dir", b"dir "])
def test_another_name_than_was_asked_for(end: Any, world: World, asked: list[str], name: bytes) -> None:
    result = end.receive(directory(name) + file(b"evil") + LEAVE + FINISH, world.target, *asked)
    if asked == ["*"] and b"/" not in name and not name.startswith(b"."):
        end.harmless(result)
    elif asked == ["d*"] and name == b"dir ":
        end.harmless(result)
    else:
        end.breach(result)
        assert os.listdir(world.target) == []
    world.is_untouched()


@pytest.mark.parametrize("name", [b"other", b"..", b".bashrc", b""])
def test_another_file_than_was_asked_for(end: Any, world: World, name: bytes) -> None:
    for target in (world.target, world.target / "new"):
        end.breach(end.receive(file(name, b"evil") + FINISH, target, "f", flags="-"))
        assert os.listdir(world.target) == []
    world.is_untouched()


def test_more_files_than_were_asked_for(end: Any, world: World) -> None:
    end.refusal(end.receive(file(b"f", b"first") + file(b"f", b"second") + FINISH, world.target / "new", "f", flags="-"))
    assert os.listdir(world.target) == ["new"] and (world.target / "new").read_bytes() == b"first"
    world.is_untouched()


@pytest.mark.parametrize("entry", [directory(b"f") + LEAVE, link(b"f", b"/etc/passwd")], ids=["directory", "link"])
def test_without_r_only_files_come(end: Any, world: World, entry: bytes) -> None:
    for target in (world.target, world.target / "new"):
        end.breach(end.receive(entry + FINISH, target, "f", flags="-"))
        assert os.listdir(world.target) == []
    world.is_untouched()


# Links that lead away.


@pytest.mark.parametrize("points_to", ["../outside", "../../outside", "ABSOLUTE", "."], ids=["up", "up-up", "absolute", "here"])
def test_a_link_and_then_through_it(end: Any, world: World, points_to: str) -> None:
    away = os.fsencode(world.outside if points_to == "ABSOLUTE" else points_to)
    into = directory(b"l") + file(b"secret", b"evil") + file(b"new", b"evil") + directory(b"l") + LEAVE + LEAVE
    end.refusal(end.receive(in_dir(link(b"l", away), into), world.target, "dir"))
    world.is_untouched()
    assert os.listdir(world.target / "dir") == ["l"]


def test_a_link_in_the_place_of_what_was_asked_for_and_then_through_it(end: Any, world: World) -> None:
    sent = link(b"dir", os.fsencode(world.outside)) + directory(b"dir") + file(b"secret", b"evil") + LEAVE + FINISH
    end.refusal(end.receive(sent, world.target, "dir"))
    world.is_untouched()
    result = end.receive(sent, world.target / "new", "dir")
    assert result.code != 0 or isinstance(end, Process)
    world.is_untouched()


def test_a_link_and_then_a_file_with_its_name(end: Any, world: World) -> None:
    end.harmless(end.receive(in_dir(link(b"l", os.fsencode(world.outside / "secret")), file(b"l", b"evil")), world.target, "dir"))
    assert (world.target / "dir" / "l").read_bytes() == b"evil" and not (world.target / "dir" / "l").is_symlink()
    world.is_untouched()


def test_a_link_where_a_file_under_way_would_be(end: Any, world: World) -> None:
    """Its name can be known beforehand."""
    mark = hashlib.sha256(b"f/%d/1/1" % 70_000).hexdigest()[:8]
    part = f".f.{mark}.rcmd-part"
    entries = [link(part.encode(), os.fsencode(world.outside / "secret")), file(b"f", b"x" * 70_000)]
    result = end.receive(in_dir(*entries), world.target, "dir")
    end.harmless(result)
    assert (world.target / "dir" / "f").read_bytes() == b"x" * 70_000
    (world.target / "dir" / part).unlink()
    world.is_untouched()


def test_the_name_of_a_file_under_way_is_known(world: World, place: Place) -> None:
    """What the test above relies on."""
    sent = directory(b"dir") + header(b"f", 70_000, resumable=True) + message("from", offset=0) + data(bytes(BLOCK))
    Process(place).receive(sent, world.target, "dir")
    assert os.listdir(world.target / "dir") == [f".f.{hashlib.sha256(b'f/70000/1/1').hexdigest()[:8]}.rcmd-part"]


@pytest.mark.parametrize("place_of_link", ["dir", "dir/sub", "dir/sub/l"])
def test_a_link_that_an_earlier_copy_has_left(end: Any, world: World, place_of_link: str) -> None:
    at = world.target / place_of_link
    at.parent.mkdir(parents=True, exist_ok=True)
    at.symlink_to(world.outside)
    inner = directory(b"l") + file(b"evil") + file(b"secret", b"evil") + LEAVE
    both = file(b"evil") + file(b"secret", b"evil")
    sent = in_dir(both, directory(b"sub"), both, inner, LEAVE)
    end.refusal(end.receive(sent, world.target, "dir"))
    world.is_untouched()


# Modes and times that are none.


@pytest.mark.parametrize("flags", ["-r", "-rp"])
@pytest.mark.parametrize("mode", [0o4755, 0o2755, 0o7777, 0o104755, (1 << 32) | 0o4755, (1 << 63) | 0o6777, (1 << 64) - 1])
def test_set_id_bits(end: Any, world: World, flags: str, mode: int) -> None:
    sent = directory(b"dir", mode=mode) + file(b"f", mode=mode) + header(b"l", BLOCK, mode=mode, resumable=True) + \
        message("from", offset=0) + hole(BLOCK) + message("end", digest(bytes(BLOCK))) + LEAVE + FINISH
    end.harmless(end.receive(sent, world.target, "dir", flags=flags))
    for name in ("dir", "dir/f", "dir/l"):
        assert (world.target / name).stat().st_mode & 0o7000 == 0, name
    world.is_untouched()


@pytest.mark.parametrize("mtime", [0, (1 << 31), (1 << 40), (1 << 63) - 1, 1 << 63, (1 << 64) - 1])
@pytest.mark.parametrize("mtime_ns", [0, 999_999_999, 1_000_000_000, (1 << 30) - 1, (1 << 30) - 2, (1 << 64) - 1])
def test_times_that_are_none(end: Any, world: World, mtime: int, mtime_ns: int) -> None:
    """They may be refused or bent, but not more."""
    times = {"mtime": mtime, "mtime_ns": mtime_ns}
    result = end.receive(directory(b"dir", **times) + file(b"f", **times) + LEAVE + FINISH, world.target, "dir", flags="-rp")
    if result.code == 0:
        assert (world.target / "dir" / "f").read_bytes() == b"content"
    else:
        end.refusal(result)
    world.is_untouched()


# Messages out of order, or that are none.

F = header(b"f", 100)
WRONG_ORDER = {
    "finish-in-file": F + FINISH,
    "finish-in-file-at-its-end": F + data(b"x" * 100) + FINISH,
    "finish-in-directory": directory(b"f") + FINISH,
    "end-early": F + data(b"x" * 99) + message("end", digest(b"x" * 99)) + FINISH,
    "end-at-once": F + message("end", digest(b"")) + FINISH,
    "end-without-file": message("end", digest(b"")) + FINISH,
    "abort-without-file": ABORT + FINISH,
    "data-without-file": data(b"x") + FINISH,
    "hole-without-file": hole(BLOCK) + FINISH,
    "data-after-end": file(b"f") + data(b"x") + FINISH,
    "data-after-abort": F + ABORT + data(b"x") + FINISH,
    "data-beyond": F + data(b"x" * 101) + message("end", digest(b"x" * 101)) + FINISH,
    "data-beyond-the-end": F + data(b"x" * 100) + data(b"x") + message("end", digest(b"x" * 101)) + FINISH,
    "data-for-an-empty-file": header(b"f", 0) + data(b"x") + message("end", digest(b"x")) + FINISH,
    "empty-data": F + data(b"") + FINISH,
    "short-data": header(b"f", 2 * BLOCK) + data(b"x" * 100) + FINISH,
    "hole-beyond": F + hole(101) + FINISH,
    "hole-far-beyond": F + hole((1 << 63) + 100) + FINISH,
    "hole-that-wraps": header(b"f", BLOCK * 2) + data(b"x" * BLOCK) + hole((1 << 64) - BLOCK) + FINISH,
    "hole-of-nothing": F + hole(0) + FINISH,
    "uneven-hole": header(b"f", 3 * BLOCK) + hole(BLOCK + 1) + FINISH,
    "file-in-file": F + F + FINISH,
    "directory-in-file": F + directory(b"f") + FINISH,
    "link-in-file": F + link(b"f", b"x") + FINISH,
    "leave-in-file": F + LEAVE + FINISH,
    "leave-at-once": LEAVE + FINISH,
    "leave-too-often": directory(b"f") + LEAVE + LEAVE + FINISH,
    "leave-much-too-often": directory(b"f") + LEAVE * 1000 + directory(b"f") + FINISH,
    "from-without-file": message("from", offset=0) + FINISH,
    "from-unasked": F + message("from", offset=0) + FINISH,
    "from-elsewhere": header(b"f", 4 * BLOCK, resumable=True) + message("from", offset=BLOCK) + FINISH,
    "from-twice": header(b"f", 4 * BLOCK, resumable=True) + message("from", offset=0) * 2 + FINISH,
    "no-from": header(b"f", 4 * BLOCK, resumable=True) + data(b"x" * BLOCK) + FINISH,
    "end-for-from": header(b"f", 4 * BLOCK, resumable=True) + message("end", digest(b"")) + FINISH,
    "resume": message("resume", digest(b""), offset=0) + FINISH,
    "stored": message("stored", digest(b"")) + FINISH,
    "refused": message("refused", b"no") + FINISH,
    "link-without-target": message("link", b"f") + FINISH,
    "link-to-nothing": message("link", b"f\0") + FINISH,
    "link-with-two-targets": message("link", b"f\0a\0b") + FINISH,
    "file-without-name": header(b"", 0) + FINISH,
}


@pytest.mark.parametrize("sent", WRONG_ORDER.values(), ids=WRONG_ORDER.keys())
def test_messages_out_of_order(end: Any, world: World, sent: bytes) -> None:
    if sent.startswith(directory(b"f")):
        (world.target / "f").mkdir()
    else:
        (world.target / "f").write_bytes(b"old")
    end.breach(end.receive(sent, world.target, "f"))
    world.is_untouched()
    assert os.listdir(world.target) == ["f"]
    if not (world.target / "f").is_dir():
        complete = sent.startswith(file(b"f"))  # before the breach
        assert (world.target / "f").read_bytes() == (b"content" if complete else b"old")


BROKEN_OFF = {
    "nothing": b"",
    "no-finish": total(),
    "file-without-end": F + data(b"x" * 100),
    "file-without-content": F,
    "large-file-without-answer": header(b"f", 4 * BLOCK, resumable=True),
    "directory-without-end": directory(b"dir"),
    "half-a-length": b"\0\0",
    "half-a-header": message("leave")[:-3],
    "half-a-body": F + data(b"x" * 100)[:-3],
}


@pytest.mark.parametrize("sent", BROKEN_OFF.values(), ids=BROKEN_OFF.keys())
def test_it_breaks_off(end: Any, world: World, sent: bytes) -> None:
    """And the job says that all is well."""
    (world.target / "f").write_bytes(b"old")
    result = end.receive(sent, world.target, "f", "dir", then="ends")
    if isinstance(end, Client):
        end.breach(result)
    else:  # whoever has broken it off knows why
        assert result.code == 1 and len(result.message.splitlines()) <= 1, result
    world.is_untouched()
    assert {"f"} <= set(os.listdir(world.target)) <= {"f", "dir"} and (world.target / "f").read_bytes() == b"old"


HUGE = json.dumps({"type": "leave", "x": "x" * 70_000}).encode()
GARBAGE = {
    "zeros": bytes(100),
    "ones": b"\xff" * 100,
    "text": b"GET / HTTP/1.0\r\n\r\n",
    "no-header": raw(b""),
    "no-json": raw(b"{"),
    "not-utf8": raw(b'{"type":"\xff"}'),
    "array": raw(b'["type","leave"]'),
    "number": raw(b"1"),
    "trailing": raw(b'{"type":"leave"} {}'),
    "deep": raw(b"[" * 500),
    "deep-field": raw(b'{"type":"leave","x":' + b"[" * 300 + b"]" * 300 + b"}"),
    "large-header": raw(HUGE),
    "header-of-4-gib": b"\xff\xff\xff\xff{",
    "header-over-the-limit": raw(b'{"type":"leave"' + b" " * 2000 + b"}"),
    "no-type": raw(b'{"size":0}'),
    "type-is-a-number": raw(b'{"type":1}'),
    "unknown-type": message("exec"),
    "escapes-in-type": message("\x1b[2J\n"),
    "unknown-field": message("leave", depth=1),
    "missing-field": message("file", b"f", length=1),
    "duplicate-field": raw(b'{"type":"hole","length":1,"length":2}'),
    "negative": message("hole", length=-1),
    "fraction": message("hole", length=1.5),
    "too-large-a-number": raw(b'{"type":"hole","length":18446744073709551616}'),
    "string": message("hole", length="1"),
    "null": message("hole", length=None),
    "flag-is-a-number": header(b"f", 1, resumable=1),
    "body-where-none-is": message("leave", b"x"),
    "no-body-where-one-is": message("end"),
    "negative-body": raw(b'{"type":"data","size":-1}'),
    "body-over-the-limit": F + data(b"x" * (BLOCK + 1)),
    "body-of-a-tib": F + raw(b'{"type":"data","size":1099511627776}', b"x" * 100),
    "body-of-2-to-the-64": F + raw(b'{"type":"data","size":18446744073709551615}', b"x" * 100),
    "long-digest": header(b"f", 0) + message("end", digest(b"") + b"x"),
    "name-over-the-limit": directory(b"n" * 300),
    "link-over-the-limit": link(b"f", b"x" * 5000),
    "problem-over-the-limit": message("problem", b"x" * 8193),
}


@pytest.mark.parametrize("sent", GARBAGE.values(), ids=GARBAGE.keys())
def test_garbage(end: Any, world: World, sent: bytes) -> None:
    (world.target / "f").write_bytes(b"old")
    result = end.receive(sent, world.target, "f")
    end.breach(result)
    world.is_untouched()
    assert os.listdir(world.target) == ["f"] and (world.target / "f").read_bytes() == b"old"


# Content that is not what it is said to be.

X = b"x" * (2 * BLOCK)
LIES = {
    "wrong-digest": header(b"f", 5) + data(b"hello") + message("end", digest(b"hullo")),
    "plain-digest": header(b"f", 5) + data(b"hello") + message("end", hashlib.sha256(b"hello").digest()),
    "wrong-digest-of-a-large-file": header(b"f", len(X), resumable=True) + message("from", offset=0) + data(X[:BLOCK]) +
    data(X[BLOCK:]) + message("end", digest(X[1:])),
    "wrong-digest-of-holes": header(b"f", len(X)) + hole(len(X)) + message("end", digest(X)),
    "short-digest": header(b"f", 0) + message("end", digest(b"")[:31]),
    "no-digest": header(b"f", 0) + message("end", b""),
    "abort": header(b"f", 5) + data(b"hello") + ABORT + message("problem", b"it is gone"),
    "too-long-a-link": link(b"new", b"x" * 4096),
}


@pytest.mark.parametrize("sent", LIES.values(), ids=LIES.keys())
def test_content_that_is_not_what_it_is_said_to_be(end: Any, world: World, sent: bytes) -> None:
    (world.target / "f").write_bytes(b"old")
    end.refusal(end.receive(sent + FINISH, world.target, "f", "new"))
    world.is_untouched()
    assert os.listdir(world.target) == ["f"] and (world.target / "f").read_bytes() == b"old"


@pytest.mark.parametrize("length, resumable", [(1 << 50, False), ((1 << 63) - 1, True), ((1 << 64) - 1, False)])
def test_a_file_larger_than_any_can_be(end: Any, world: World, length: int, resumable: bool) -> None:
    """A few bytes on the wire must not be work for years."""
    start = message("from", offset=0) if resumable else b""
    holes = length - length % BLOCK if length % BLOCK else length
    sent = header(b"f", length, resumable=resumable) + start + hole(holes) + ABORT + message("problem", b"was a joke") + FINISH
    try:
        result = end.receive(sent, world.target, "f")
    except subprocess.TimeoutExpired:
        raise AssertionError(f"a hole of {holes} bytes kept it busy for more than {SOON} s") from None
    end.refusal(result)
    assert [name for name in os.listdir(world.target) if not name.endswith(".rcmd-part")] == []


def test_other_files_are_in_place_when_a_breach_ends_it(end: Any, world: World) -> None:
    end.breach(end.receive(directory(b"dir") + file(b"a") + file(b"b") + file(b"../c") + file(b"d"), world.target, "dir"))
    assert sorted(os.listdir(world.target / "dir")) == ["a", "b"]
    world.is_untouched()


# Too much of it.


@pytest.mark.parametrize("leaves", [0, 1, 2], ids=["left-open", "closed", "closed-twice"])
def test_thousands_of_nested_directories(end: Any, world: World, leaves: int) -> None:
    depth = 8000
    sent = directory(b"dir") + directory(b"d") * depth + file(b"evil") + LEAVE * ((depth + 1) * leaves) + FINISH
    result = end.receive(sent, world.target, "dir")
    told = [line for line in result.message.splitlines() if line.startswith(("rcmd: ", "rcmd-server: "))]
    if isinstance(end, Process) and result.code == 0:
        end.refusal(result)
    else:
        assert result.code in (1, 255) and 1 <= len(told) <= 5 and told == result.message.splitlines(), result.message[-3000:]
    assert leaves == 1 or result.code == (255 if isinstance(end, Client) else 1)
    world.is_untouched()


def test_many_entries_need_no_memory(end: Any, world: World) -> None:
    """As much as fits into a window, for the client; for the process, more of it."""
    count = scaled(3000) if isinstance(end, Client) else scaled(60_000)
    (world.target / "dir").mkdir()
    (world.target / "dir" / "d").write_bytes(b"in the way")
    entries = directory(b"d") + file(b"f", b"x") + LEAVE
    result = end.receive(in_dir(*[entries] * count), world.target, "dir")
    end.refusal(result)
    world.is_untouched()


def test_a_problem_is_told_without_its_escapes(place: Place, world: World) -> None:
    end = Client(place)
    result = end.receive(message("problem", b"\x1b[2J\x07evil\nrcmd: all is well\xff") + FINISH, world.target, "f")
    end.refusal(result)
    assert len(result.err.splitlines()) == 1 and b"\x07" not in result.err and b"evil" in result.err
    result = end.receive(file(b"\x1b[31m\nf", b"x") + FINISH, world.target, "f")
    end.breach(result)


@pytest.mark.parametrize("sent", [b"\xff" * 100, LEAVE, file(b"../x"), F + data(b"x" * 101)],
                         ids=["garbage", "order", "name", "beyond"])
def test_a_server_that_breaks_the_rules_and_then_falls_silent(place: Place, world: World, sent: bytes) -> None:
    """The client has seen enough: it does not wait for the job's end."""
    end = Client(place)
    try:
        result = end.receive(sent, world.target, "f", then="stays")
    except subprocess.TimeoutExpired:
        raise AssertionError("the client waits for a server that has lost its trust") from None
    end.breach(result)
    world.is_untouched()


# A hostile end that receives.


class Uploader:
    """`rcmd cp` to a server that answers what it likes."""

    fails = 255

    def __init__(self, place: Place):
        self.place = place

    def send(self, answers: bytes, source: Path, early: bool = False, ends: bool = False) -> Result:
        def script(fake: FakeServer) -> None:
            far = Far(fake)
            if not early:
                far.read_until(b'"finish"')
            far.write(answers)
            if not ends:
                far.read_until()
            far.end(len(answers))

        with listener(FakeServer(self.place.key, script)) as port:
            return run_rcmd(self.place, "cp", "-P", str(port), str(source), f"{HOST}:target", timeout=SOON, preexec_fn=bounded)


class SendingProcess:
    """The server's process that sends, and a client that answers what it likes."""

    fails = 1

    def __init__(self, place: Place):
        self.place = place

    def send(self, answers: bytes, source: Path, early: bool = False, ends: bool = False) -> Result:
        with process(RCMD_SERVER, "copy-send", "-", str(source), env=base_environment(self.place.home), preexec_fn=bounded,
                     stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
            sent = b""
            while not early and b'"finish"' not in sent:
                assert select.select([child.stdout], [], [], SOON)[0], f"it has sent only this: {sent!r}"
                sent += os.read(child.stdout.fileno(), BLOCK)
            out, err = child.communicate(answers, timeout=SOON)
            return Result(child.returncode, sent + out, err)


@pytest.fixture(params=[Uploader, SendingProcess], ids=["client", "process"])
def sender(request: pytest.FixtureRequest, place: Place) -> Any:
    """Either program that reads files for another one."""
    return request.param(place)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    (tmp_path / "small").write_bytes(b"content")
    return tmp_path / "small"


def resume(offset: int, about: bytes) -> bytes:
    return message("resume", about, offset=offset)


STORED = message("stored", digest(b"content"))


def test_an_honest_receiver_is_believed(sender: Any, small: Path) -> None:
    result = sender.send(STORED + FINISH, small)
    assert (result.code, result.err) == (0, b"")
    if isinstance(sender, SendingProcess):
        about = small.stat()
        expected = [{"type": "total", "files": 1, "bytes": 7},
                    {"type": "file", "length": 7, "mode": about.st_mode, "mtime": about.st_mtime_ns // 10**9,
                     "mtime_ns": about.st_mtime_ns % 10**9, "resumable": False, "size": 5},
                    {"type": "data", "size": 7}, {"type": "end", "size": 32}, {"type": "finish"}]
        assert [header for header, _ in replies(result.out)] == expected
        assert [body for _, body in replies(result.out)] == [b"", b"small", b"content", digest(b"content"), b""]


ANSWERS = {
    "nothing": b"",
    "garbage": b"\xff" * 100,
    "only-stored": STORED,
    "stored-too-often": STORED * 2 + FINISH,
    "refused-too-often": STORED + message("refused", b"no") + FINISH,
    "short-digest": message("stored", b"x") + FINISH,
    "wrong-digest": message("stored", digest(b"other")) + FINISH,
    "finish-without-an-answer": FINISH,
    "data": data(b"x") + FINISH,
    "file": file(b"f") + FINISH,
    "directory": directory(b"f") + FINISH,
    "total": total() + FINISH,
    "resume-with-a-short-digest": resume(0, b"x") + STORED + FINISH,
    "body-over-the-limit": message("refused", b"x" * 8193) + FINISH,
    "half": STORED[:-1],
}


@pytest.mark.parametrize("answers", ANSWERS.values(), ids=ANSWERS.keys())
def test_answers_that_are_wrong(place: Place, small: Path, answers: bytes) -> None:
    """What is not stored is not said to be."""
    result = Uploader(place).send(answers, small, ends=not answers.endswith(FINISH))
    lines = result.message.splitlines()
    assert result.code in (1, 255) and len(lines) == 1 and lines[0].startswith("rcmd: "), result


# These are for the client only to judge.
OF_CONTENT = ["short-digest", "wrong-digest", "resume-with-a-short-digest", "finish-without-an-answer"]
OF_ORDER = {name: answers for name, answers in ANSWERS.items() if name not in OF_CONTENT}


@pytest.mark.parametrize("answers", OF_ORDER.values(), ids=OF_ORDER.keys())
def test_answers_that_are_wrong_end_the_sending_process(place: Place, small: Path, answers: bytes) -> None:
    result = SendingProcess(place).send(answers, small)
    lines = result.message.splitlines()
    assert result.code == 1 and len(lines) <= 1 and (lines or not answers.endswith(FINISH)), result


@pytest.mark.parametrize("sparse", [False, True], ids=["plain", "sparse"])
@pytest.mark.parametrize("offset", [1, BLOCK, 2 * MIB, 2 * MIB + 1, 1 << 50, (1 << 64) - 1])
def test_a_beginning_that_nobody_has(sender: Any, tmp_path: Path, offset: int, sparse: bool) -> None:
    """All is sent then, and soon."""
    source = tmp_path / "source"
    source.write_bytes(b"" if sparse else os.urandom(2 * MIB))
    os.truncate(source, 2 * MIB)
    answers = resume(offset, digest(b"what is not there")) + message("refused", b"no more") + FINISH
    try:
        result = sender.send(answers, source, early=True)
    except subprocess.TimeoutExpired:
        raise AssertionError(f"an offset of {offset} kept it busy for more than {SOON} s") from None
    if isinstance(sender, SendingProcess):
        starts = [header for header, _ in replies(result.out) if header["type"] == "from"]
        assert starts in ([], [{"type": "from", "offset": 0}]), starts
        assert result.code in (0, 1)
    else:
        assert result.code in (1, 255) and len(result.message.splitlines()) >= 1, result


def test_text_of_the_receivers_is_told_without_its_escapes(place: Place, small: Path) -> None:
    result = Uploader(place).send(message("refused", b"\x1b[2J\x07evil\nrcmd: all is well\xff") + FINISH, small)
    assert result.code == 1 and len(result.err.splitlines()) == 1, result
    assert b"\x1b" not in result.err and b"\x07" not in result.err and b"evil" in result.err
