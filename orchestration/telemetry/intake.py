"""What came in, by minute of receipt: booked by the digest with the rows themselves. Requests of all kinds are
counted; `accepted` and `digested` count spans."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from django.db import connection

from orchestration.telemetry.deliveries import Waiting
from orchestration.telemetry.models import Signal


def book(workspace_id: int, claimed: Iterable[Waiting], fresh: Mapping[datetime, int], now: datetime) -> None:
    """Add requests, accepted items and lag of `claimed`, and new rows by minute of receipt (`fresh`)."""
    rows: dict[datetime, list[int]] = {}
    for delivery in claimed:
        row = rows.setdefault(minute(delivery.received_at), [0, 0, 0])
        row[0] += 1
        row[1] += delivery.items if delivery.signal == Signal.TRACES else 0
        row[2] += max(0, round((now - delivery.received_at).total_seconds() * 1000))
    at = sorted(rows)
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into telemetry_intake as t (workspace_id, at, requests, accepted, digested, lag_ms) "
            "select %s, a, r, c, d, l from unnest(%s::timestamptz[], %s::int[], %s::int[], %s::int[], %s::bigint[]) "
            "as x(a, r, c, d, l) order by a on conflict (workspace_id, at) do update set "
            "requests = t.requests + excluded.requests, accepted = t.accepted + excluded.accepted, "
            "digested = t.digested + excluded.digested, lag_ms = t.lag_ms + excluded.lag_ms",
            [
                workspace_id,
                at,
                [rows[a][0] for a in at],
                [rows[a][1] for a in at],
                [fresh.get(a, 0) for a in at],
                [rows[a][2] for a in at],
            ],
        )


def refuse(workspace_id: int, reasons: Counter[str], now: datetime) -> None:
    """Count what was not taken, by reason."""
    names = sorted(reason for reason, n in reasons.items() if n)
    if not names:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into telemetry_refusal as t (workspace_id, at, reason, n) "
            "select %s, %s, r, n from unnest(%s::text[], %s::bigint[]) as x(r, n) order by r "
            "on conflict (workspace_id, at, reason) do update set n = t.n + excluded.n",
            [workspace_id, minute(now), names, [reasons[name] for name in names]],
        )


def minute(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(second=0, microsecond=0)
