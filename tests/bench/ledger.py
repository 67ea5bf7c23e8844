"""History is tamper-evident (P11): Baton's own role changes nothing, whatever is changed is found, and in what time."""

from __future__ import annotations

import subprocess
import sys
import time

import psycopg
from psycopg.rows import TupleRow

from orchestration.config import grants
from orchestration.config.postgres import Postgres
from tests.bench.report import Report
from tests.bench.stand import CHECKOUT, Stand
from tests.ledger.attacks import AS_BATON, AS_OWNER

TABLES = ("ledger_entry", "ledger_link", "ledger_block", "ledger_checkpoint")
VERIFY_S = 30.0
# Entries as decisions leave them, made where the ledger's key is.
RECORD = """
import sys
from datetime import UTC, datetime
from django.db import connection
from orchestration.ledger import chain, checkpoints, entries
from orchestration.workspaces.models import Workspace
space = Workspace.objects.get(slug="default").pk
def drafts(numbers):
    told = {"effect": "allow", "action": "refund", "amount": "620.00", "system": "payments", "facts": "0" * 64,
            "matches": {"allow": ["refund-limit@7"], "hold": []}, "answer": "1" * 64}
    for n in numbers:
        yield entries.draft(space, "decision", ("decision", str(n)), "agent:refund-bot", told, datetime.now(UTC)).values
def record(numbers):
    with connection.cursor() as cursor:
        with cursor.copy(f"copy ledger_entry ({', '.join(entries.COLUMNS)}) from stdin") as copy:
            for values in drafts(numbers):
                copy.write_row(values)
    while chain.link():
        pass
first, n = int(sys.stdin.readline()), int(sys.stdin.readline())
record(range(first, first + n))
checkpoints.sign()
"""


def measure(stand: Stand, report: Report, n: int) -> None:
    """`n`: how many entries are verified in the end."""
    _record(stand, 0, 5)
    _record(stand, 5, 3)
    through = [name for name, statement in AS_BATON.items() if not _refused(stand, statement)]
    report.none(f"attacks let through, of {len(AS_BATON)} by Baton's own role", len(through), ", ".join(through))
    missed = [name for name in AS_OWNER if not _found(stand, name)]
    report.none(f"changes not found, of {len(AS_OWNER)} with all rights", len(missed), ", ".join(missed))
    _record(stand, 8, n - 8)
    took, checked = _verify(stand)
    report.most(f"verify {n:,} entries", took, VERIFY_S, "s", firm=True)
    report.none(
        "faults in what nobody changed",
        int(checked.returncode != 0),
        checked.stderr[-200:] if checked.returncode else "",
    )


def _connect(stand: Stand, user: str) -> psycopg.Connection[TupleRow]:
    dsn = Postgres(stand.state).dsn(user=user)
    return psycopg.connect(**dsn, options=grants.OPTIONS, autocommit=True)  # type: ignore[arg-type]


def _record(stand: Stand, first: int, n: int) -> None:
    command = [sys.executable, "manage.py", "shell", "-v", "0", "-c", RECORD]
    subprocess.run(command, cwd=CHECKOUT, env=stand.environment, input=f"{first}\n{n}\n", text=True, check=True)


def _refused(stand: Stand, statement: str) -> bool:
    with _connect(stand, "baton") as connection:
        try:
            connection.execute(statement)
        except psycopg.Error:
            return True
    return False


def _found(stand: Stand, attack: str) -> bool:
    """Whether `verify_ledger` finds it; all is as before afterwards."""
    outside = stand.folder / "checkpoints"
    files = set(outside.iterdir())
    with _connect(stand, "postgres") as connection:
        connection.execute("set session_replication_role = replica")  # no trigger stops who has all rights
        connection.execute("alter table ledger_link drop constraint if exists ledger_link_entry_id_key")
        for table in TABLES:
            connection.execute(f"create table kept_{table} as table {table}")
        AS_OWNER[attack](connection.cursor())
        _, checked = _verify(stand)
        with connection.transaction():
            for table in TABLES:
                connection.execute(f"delete from {table}")
                connection.execute(f"insert into {table} select * from kept_{table}")
                connection.execute(f"drop table kept_{table}")
    for file in set(outside.iterdir()) - files:
        file.unlink()
    return checked.returncode == 1 and "The ledger is not what was recorded" in checked.stderr


def _verify(stand: Stand) -> tuple[float, subprocess.CompletedProcess[str]]:
    begun = time.monotonic()
    command = [sys.executable, "manage.py", "verify_ledger"]
    checked = subprocess.run(command, cwd=CHECKOUT, env=stand.environment, capture_output=True, text=True, check=False)
    return time.monotonic() - begun, checked
