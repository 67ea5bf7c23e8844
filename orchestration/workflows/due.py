"""Which traces are to be settled now, which later, and which are done for the time being."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection

from orchestration.registry.resolve import side_cursor
from orchestration.telemetry.reading import raw_cursor
from orchestration.workflows.reading import Bounds

COLUMNS = (
    "trace_id, run_id, started_at, ended_at, received_at, spans, root_came, settled_spans, conversation, settled_at"
)
BOTH = 2  # halves of a workspace
GROWN_S = 5.0  # until a trace is settled that grew while it was read


@dataclass(frozen=True, slots=True)
class Due:
    """A trace row as read; times are Unix microseconds."""

    trace_id: bytes
    run_id: UUID | None
    started: int
    ended: int
    received: int
    spans: int
    root_came: bool
    settled_spans: int
    conversation: str | None
    settled: int | None

    @property
    def bounds(self) -> Bounds:
        return self.trace_id, self.started, self.ended


def workspaces_due(overdue_s: float = 0.0) -> list[int]:
    """Workspaces in which a trace is due, or has been for some seconds; in random order, that none be last."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select w.id from workspaces_workspace w where exists (select 1 from workflows_trace t "
            "where t.workspace_id = w.id and t.due_at <= now() - make_interval(secs => %s)) order by random()",
            [overdue_s],
        )
        return [row[0] for row in cursor]


def due(workspace_id: int, most_traces: int, most_spans: int, half: int = BOTH) -> list[Due]:
    """Traces whose time has come, oldest first, as many as fit; of one half of all, by the last bit of their ids, or of
    both. Nothing is locked: see `mark`."""
    mine = "" if half == BOTH else f"and get_byte(trace_id, length(trace_id) - 1) & 1 = {half} "
    with raw_cursor() as cursor:
        cursor.execute(
            f"select {COLUMNS} from workflows_trace where workspace_id = %s and due_at <= now() {mine}"
            "order by due_at limit %s",
            [workspace_id, most_traces],
        )
        found = [Due(*row) for row in cursor]
    total = 0
    for place, trace in enumerate(found):
        total += trace.spans
        if total > most_spans and place:
            return found[:place]
    return found


def put_off(workspace_id: int, traces: Iterable[Due], seconds: float) -> None:
    """Have these traces settled later. Committed at once, apart from the transaction that runs: who is killed while it
    settles them must not begin with them again."""
    with side_cursor() as cursor:
        cursor.execute(
            "update workflows_trace set due_at = now() + make_interval(secs => %s) "
            "where workspace_id = %s and trace_id = any(%s)",
            [seconds, workspace_id, [trace.trace_id for trace in traces]],
        )


def mark(workspace_id: int, counts: Mapping[bytes, tuple[UUID | None, int]], read: Sequence[Due]) -> None:
    """Note each trace's run and what was read of it. One that grew since `read` stays due, so no row had to be locked
    while its spans were read; one that was read along for another's sake keeps its own time."""
    before = {trace.trace_id: trace.spans for trace in read}
    ids = sorted(counts)
    with connection.cursor() as cursor:
        lock(cursor, workspace_id, ids)
        cursor.execute(
            "update workflows_trace t set run_id = coalesce(x.run, t.run_id), settled_spans = x.n, settled_at = now(), "
            "due_at = case when x.before < 0 or t.due_at is null then t.due_at when t.spans = x.before then null "
            f"else least(t.due_at, now() + interval '{GROWN_S} s') end "
            "from unnest(%s::bytea[], %s::uuid[], %s::int[], %s::int[]) as x(id, run, n, before) "
            "where t.workspace_id = %s and t.trace_id = x.id",
            [
                ids,
                [counts[i][0] for i in ids],
                [counts[i][1] for i in ids],
                [before.get(i, -1) for i in ids],
                workspace_id,
            ],
        )


def lock(cursor: Any, workspace_id: int, trace_ids: list[bytes]) -> None:
    """Lock trace rows in the order in which the digest locks them, so that the two never wait for each other."""
    cursor.execute(
        "select from workflows_trace where workspace_id = %s and trace_id = any(%s) order by trace_id for update",
        [workspace_id, trace_ids],
    )
