"""The rows of declared runs, read and written by few statements of our own: the engine does it for every step of every
run, and what an ORM does around a statement costs several times what the database does."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
import psycopg
from django.db import connection, models
from psycopg.pq import Format
from psycopg.types.json import set_json_loads
from psycopg.types.string import BytesBinaryDumper

from orchestration.ledger import entries
from orchestration.ledger.entries import Draft
from orchestration.workflows import reporting
from orchestration.workflows.declared_models import DeclaredRun, Effect, Task


def _names(model: type[models.Model]) -> list[str]:
    """Columns in the order in which the model takes them."""
    return [field.attname for field in model._meta.concrete_fields if field.column]


RUN, TASK, EFFECT = _names(DeclaredRun), _names(Task), _names(Effect)
CHANGING = ("state", "retries_left", "effects", "error", "ended_at", "undo_by", "undo_reason")  # of a run
_NEVER = ("workspace_id", "id", "run_id", "workflow", "step", "undoes", "owner_kind", "owner", "key_id")
_TASK = [name for name in TASK if name not in (*_NEVER, "lease_s", "time_limit_s")]
_EFFECT = ("state", "error", "asked_at", "ended_at")

_LOCK = f"""
select {", ".join(RUN)} from workflows_declaredrun where workspace_id = %(place)s and id = %(run)s for update
"""
_ITS = "(select run_id from workflows_task where workspace_id = %(place)s and id = %(task)s)"
# Whoever leases locks no run: what may be leased or is in work is locked, the others change under the run's lock alone.
_TASKS = f"""
with moving as materialized (
    select {", ".join(TASK)} from workflows_task where workspace_id = %(place)s and run_id = %(run)s
    and state in ('ready', 'leased', 'asked', 'called') order by id for update
)
select * from moving union all
select {", ".join(TASK)} from workflows_task where workspace_id = %(place)s and run_id = %(run)s
and state not in ('ready', 'leased', 'asked', 'called')
"""


def _made(table: str, values: str) -> str:
    return f"insert into {table} select x.* from jsonb_populate_recordset(null::{table}, %({values})s::jsonb) x"


def _changed(table: str, names: Sequence[str], values: str) -> str:
    taken = ", ".join(f"{name} = x.{name}" for name in names)
    return (
        f"update {table} t set {taken} from jsonb_populate_recordset(null::{table}, %({values})s::jsonb) x "
        "where t.workspace_id = %(place)s and t.id = x.id"
    )


_WRITE = f"""
with new_run as ({_made("workflows_declaredrun", "new_runs")}),
new_task as ({_made("workflows_task", "new_tasks")}),
new_effect as ({_made("workflows_effect", "new_effects")}),
run as ({_changed("workflows_declaredrun", CHANGING, "runs")}),
task as ({_changed("workflows_task", _TASK, "tasks")}),
effect as ({_changed("workflows_effect", _EFFECT, "effects")}),
entry as ({_made("ledger_entry", "entries")})
{reporting.DELIVER}
"""
_ONCE = (
    "set plan_cache_mode = force_generic_plan; set jit = off; "
    "set enable_seqscan = off; set enable_hashjoin = off; set enable_mergejoin = off"
)
_here = threading.local()


def execute(statement: str, values: Mapping[str, Any] | Sequence[Any]) -> psycopg.Cursor[Any]:
    """On Django's connection, in its transaction. The cursor is the same each time: read it before the next one."""
    connection.ensure_connection()
    cursor: psycopg.Cursor[Any] | None = getattr(_here, "cursor", None)
    if cursor is None or cursor.connection is not connection.connection or cursor.closed:
        cursor = _here.cursor = psycopg.Cursor(connection.connection)
        cursor.format = Format.BINARY
        cursor.adapters.register_dumper(bytes, BytesBinaryDumper)
        set_json_loads(orjson.loads, context=cursor)
    with connection.wrap_database_errors:
        return cursor.execute(statement, values)


def prepare_here() -> None:
    """For a thread that does nothing else on its connection, before each work: statements are planned once, and for any
    workspace. Of a new one, and of small tables, the planner's figures say that all of it may as well be read."""
    raw = connection.connection
    if raw is None or raw is not getattr(_here, "prepared", None):
        connection.ensure_connection()
        _here.prepared = connection.connection
        with connection.cursor() as cursor:
            cursor.execute(_ONCE)
        connection.connection.prepare_threshold = 0


def lock(place: int, *, run: Any = None, task: Any = None, wait: bool = True) -> DeclaredRun | None:
    """The run of that id, or of that task."""
    statement = _LOCK if run else _LOCK.replace("%(run)s", _ITS)
    row = execute(statement if wait else f"{statement} skip locked", {"place": place, "run": run, "task": task})
    found = row.fetchone()
    return DeclaredRun.from_db("default", RUN, found) if found else None


def tasks_of(run: DeclaredRun) -> list[Task]:
    """Locked, as far as somebody else could change them."""
    rows = execute(_TASKS, {"place": run.workspace_id, "run": run.id})
    return sorted((Task.from_db("default", TASK, row) for row in rows), key=lambda task: task.id)


@dataclass(slots=True)
class Changes:
    """What a move changes, tells, and leaves in the ledger: written at once."""

    runs: Sequence[DeclaredRun] = ()
    tasks: Iterable[Task] = ()
    effects: Iterable[Effect] = ()
    new_runs: Sequence[DeclaredRun] = ()
    new_tasks: Iterable[Task] = ()
    new_effects: Iterable[Effect] = ()
    events: Sequence[Mapping[str, Any]] = ()
    entries: Iterable[Draft] = field(default_factory=list)

    def write(self, place: int, at: datetime) -> None:
        values = {"runs": _rows(self.runs, ("id", *CHANGING))}
        values |= {"tasks": _rows(self.tasks, ("id", *_TASK)), "effects": _rows(self.effects, ("id", *_EFFECT))}
        values |= {"new_runs": _rows(self.new_runs, RUN), "new_tasks": _rows(self.new_tasks, TASK)}
        values |= {"new_effects": _rows(self.new_effects, EFFECT)}
        values |= {"entries": orjson.dumps([entries.row(each) for each in self.entries]).decode()}
        execute(_WRITE, values | reporting.parcel(place, self.events, at))
        if self.events:
            reporting.hasten()


def _rows(rows: Iterable[Any], names: Sequence[str]) -> str:
    """As `jsonb_populate_recordset` takes them."""
    return orjson.dumps([{name: getattr(row, name) for name in names} for row in rows]).decode()
