"""How Baton itself is doing with a workspace's data: taken, stored, refused and why, waiting, kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from orchestration.control import storage
from orchestration.control.storage import StorageLine
from orchestration.lib.window import POINTS
from orchestration.telemetry import sums
from orchestration.telemetry.models import Signal
from orchestration.workflows.models import Run


@dataclass(frozen=True, slots=True)
class SpanFlow:
    """Spans by receipt: acknowledged (repeats included), stored as new rows, acknowledged and not yet digested."""

    accepted: int
    digested: int
    backlog: int
    lag_ms: float | None  # mean, receipt to digested, of the requests digested in the window


@dataclass(frozen=True, slots=True)
class RefusalLine:
    reason: str
    n: int
    last_at: datetime


@dataclass(frozen=True, slots=True)
class PoisonedLine:
    """A delivery that could not be digested: its facts, never its content."""

    id: UUID
    received_at: datetime
    poisoned_at: datetime
    signal: str  # traces | logs | events
    encoding: str
    items: int
    size: int  # bytes as stored
    attempts: int
    fault: str


@dataclass(frozen=True, slots=True)
class Health:
    flow: SpanFlow
    oldest_waiting_s: float | None
    refused: int
    refusals: list[RefusalLine]  # most first
    turned_away: list[RefusalLine]  # with no usable key, or where agents ask: of the whole installation
    poisoned: list[PoisonedLine]
    storage: list[StorageLine]
    accepted: list[int]  # 24 points over the window
    digested: list[int]
    late_runs: int  # runs that got spans after they had ended


NOBODY = 0  # the workspace of requests whose key told none


def health(workspace_id: int, window: timedelta, now: datetime) -> Health:
    """Figures of the health page."""
    since = sums.to_minute(now - window)
    refused = refusals(workspace_id, since)
    accepted, digested = _points(workspace_id, since, now)
    return Health(
        flow=flow(workspace_id, window, now),
        oldest_waiting_s=oldest_waiting(workspace_id, now),
        refused=sum(line.n for line in refused),
        refusals=refused,
        turned_away=refusals(NOBODY, since),
        poisoned=_poisoned(workspace_id),
        storage=storage.lines(workspace_id),
        accepted=accepted,
        digested=digested,
        late_runs=Run.objects.filter(workspace_id=workspace_id, late=True, started_at__gte=since).count(),
    )


def flow(workspace_id: int, window: timedelta, now: datetime) -> SpanFlow:
    """The same counts as the overview has. What is poisoned was acknowledged, and waits for nothing any more."""
    since = sums.to_minute(now - window)
    requests, booked, digested, lag_ms = _one(
        "select sum(requests), sum(accepted), sum(digested), sum(lag_ms) from telemetry_intake "
        "where workspace_id = %s and at >= %s and at < %s",
        [workspace_id, since, now],
    )
    waiting, kept = _one(
        "select sum(items) filter (where poisoned_at is null), sum(items) filter (where received_at >= %s) "
        "from telemetry_delivery where workspace_id = %s and signal = %s",
        [since, workspace_id, Signal.TRACES],
    )
    return SpanFlow(
        accepted=sums.count(booked) + sums.count(kept),
        digested=sums.count(digested),
        backlog=sums.count(waiting),
        lag_ms=float(lag_ms) / float(requests) if requests else None,
    )


def _one(sql: str, params: Sequence[Any]) -> tuple[Any, ...]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        row: tuple[Any, ...] = cursor.fetchone()
        return row


def oldest_waiting(workspace_id: int, now: datetime) -> float | None:
    (oldest,) = _one(
        "select min(received_at) from telemetry_delivery where workspace_id = %s and poisoned_at is null",
        [workspace_id],
    )
    return max(0.0, (now - oldest).total_seconds()) if oldest else None


def refusals(workspace_id: int, since: datetime) -> list[RefusalLine]:
    """What was not taken since then, by reason, most first."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select reason, sum(n), max(at) from telemetry_refusal where workspace_id = %s and at >= %s "
            "group by reason order by 2 desc, 1",
            [workspace_id, since],
        )
        return [RefusalLine(reason, int(n), at) for reason, n, at in cursor]


def _poisoned(workspace_id: int) -> list[PoisonedLine]:
    with connection.cursor() as cursor:
        cursor.execute(
            "select id, received_at, poisoned_at, signal, encoding, items, octet_length(body), attempts, fault "
            "from telemetry_delivery where workspace_id = %s and poisoned_at is not null "
            "order by poisoned_at desc, id limit 100",
            [workspace_id],
        )
        return [
            PoisonedLine(row[0], row[1], row[2], Signal(row[3]).name.lower(), row[4], row[5], row[6], row[7], row[8])
            for row in cursor
        ]


def _points(workspace_id: int, since: datetime, now: datetime) -> tuple[list[int], list[int]]:
    part, params = sums.part_of(since, now, POINTS)
    with connection.cursor() as cursor:
        cursor.execute(
            f"select {part} as part, sum(accepted), sum(digested) from telemetry_intake "
            "where workspace_id = %s and at >= %s and at < %s group by 1",
            [*params, workspace_id, since, now],
        )
        found = {row[0]: row for row in cursor}
    rows = [found.get(place, (place, 0, 0)) for place in range(POINTS)]
    return [int(row[1]) for row in rows], [int(row[2]) for row in rows]
