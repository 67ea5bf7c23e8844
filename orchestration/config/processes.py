"""Processes of ours, recognised again after we ourselves were killed.

A pid alone is no identity, since numbers are given out again; pid and start time together are. Both are written to a
file in the state folder, so that a later start can tell "still running" from "long gone".
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import pwd
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

PR_SET_PDEATHSIG, PR_SET_NAME = 1, 15
LINUX = sys.platform.startswith("linux")


@dataclass(frozen=True)
class Process:
    """One process, by pid and by when it was born."""

    pid: int
    born: str

    @property
    def alive(self) -> bool:
        return born(self.pid) == self.born

    def send(self, number: signal.Signals) -> None:
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


def born(pid: int) -> str:
    """When a living process was started, as text only fit for comparing; empty if it is dead or a zombie."""
    if not LINUX:
        found = subprocess.run(
            ["/bin/ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
        )
        state, _, started = found.stdout.strip().partition(" ")
        return "" if state.startswith("Z") else started.strip()
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return "" if fields[0] in "ZX" else fields[19]


def name_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def remember(file: Path, pid: int) -> Process:
    process = Process(pid, born(pid))
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"{process.pid} {process.born}\n")
    return process


def recall(file: Path) -> Process | None:
    """The process that a file tells of, if it still lives."""
    try:
        pid, _, started = file.read_text().strip().partition(" ")
        process = Process(int(pid), started)
    except (FileNotFoundError, ValueError):
        return None
    return process if started and process.alive else None


def wait_for(condition: Callable[[], bool], seconds: float, pause: float = 0.02) -> bool:
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= until:
            return False
        time.sleep(pause)
    return True


class Owner(TypedDict, total=False):
    """Arguments of `subprocess` that make a child run as another account."""

    user: int
    group: int
    extra_groups: list[int]


def owned_by(account: pwd.struct_passwd | None) -> Owner:
    if account is None:
        return {}
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def die_with_parent(parent: int, number: signal.Signals) -> None:
    """To be called in a child: the kernel sends it `number` when its parent is gone, be it by kill -9.

    Call it after a change of user, which forgets the wish. Without Linux it does nothing, and the next start clears up.
    """
    if not LINUX:
        return
    prctl(PR_SET_PDEATHSIG, int(number))
    if os.getppid() != parent:  # it died before the wish was made
        os.kill(os.getpid(), number)


def set_name(name: str) -> None:
    """What `top` and `ps -o comm` show; at most 15 characters."""
    if LINUX:
        prctl(PR_SET_NAME, name.encode())


def prctl(option: int, value: int | bytes) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)
