"""What the doors count: for Prometheus in the process, and what was not taken by reason for the health page, which
gets it from the database. Nothing here holds telemetry, only numbers and our own words."""

from __future__ import annotations

from collections import Counter as Tally
from datetime import UTC, datetime

from prometheus_client import Counter, Gauge, Histogram

from orchestration.api.pool import Connection, Unavailable, doors

NOBODY = 0  # the workspace of a request whose key told none
KEPT = 10_000  # rows held back while the database is away

requests = Counter("baton_ingest_requests", "Requests by answer", ["signal", "status"])
accepted = Counter("baton_ingest_items", "Spans, log records, data points and events acknowledged", ["signal"])
rejected = Counter("baton_ingest_rejected", "Items of acknowledged requests that were not kept", ["signal", "reason"])
refused = Counter("baton_ingest_refused", "Requests that were not taken", ["signal", "reason"])
received = Counter("baton_ingest_bytes", "Bytes of bodies as received", ["signal"])
seconds = Histogram(
    "baton_ingest_seconds",
    "From the first byte of a request to its answer",
    ["signal"],
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
backlog = Gauge("baton_backlog_items", "Acknowledged and not yet digested")
backlog_seconds = Gauge("baton_backlog_seconds", "Age of the oldest request that is not yet digested")
ready = Gauge("baton_ready", "Whether a dependency answers", ["dependency"])

_UPSERT = (
    "insert into telemetry_refusal as t (workspace_id, at, reason, n) "
    "select w, a, r, n from unnest(%s::bigint[], %s::timestamptz[], %s::text[], %s::bigint[]) as x(w, a, r, n) "
    "order by 1, 2, 3 on conflict (workspace_id, at, reason) do update set n = t.n + excluded.n"
)
_waiting: Tally[tuple[int, datetime, str]] = Tally()


def show_backlog(items: int, oldest: datetime | None, now: datetime) -> None:
    backlog.set(items)
    backlog_seconds.set(max(0.0, (now - oldest).total_seconds()) if oldest else 0.0)


def refuse(workspace_id: int, reason: str, n: int = 1) -> None:
    """Remember for the health page that something was not taken."""
    key = workspace_id, datetime.now(UTC).replace(second=0, microsecond=0), reason
    if key in _waiting or len(_waiting) < KEPT:
        _waiting[key] += n


async def flush() -> None:
    """Write what was remembered. Should the database fail in between, it is kept for the next time: a count may then
    be written twice, which is better than never."""
    if not _waiting:
        return
    rows = dict(_waiting)
    columns = list(zip(*((w, at, reason, n) for (w, at, reason), n in rows.items()), strict=True))

    async def write(connection: Connection) -> None:
        await connection.execute(_UPSERT, [list(column) for column in columns])

    try:
        await doors.run(write)
    except Unavailable:
        return
    _waiting.subtract(rows)
    for key in [key for key, n in _waiting.items() if n <= 0]:
        del _waiting[key]
