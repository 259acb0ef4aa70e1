"""A short session may be cut at any byte, in either direction."""
from __future__ import annotations

from pathlib import Path

import pytest

from cutter import cutter
from harness import SCALE, Server, run_rcmd


def test_a_short_session_may_be_cut_at_any_byte(server: Server, tmp_path: Path) -> None:
    with cutter(server, iter([])) as proxy:
        first = run_rcmd(server.place, proxy.host, "echo out; echo err >&2; exit 3")
        assert (first.code, first.out, first.err) == (3, b"out\n", b"err\n")
    counter = tmp_path / "counter"
    command = f"echo x >> {counter}; echo out; echo err >&2; exit 3"
    runs = 0
    for at in range(0, 6000, SCALE):
        with cutter(server, iter([at])) as proxy:
            result = run_rcmd(server.place, "-q", proxy.host, command)
            runs += 1
            assert (result.code, result.out, result.err) == (3, b"out\n", b"err\n"), (at, result)
            assert counter.read_text() == "x\n" * runs, at
            if proxy.cut == 0:
                return
    pytest.fail("a session that has no end")
