"""A short session may be cut at any byte, in either direction."""
from __future__ import annotations

from pathlib import Path

import pytest

from cutter import cutter
from harness import SCALE, Result, Server, run_rcmd

OUT, ERR = b"out\n", b"err\n"


@pytest.fixture
def counter(tmp_path: Path) -> Path:
    return tmp_path / "counter"


def cut_at_any_byte(server: Server, options: list[str], words: list[str], expected: Result, counter: Path, trace: str, lines: bytes | None = None, step: int = 1, delay: float = 0, longest: int = 6000) -> None:
    runs = 0
    for at in range(0, longest, step * SCALE):
        with cutter(server, iter([at]), delay=delay) as proxy:
            result = run_rcmd(server.place, "-q", *options, proxy.host, *words, input=lines)
            runs += 1
            assert result == expected, (at, result)
            assert counter.read_text() == trace * runs, at
            if proxy.cut == 0:
                return
    pytest.fail("a session that has no end")


def test_a_short_session_may_be_cut_at_any_byte(server: Server, counter: Path) -> None:
    command = f"echo x >> {counter}; echo out; echo err >&2; exit 3"
    cut_at_any_byte(server, [], [command], Result(3, OUT, ERR), counter, "x\n")


def test_a_batch_may_be_cut_at_any_byte(server: Server, counter: Path) -> None:
    """Also while a line waits for the end of the one before."""
    lines = f"echo 1 >>{counter}\necho 2 >>{counter}\necho 3 >>{counter}; echo out\necho 4 >>{counter}; exit 3\necho 5 >>{counter}\n"
    cut_at_any_byte(server, ["--batch"], [], Result(3, OUT, b""), counter, "1\n2\n3\n4\n", lines.encode(), step=7, longest=12000)


@pytest.mark.parametrize("options", [[], ["--keep-going"]], ids=["stops", "keeps-going"])
def test_a_batch_on_a_slow_network_may_be_cut_at_any_byte(server: Server, counter: Path, options: list[str]) -> None:
    """Much is on its way: the end of a line that has failed, and what becomes of the one behind it."""
    lines = f"echo 1 >>{counter}\necho 2 >>{counter}; sleep 0.02; exit 3\necho 3 >>{counter}\n".encode()
    trace = "1\n2\n3\n" if options else "1\n2\n"
    cut_at_any_byte(server, ["--batch", *options], [], Result(3, b"", b""), counter, trace, lines, step=37, delay=0.02, longest=12000)
