"""Stores spans in bulk, each exactly once, and tells which of them are new.

Rows go in by binary COPY. A repeat makes the COPY fail on the key; then the batch goes through a temporary table and
`on conflict do nothing`. After such a batch the next ones start with the temporary table, since repeats come together
(a sender that retries, an import that is run again) and a failed COPY leaves dead rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import psycopg
from django.db import transaction

from orchestration.telemetry.models import Span

EPOCH_US = 946_684_800_000_000  # PostgreSQL counts microseconds from 2000-01-01

# Column and the type its binary form is written as: a timestamptz is an int8 of microseconds, a jsonb is the byte 1
# and its text. Both are faster so than through datetime and a JSON wrapper.
COLUMNS: tuple[tuple[str, str], ...] = (
    ("workspace_id", "int8"),
    ("started_at", "int8"),
    ("trace_id", "bytea"),
    ("span_id", "bytea"),
    ("parent_id", "bytea"),
    ("ended_at", "int8"),
    ("application_id", "int4"),
    ("agent_id", "int4"),
    ("system_id", "int4"),
    ("kind", "int2"),
    ("outcome", "int2"),
    ("claimed", "bool"),
    ("name", "text"),
    ("subject", "text"),
    ("workflow", "text"),
    ("conversation", "text"),
    ("tokens_in", "int4"),
    ("tokens_out", "int4"),
    ("cost", "int8"),
    ("error", "text"),
    ("hints", "bytea"),
    ("attrs", "bytea"),
)
Row = tuple[Any, ...]
Key = tuple[int, bytes, bytes]  # started (PostgreSQL microseconds), trace id, span id

_NAMES = ", ".join(name for name, _ in COLUMNS)
_TABLE = Span._meta.db_table
_REPEAT_MEMORY = 8
_memory = {"repeats": 0}  # batches for which repeats are still expected


def key_of(row: Row) -> Key:
    return row[1], row[2], row[3]


def store(cursor: psycopg.Cursor[Any], rows: Sequence[Row]) -> list[Row]:
    """Write `rows` (each a tuple in the order of `COLUMNS`, keys distinct, sorted by key) and return the new ones."""
    if not rows:
        return []
    if not _memory["repeats"]:
        try:
            with transaction.atomic():
                copy_into(cursor, _TABLE, COLUMNS, rows)
            return list(rows)
        except psycopg.errors.UniqueViolation:
            _memory["repeats"] = _REPEAT_MEMORY
    new = _through_temporary(cursor, rows)
    _memory["repeats"] = max(0, _memory["repeats"] - 1) if len(new) == len(rows) else _REPEAT_MEMORY
    return new


def copy_into(
    cursor: psycopg.Cursor[Any], table: str, columns: Sequence[tuple[str, str]], rows: Iterable[Sequence[Any]]
) -> None:
    """Rows by binary COPY. `columns`: names, and the types whose binary form is that of the column."""
    names = ", ".join(name for name, _ in columns)
    with cursor.copy(f"copy {table} ({names}) from stdin (format binary)") as copy:
        copy.set_types([kind for _, kind in columns])
        write = copy.write_row
        for row in rows:
            write(row)


def _through_temporary(cursor: psycopg.Cursor[Any], rows: Sequence[Row]) -> list[Row]:
    cursor.execute(f"create temporary table if not exists span_in (like {_TABLE}) on commit delete rows")
    cursor.execute("truncate span_in")
    copy_into(cursor, "span_in", COLUMNS, rows)
    cursor.execute(
        f"insert into {_TABLE} ({_NAMES}) select {_NAMES} from span_in "
        "order by workspace_id, started_at, trace_id, span_id on conflict do nothing "
        "returning (extract(epoch from started_at) * 1000000)::bigint, trace_id, span_id"
    )
    new = {(started - EPOCH_US, bytes(trace), bytes(span)) for started, trace, span in cursor}
    return [row for row in rows if key_of(row) in new]
