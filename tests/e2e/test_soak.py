"""A short run of scripts/soak: everything at a time, over networks that break, clients and daemons killed at random."""
from __future__ import annotations

import os

from harness import BIN, REPOSITORY, SCALE, run

SOAK = str(REPOSITORY / "scripts" / "soak")


def test_half_a_minute_of_everything() -> None:
    jobs = "8" if SCALE == 1 else "4"
    result = run(SOAK, "--seconds", "30", "--kill-every", "8", "--jobs", jobs, timeout=600,
                 env=os.environ | {"RCMD_BIN_DIR": str(BIN)})
    text = result.out.decode()
    assert result.code == 0, text + result.message
    assert "problems: 0" in text and "commands that ran: 0" not in text, text


def test_the_help_names_every_option() -> None:
    text = run(SOAK, "--help").out.decode()
    assert all(option in text for option in ("--minutes", "--seconds", "--jobs", "--kill-every", "--seed")), text


def test_what_is_no_option_is_refused() -> None:
    result = run(SOAK, "--minutes", "many")
    assert result.code == 2 and "--minutes" in result.message, result
