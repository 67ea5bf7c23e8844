"""Stored spans read back in bulk: narrow columns, times as Unix microseconds, days opened only where a trace lies."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson
import psycopg
from django.db import connection
from psycopg.abc import Buffer
from psycopg.adapt import Loader
from psycopg.pq import Format
from psycopg.types.json import set_json_loads
from psycopg.types.string import BytesBinaryDumper

from orchestration.telemetry.writer import EPOCH_US

COLUMNS = (
    "trace_id, span_id, parent_id, started_at, ended_at, name, kind, outcome, application_id, agent_id, system_id, "
    "subject, workflow, tokens_in, tokens_out, cost, error, conversation, hints, claimed"
)
DAY_US = 86_400_000_000
MOST_ROWS = 300_000  # of one answer: nobody's run, however long, may fill the memory


class _Micros(Loader):
    """A timestamptz as Unix microseconds: building a datetime for each would cost more than the rest of the row."""

    format = Format.BINARY

    def load(self, data: Buffer) -> int:
        return int.from_bytes(data, "big", signed=True) + EPOCH_US


def raw_cursor() -> psycopg.Cursor[Any]:
    """A binary cursor of psycopg's own on Django's connection, inside its transaction."""
    connection.ensure_connection()
    cursor: psycopg.Cursor[Any] = psycopg.Cursor(connection.connection)
    cursor.format = Format.BINARY
    cursor.adapters.register_loader("timestamptz", _Micros)
    cursor.adapters.register_dumper(bytes, BytesBinaryDumper)  # the one in C, not that of DBAPI's Binary
    set_json_loads(orjson.loads, context=cursor)
    return cursor


def spans_of(workspace_id: int, traces: Iterable[tuple[bytes, int, int]]) -> list[tuple[Any, ...]]:
    """Rows in the order of `COLUMNS` of the given traces, each as (trace id, least and greatest start, Unix
    microseconds), at most `MOST_ROWS`. Traces of the same days are read by one query, so that few partitions are opened
    for each."""
    groups: dict[tuple[int, int], list[tuple[bytes, int, int]]] = {}
    for trace in traces:
        groups.setdefault((trace[1] // DAY_US, trace[2] // DAY_US), []).append(trace)
    rows: list[tuple[Any, ...]] = []
    with raw_cursor() as cursor:
        for group in groups.values():
            cursor.execute(
                f"select {COLUMNS} from telemetry_span where workspace_id = %s "
                "and trace_id = any(%s) and started_at >= to_timestamp(%s / 1000000.0) "
                "and started_at <= to_timestamp(%s / 1000000.0) limit %s",
                [
                    workspace_id,
                    [t[0] for t in group],
                    min(t[1] for t in group) - 1,
                    max(t[2] for t in group) + 1,
                    MOST_ROWS - len(rows),
                ],
            )
            rows.extend(cursor.fetchall())
    return rows
