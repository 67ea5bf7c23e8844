"""A PostgreSQL and a Valkey that are not Baton's own: on TCP ports, with passwords, started and killed by hand."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import quote

import psycopg
import redis

from orchestration.config import postgres, valkey
from orchestration.config.processes import die_with_parent, owned_by
from orchestration.config.state import spare_account
from tests.config.running import free_port
from tests.waiting import came_true

PASSWORD = "an/odd:p@ss word"


@dataclass
class Server:
    """One process that may be killed without warning and started again as it was."""

    folder: Path
    url: str
    command: list[str]
    check: Callable[[], object]
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        log = self.folder.with_suffix(".log")
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                self.command,
                cwd=self.folder,
                stdout=out,
                stderr=out,
                env=postgres.clean_environment(),
                preexec_fn=partial(die_with_parent, os.getpid(), signal.SIGKILL),  # noqa: PLW1509
                **owned_by(account()),
            )
        assert came_true(self.answers), log.read_text()

    def answers(self) -> bool:
        try:
            self.check()
        except (psycopg.OperationalError, redis.RedisError):
            return False
        return True

    def kill(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()
            assert came_true(lambda: not postgres.serving(self.folder))  # what PostgreSQL's processes still had to do


def a_postgresql(folder: Path) -> Server:
    """With an empty database, and a role that owns it and may do nothing else."""
    programs, port = other_postgresql(), free_port()
    initialise(programs, folder)
    options = {"port": str(port), "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off"}
    settings = [part for option in options.items() for part in ("-c", "=".join(option))]
    url = f"postgresql://baton:{quote(PASSWORD, safe='')}@127.0.0.1:{port}/baton"

    def connect() -> psycopg.Connection:
        return psycopg.connect(
            host="127.0.0.1", port=port, user="postgres", password=PASSWORD, dbname="postgres", autocommit=True
        )

    server = Server(folder, url, [str(programs / "postgres"), "-D", str(folder), *settings], lambda: connect().close())
    server.start()
    with connect() as connection:
        connection.execute(f"create role baton login password '{PASSWORD}'")
        connection.execute("create database baton owner baton")
    return server


def initialise(programs: Path, folder: Path) -> None:
    secret = folder.with_suffix(".password")
    secret.write_text(PASSWORD)
    if lent := account():
        for path in (folder, secret):
            os.chown(path, lent.pw_uid, lent.pw_gid)
    command = [
        str(programs / "initdb"),
        "-D",
        str(folder),
        "-U",
        "postgres",
        "-A",
        "scram-sha-256",
        f"--pwfile={secret}",
        "-N",
    ]
    surroundings = postgres.clean_environment()
    subprocess.run(command, cwd=folder, check=True, capture_output=True, env=surroundings, **owned_by(account()))


def a_valkey(folder: Path) -> Server:
    port = free_port()
    url = f"redis://:{quote(PASSWORD, safe='')}@127.0.0.1:{port}/3"
    options = {"--port": str(port), "--bind": "127.0.0.1", "--requirepass": PASSWORD, "--save": ""}
    command = [str(valkey.find()), *(part for option in options.items() for part in option)]
    server = Server(folder, url, command, lambda: redis.Redis.from_url(url).ping())
    server.start()
    return server


def other_postgresql() -> Path:
    """The programs of the oldest PostgreSQL on this machine that will do; where there is none, those of the wheel."""
    found = [program for pattern in postgres.MACHINE for program in Path("/").glob(pattern[1:])]
    fit = [program for program in found if postgres.major_of(program) >= postgres.OLDEST]
    return min(fit, key=postgres.major_of).parent if fit else postgres.find().folder


def account() -> pwd.struct_passwd | None:
    """Who they run as, if not as ourselves: PostgreSQL does not run as root."""
    return spare_account() if os.geteuid() == 0 else None
