"""Trace rows: what the digest adds to them, and when they are to be settled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any
from uuid import UUID

from django.db import connection

# A trace is settled soon after it is first seen and after its root came; else when it has been quiet, or has grown
# by half since it was settled last: growth by a factor keeps the reading linear in the spans.
FIRST_S, ROOT_S, QUIET_S, APART_S, GROWTH = 0.3, 0.5, 5.0, 2.0, 1.5
NOTHING: Mapping[bytes, UUID | None] = MappingProxyType({})


@dataclass(slots=True)
class Seen:
    """New spans of one trace in a batch: their number, bounds (Unix microseconds), whether the root is among them, and
    the keys that tie the trace to others as (kind, key)."""

    started: int
    ended: int
    spans: int = 0
    root: bool = False
    conversation: str | None = None  # of the root
    keys: set[tuple[str, str]] = field(default_factory=set)


def note(
    workspace_id: int, seen: Mapping[bytes, Seen], received_at: datetime, told: Mapping[bytes, UUID | None] = NOTHING
) -> set[bytes]:
    """Add a batch's new spans to their traces; locks the rows in order of id until the transaction ends.

    `told` are traces whose run, if they are one, is written in the same transaction: they are settled, if they are new.
    Returns those of them that are not: they are due like any other.
    """
    if not seen:
        return set()
    ids = sorted(seen)
    rows = [seen[i] for i in ids]
    with connection.cursor() as cursor:
        cursor.execute(
            _NOTE,
            [
                workspace_id,
                received_at,
                ids,
                [r.started for r in rows],
                [r.ended for r in rows],
                [r.spans for r in rows],
                [r.root for r in rows],
                [r.conversation for r in rows],
                [i in told for i in ids],
                [told.get(i) for i in ids],
            ],
        )
        there = {bytes(row[0]) for row in cursor if row[0]} if told else set()
    keys = sorted((kind, key, trace) for trace, row in seen.items() for kind, key in row.keys)
    if keys:
        tie(workspace_id, keys)
    return there & told.keys()


def tie(workspace_id: int, keys: Iterable[tuple[str, str, bytes]]) -> None:
    """Store (kind, key, trace id) ties, in order, so that two writers never deadlock."""
    rows = sorted(set(keys))
    values: list[Any] = [workspace_id, [k for k, _, _ in rows], [k for _, k, _ in rows], [t for _, _, t in rows]]
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into workflows_tracekey (workspace_id, kind, key, trace_id) "
            "select %s, k, v, t from unnest(%s::text[], %s::text[], %s::bytea[]) as x(k, v, t) "
            "order by k, v, t on conflict do nothing",
            values,
        )


_DUE = f"now() + case when {{}} then interval '{ROOT_S} s' else interval '{FIRST_S} s' end"
_NOTE = f"""
insert into workflows_trace as t
    (workspace_id, trace_id, started_at, ended_at, received_at, spans, root_came, conversation, due_at, settled_spans,
    settled_at, run_id)
select %s, i, to_timestamp(s / 1000000.0), to_timestamp(e / 1000000.0), r, n, c, v,
    case when not told then {_DUE.format("c")} end, case when told then n else 0 end, case when told then now() end, run
from (select %s::timestamptz as r) as stamp,
    unnest(%s::bytea[], %s::bigint[], %s::bigint[], %s::int[], %s::bool[], %s::text[], %s::bool[], %s::uuid[])
        as x(i, s, e, n, c, v, told, run)
order by i
on conflict (workspace_id, trace_id) do update set
    started_at = least(t.started_at, excluded.started_at),
    ended_at = greatest(t.ended_at, excluded.ended_at),
    received_at = greatest(t.received_at, excluded.received_at),
    spans = t.spans + excluded.spans,
    root_came = t.root_came or excluded.root_came,
    conversation = coalesce(excluded.conversation, t.conversation),
    due_at = case
        when t.due_at <= now() then t.due_at
        when t.settled_at is null then least(t.due_at, {_DUE.format("excluded.root_came")})
        when excluded.root_came then now() + interval '{ROOT_S} s'
        when t.spans + excluded.spans >= {GROWTH} * t.settled_spans
            then greatest(now(), t.settled_at + interval '{APART_S} s')
        else now() + interval '{QUIET_S} s'
    end
returning case when xmax <> 0 then trace_id end
"""
