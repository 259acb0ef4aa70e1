"""Accounts that only the processes of a test see: in mounts of their own other files are in the place of passwd, group and shadow."""
from __future__ import annotations

import ctypes
import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from harness import AS_ROOT

LIBC = ctypes.CDLL(None, use_errno=True)
NEW_MOUNTS = 0x20000
BIND, REC_PRIVATE = 0x1000, 0x4000 | 0x40000

@dataclass(frozen=True)
class Account:
    name: str
    uid: int  # and the group's id
    shell: str = "/bin/sh"
    expires: str = ""  # a day, counted from 1970
    home: str = "/no/such/home"


USER = Account("rcmd-user", 54321)
EXPIRED = Account("rcmd-expired", 54322, expires="11000")
TURNED_AWAY = Account("rcmd-nologin", 54323, shell="/usr/sbin/nologin")


def can_have_mounts_of_its_own() -> bool:
    return AS_ROOT and subprocess.run(["unshare", "-m", "true"], stderr=subprocess.DEVNULL).returncode == 0


def with_files(*files: tuple[Path, str]) -> Callable[[], None]:
    """Lets a process that is about to start see each of these files in the place of another one."""

    def enter() -> None:
        failed = LIBC.unshare(NEW_MOUNTS) or LIBC.mount(b"none", b"/", None, REC_PRIVATE, None)
        for seen, place in files:
            failed = failed or LIBC.mount(bytes(seen), place.encode(), None, BIND, None)
        if failed:
            raise OSError(ctypes.get_errno(), "no mounts of its own")

    return enter


def with_own_account(passwd: Path, shell: str, home: str | None = None) -> Callable[[], None]:
    """Lets a process see another shell, and another home perhaps, in the account's entry; `passwd` is written."""
    entries = [line.split(":") for line in Path("/etc/passwd").read_text().splitlines()]
    own = pwd.getpwuid(os.geteuid()).pw_name
    for entry in entries:
        if entry[0] == own:
            entry[-2:] = [home or entry[-2], shell]
    passwd.write_text("".join(":".join(entry) + "\n" for entry in entries))
    return with_files((passwd, "/etc/passwd"))


def with_accounts(directory: Path) -> Callable[[], None]:
    """Lets a process see USER, EXPIRED and TURNED_AWAY beside the accounts of the system; files are written to `directory`."""
    made = {name: directory / f"{name}-for-accounts" for name in ("passwd", "group", "shadow")}
    accounts = (USER, EXPIRED, TURNED_AWAY)
    lines = {
        "passwd": "".join(f"{each.name}:x:{each.uid}:{each.uid}::{each.home}:{each.shell}\n" for each in accounts),
        "group": "".join(f"{each.name}:x:{each.uid}:\n" for each in accounts),
        "shadow": "".join(f"{each.name}:*:19000:0:99999:7::{each.expires}:\n" for each in accounts),
    }
    for name, path in made.items():
        path.touch(0o600 if name == "shadow" else 0o644)
        path.write_text(Path(f"/etc/{name}").read_text() + lines[name])
    return with_files(*((path, f"/etc/{name}") for name, path in made.items()))
