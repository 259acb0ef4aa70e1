"""Measures rcmd beside what one would use instead; see scripts/bench --help."""
from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import resource
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

from peers import Dropbear, OpenSsh, Surroundings  # noqa: E402
from report import plot, table  # noqa: E402
from rows import Bench, Row  # noqa: E402


def output_of(*command: str) -> str:
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    except FileNotFoundError:
        return "not installed"
    return (done.stdout + done.stderr).strip().splitlines()[0]


def machine() -> dict[str, object]:
    cpu = next((line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "")
    return {"cores": len(os.sched_getaffinity(0)), "processor": cpu, "kernel": platform.release(), "openssl": output_of("openssl", "version"),
            "ssh": output_of("ssh", "-V"), "dropbear": output_of("dbclient", "-V"), "python": platform.python_version()}


def as_json(rows: list[Row], quick: bool) -> str:
    listed = []
    for row in rows:
        listed.append(dataclasses.asdict(row))
        for each, required in zip(listed[-1]["required"], row.required):
            each["reached"] = required.reached
    return json.dumps({"machine": machine(), "quick": quick, "rows": listed}, indent=1, ensure_ascii=False) + "\n"


def measure(programs: Path, quick: bool, only: str) -> list[Row]:
    # What is started has ended before its directory goes.
    with tempfile.TemporaryDirectory(prefix="rcmd-bench.") as directory, ExitStack() as stack:
        bench = Bench(Surroundings(Path(directory), programs.resolve(), stack), quick)
        rows = []
        for each in bench.rows():
            if only in each.__name__:
                begin = time.monotonic()
                rows.append(each())
                print(f"bench: {rows[-1].name}: {time.monotonic() - begin:.0f} s", file=sys.stderr, flush=True)
        return rows


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Measures rcmd beside what one would use instead.")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--programs", type=Path, required=True)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    signal.signal(signal.SIGHUP, lambda *_: sys.exit(128 + signal.SIGHUP))
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    for name, there in (("OpenSSH", OpenSsh.installed()), ("dropbear", Dropbear.installed())):
        if not there:
            print(f"bench: {name} is not installed, and not measured", file=sys.stderr)
    rows = measure(options.programs, options.quick, options.only)
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "bench.json").write_text(as_json(rows, options.quick))
    (options.output / "bench.svg").write_text(plot(rows))
    print(table(rows), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
