"""Baton's tables, made once for all processes that share the suite: each begins with a copy of PostgreSQL's folder.

`python -m tests.prepared FOLDER` makes them, while those processes are still importing and collecting. It holds a lock
that it was born with until it ends, so that whoever wants a copy waits on the lock.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import django
import psycopg
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from psycopg import sql
from psycopg.conninfo import make_conninfo

from orchestration.config import engines, env
from orchestration.config.grants import LEDGER
from orchestration.config.postgres import Postgres
from orchestration.config.processes import die_with_parent
from orchestration.config.state import State

WHERE = "PREPARED_TABLES"
OWNER = "baton"


def begin(folder: Path) -> None:
    """By the process that starts those that share the suite, which inherit where to look."""
    if env.secret("DATABASE_URL"):
        return
    folder.mkdir()
    folder.chmod(0o711)
    os.environ[WHERE] = str(folder)
    with (folder / "lock").open("w") as lock, (folder / "log").open("w") as log:
        fcntl.flock(lock, fcntl.LOCK_EX)
        maker = subprocess.Popen(
            [sys.executable, "-m", __name__, str(folder)],
            cwd=Path(__file__).parents[1],
            env=os.environ
            | {"BATON_STATE": str(folder / "state"), "DJANGO_SETTINGS_MODULE": "orchestration.config.settings"},
            stdout=log,
            stderr=log,
            pass_fds=[lock.fileno()],
            preexec_fn=partial(die_with_parent, os.getpid(), signal.SIGKILL),  # noqa: PLW1509
        )
    atexit.register(maker.kill)  # nobody may have asked for them


def lay(state: State) -> bool:
    """A copy, where the first start on that folder would make the tables; false if nobody makes any for us."""
    if not (found := os.environ.get(WHERE)):
        return False
    with Path(found, "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
    assert Path(found, "made").exists(), Path(found, "log").read_text()
    source, target = Postgres(State(Path(found, "state"))).data, Postgres(state).data
    subprocess.run(["cp", "-a", str(source), str(target)], check=True)  # with the owner that it has
    return True


def take_as_database_of_tests(state: State) -> None:
    """What Django would make for them and migrate: a database that is Baton's role's with all that is in it."""
    engine, creation = Postgres(state), connection.creation
    name = str(creation._get_test_db_name())  # type: ignore[attr-defined]
    with psycopg.connect(make_conninfo(**engine.dsn("postgres", "postgres")), autocommit=True) as server:
        made = sql.SQL("create database {} template {} owner {}")
        server.execute(made.format(*map(sql.Identifier, (name, engine.dsn()["dbname"], OWNER))))
    with psycopg.connect(make_conninfo(**engine.dsn(name, "postgres"))) as database:
        database.execute(sql.SQL("reassign owned by {} to {}").format(*map(sql.Identifier, (LEDGER, OWNER))))

    def take(*_: object, **__: object) -> str:
        connection.close()
        connection.settings_dict["NAME"] = settings.DATABASES[connection.alias]["NAME"] = name
        return name

    creation.create_test_db = take  # type: ignore[method-assign]


def make(folder: Path) -> None:
    with engines.attached(settings.STATE, durable=False, lasting=False, migrating=True):
        django.setup()
        call_command("migrate", verbosity=0)
    (folder / "made").touch()


if __name__ == "__main__":
    make(Path(sys.argv[1]))
