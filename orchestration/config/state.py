"""The state folder (BATON_STATE): what it holds and where the engines of this folder live.

    secret_key, passwords       made once, readable by the owner only
    logs/, pids/, scratch/      of the processes that run on this folder
    postgres/, sockets/         PostgreSQL's data and both engines' sockets, unless `place` says where else

PostgreSQL refuses to run as root, so as root it runs as another account. Where that account cannot reach the folder
(a checkout below a closed home), the data lies in /var/lib/baton and the file `place` in the folder says so.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import pwd
import secrets
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO

from django.core.exceptions import ImproperlyConfigured

from . import env

CHECKOUT = Path(__file__).resolve().parents[2]
ELSEWHERE = Path("/var/lib/baton")
SOCKET_PATH = 107 - len("/.s.PGSQL.5432")  # the longest path of a socket on Linux, less the name in it (macOS: 103)


@dataclass(frozen=True)
class State:
    """A state folder. Looking at it creates what is missing, so that every process sees the same answers."""

    folder: Path

    @cached_property
    def root(self) -> bool:
        return os.geteuid() == 0

    @cached_property
    def account(self) -> pwd.struct_passwd:
        """Who PostgreSQL runs as: we ourselves, but never root."""
        if not self.root:
            return account_of(os.geteuid())
        data = self.place / "postgres"
        if data.exists() and data.stat().st_uid != 0:
            return account_of(data.stat().st_uid)
        return spare_account()

    @cached_property
    def place(self) -> Path:
        """The folder that holds `postgres` and `sockets`."""
        note = self.folder / "place"
        if note.exists():
            return self._noted(note)
        if not self.root or reaches(spare_account(), self.folder):
            return self.folder
        place = ELSEWHERE / self.digest
        place.mkdir(parents=True, exist_ok=True, mode=0o711)
        self._keep("place", f"{place}\n{self.folder}\n")
        return place

    def _noted(self, note: Path) -> Path:
        place, _, origin = note.read_text().strip().partition("\n")
        if origin != str(self.folder) and Path(origin, "place").exists():
            raise ImproperlyConfigured(
                f"BATON_STATE {self.folder} is a copy of {origin}: both name {place} as the place of their data. "
                f"Dump and restore the database to copy it, or delete the file {note}."
            )
        return Path(place)

    @cached_property
    def sockets(self) -> Path:
        near = self.place / "sockets"
        if len(os.fsencode(near)) <= SOCKET_PATH - 4:
            return near
        return Path("/tmp", f"baton-{self.digest}")  # noqa: S108  `engines` makes sure that it is ours alone

    @property
    def digest(self) -> str:
        return hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:12]

    @property
    def logs(self) -> Path:
        return self._inner("logs")

    @property
    def pids(self) -> Path:
        return self._inner("pids")

    def _inner(self, name: str) -> Path:
        path = self.folder / name
        path.mkdir(exist_ok=True, mode=0o700)
        return path

    def keep_secret(self, name: str) -> str:
        """A random text, made at first sight and the same ever after, whoever else looks at the same moment. It gets
        its name when it is whole, so that nobody reads half of it and a kill leaves none."""
        path = self.folder / name
        if not path.exists():
            self._keep(name, secrets.token_urlsafe(50))
        return path.read_text().strip()

    def _keep(self, name: str, text: str) -> None:
        """Whoever else does the same at the same moment: the first one counts."""
        half = self.folder / f"{name}.{os.getpid()}.{secrets.token_hex(4)}"
        with open(half, "x", opener=private) as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(half, self.folder / name)
        half.unlink()

    def lock(self, name: str) -> IO[str]:
        """An open file to lock. Locks are of the kind that a forked child does not inherit."""
        return open(self.folder / name, "a+", opener=private)


def private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def locked(file: IO[str]) -> bool:
    """Takes the file for this process alone, unless another has it."""
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def folder(demo: bool = False) -> Path:
    return Path(env.text("BATON_STATE", str(CHECKOUT / "var" / ("demo" if demo else "run")))).expanduser().resolve()


def open_state() -> State:
    """The state folder that the environment names, created when it is missing."""
    path = folder()
    try:
        if not path.exists():
            path.mkdir(parents=True, exist_ok=True)  # another command may look first at the same moment
            # as root others may pass through, since PostgreSQL's account has to; what is secret is closed by itself
            path.chmod(0o711 if os.geteuid() == 0 else 0o700)
        probe = path / "logs"
        probe.mkdir(exist_ok=True, mode=0o700)
    except OSError as error:
        raise env.nonsense("BATON_STATE", f"names {path}, which cannot be used ({error.strerror})") from error
    if not os.access(probe, os.W_OK):
        raise env.nonsense("BATON_STATE", f"names {path}, which belongs to another user")
    return State(path)


def account_of(uid: int) -> pwd.struct_passwd:
    try:
        return pwd.getpwuid(uid)
    except KeyError as error:
        raise ImproperlyConfigured(
            f"User {uid} has no name on this machine, and PostgreSQL wants one: add it, or set DATABASE_URL."
        ) from error


def spare_account() -> pwd.struct_passwd:
    """The account that root lends to PostgreSQL."""
    name = env.text("BATON_ACCOUNT", "nobody")
    try:
        found = pwd.getpwnam(name)
    except KeyError as error:
        raise env.nonsense("BATON_ACCOUNT", f"names {name}, which is no account of this machine") from error
    if found.pw_uid == 0:
        raise env.nonsense("BATON_ACCOUNT", "must be another account than root")
    return found


def reaches(account: pwd.struct_passwd, path: Path) -> bool:
    """Whether an account may pass into a folder: asked of the kernel by a child that became that account."""
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(account.pw_gid)
            os.setuid(account.pw_uid)
            os._exit(0 if os.access(path, os.X_OK) else 1)
        finally:
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
