"""Writes client/text_order.ld: tests/bench/text_order.py BUILD, with a build of the release with ninja, and with valgrind.

Runs one-shots under callgrind, in a client that is linked anew with a map and at addresses that are known, and lists the object files whose
code is executed: of the libraries all, of the project those of which that is at least a tenth."""
from __future__ import annotations

import bisect
import re
import subprocess
import sys
import tempfile
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

from peers import Rcmd, Surroundings  # noqa: E402

LINE = 64  # bytes that the processor fetches at once
SHARE = 0.1

HEAD = """\
/* The object files that a one-shot executes, beside each other. It executes a sixth of 4.5 MB of code, which would lie in nearly every piece of
   64 KiB that the kernel maps at a time; to map and unmap the pieces without need takes a client 5% of its time. Names that are not there any
   more do no harm. Written by tests/bench/text_order.py. */
SECTIONS
{
  .text.start :
  {
    *(.text.startup .text.startup.*)
"""
TAIL = """\
  }
}
INSERT BEFORE .text;
"""


class Section(NamedTuple):
    """Of an object file, at its place in the program."""
    address: int
    size: int
    startup: bool
    file: str


def link(build: Path, program: Path, link_map: Path) -> None:
    commands = subprocess.run(["ninja", "-C", str(build), "-t", "commands", "rcmd"], check=True, capture_output=True, text=True).stdout
    command = commands.splitlines()[-1].replace(" -Wl,-z,pack-relative-relocs", "").replace(" -o rcmd ", f" -no-pie -Wl,-Map={link_map} -o {program} ")
    subprocess.run(command, shell=True, check=True, cwd=build)


def sections_of(link_map: Path) -> list[Section]:
    text = link_map.read_text().partition("Linker script and memory map")[2]
    found = re.findall(r"^ (\.text\S*)\s+0x([0-9a-f]+)\s+0x([0-9a-f]+) (\S+)$", text, re.M)
    return sorted(Section(int(address, 16), int(size, 16), name.startswith(".text.startup"), file)
                  for name, address, size, file in found if int(size, 16) > 0 and int(address, 16) > 0)


def executed(world: Surroundings, program: Path, out: Path) -> set[int]:
    """The addresses of the instructions."""
    server = Rcmd(world)
    addresses = set()
    for command, status in (("true", 0), ("exit 3", 3), ("cat; cat >&2", 0)):
        done = subprocess.run(["valgrind", "--tool=callgrind", "--dump-instr=yes", "--compress-pos=no", f"--callgrind-out-file={out}",
                               str(program), *server.command(command)[1:]],
                              input="input\n", env=world.env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if done.returncode != status:
            raise RuntimeError(f"{command}: status {done.returncode}, not {status}: {done.stderr}")
        addresses |= {int(address, 16) for address in re.findall(r"^0x([0-9a-f]+) ", out.read_text(), re.M)}
    return addresses


def needed(sections: list[Section], addresses: set[int]) -> list[str]:
    """The files, without those that come with every program."""
    starts = [section.address for section in sections]
    lines = {(bisect.bisect_right(starts, address) - 1, address // LINE) for address in addresses
             if starts[0] <= address < sections[-1].address + sections[-1].size}
    used = Counter[str]()
    for section in (sections[index] for index, _ in lines):
        if not section.startup:
            used[section.file] += LINE
    size = Counter[str]()
    for section in sections:
        size[section.file] += section.size
    return sorted(file for file, count in used.items() if "/crt" not in file and ("librcmd" not in file or count >= SHARE * size[file]))


def pattern(file: str) -> str:
    member = re.fullmatch(r"(?:.*/)?([^/]+\.a)\((.*)\)", file)
    name = f"*{member[1]}:{member[2]}" if member else f"*{file}"
    return f"    {name}(.text .text._*)\n"


def main() -> None:
    build = Path(sys.argv[1]).resolve()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        program, link_map = directory / "rcmd", directory / "map"
        link(build, program, link_map)
        files = needed(sections_of(link_map), executed(Surroundings(directory, build, stack), program, directory / "callgrind"))
    order = HEAD + "".join(pattern(file) for file in files) + TAIL
    (HERE.parents[1] / "client" / "text_order.ld").write_text(order)


main()
