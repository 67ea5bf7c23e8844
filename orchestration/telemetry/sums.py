"""Figures read over a stretch of time: whole days from day rows, the rest from hours, and its edges from minutes.

Hour and day rows lag behind the minutes they are made of until the next sweep (`TouchedHour`). Such hours are read by
their minutes, and their days by hours, so that an answer is exact at any moment and still opens few rows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection

from orchestration.lib.stats import COLUMNS, percentile_ms
from orchestration.telemetry.rollups import DAY, HOUR, Table, to_day

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
HISTOGRAM = ", ".join(f"sum({column})" for column in COLUMNS)
Row = tuple[Any, ...]
Between = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Rows of one rollup between two times, as a table expression with its parameters."""

    sql: str
    params: tuple[Any, ...]


def to_minute(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(second=0, microsecond=0)


def stretch(table: Table, workspace_id: int, since: datetime, until: datetime, columns: Iterable[str]) -> Stretch:
    """The rows from the minute of `since` on and before `until`, with `at` and the given columns."""
    names = ", ".join(["at", *columns])
    parts, params = [], []
    for rows, piece in pieces(table, workspace_id, (since, until)):
        parts.append(f"select {names} from {rows} where workspace_id = %s and at >= %s and at < %s")
        params += [workspace_id, *piece]
    return Stretch(" union all ".join(parts), tuple(params))


def pieces(table: Table, workspace_id: int, between: Between, *, days: bool = True) -> list[tuple[str, Between]]:
    """Which table is to be read from when until when; without `days` none by day."""
    between = to_minute(between[0]), between[1]
    touched = _touched(table, workspace_id, *between) if between[1] - between[0] >= HOUR else set()
    by_day, rest = _whole([between], DAY, {to_day(hour) for hour in touched}) if days else ([], [between])
    by_hour, rest = _whole(rest, HOUR, touched)
    found = [(table.day, piece) for piece in by_day] + [(table.hour, piece) for piece in by_hour]
    found += [(table.minute, piece) for piece in rest]
    return found or [(table.minute, between)]  # of an empty window: no row


def _whole(
    gaps: Iterable[Between], size: timedelta, stale: Collection[datetime]
) -> tuple[list[Between], list[Between]]:
    """Runs of whole hours or days that are not stale, and what is left of the gaps beside them."""
    whole: list[Between] = []
    rest: list[Between] = []
    for since, until in gaps:
        at, free = since + (EPOCH - since) % size, since
        while at + size <= until:
            begin = at
            while at + size <= until and at not in stale:
                at += size
            if at > begin:
                whole.append((begin, at))
                if begin > free:
                    rest.append((free, begin))
                free = at
            else:
                at += size
        if until > free:
            rest.append((free, until))
    return whole, rest


def _touched(table: Table, workspace_id: int, since: datetime, until: datetime) -> set[datetime]:
    with connection.cursor() as cursor:
        cursor.execute(
            'select distinct at from telemetry_touchedhour where workspace_id = %s and "table" = %s '
            "and at >= %s and at < %s",
            [workspace_id, table.name, since, until],
        )
        return {row[0] for row in cursor}


def grouped(
    rows: Stretch, keys: Sequence[str], values: str, where: str = "true", params: Sequence[Any] = ()
) -> list[Row]:
    """`values` (SQL sums) of the rows that fit, by `keys`. `where` and `values` are ours, never a user's text."""
    names = ", ".join(keys)
    by = f" group by {names}" if keys else ""
    lead = f"{names}, " if keys else ""
    with connection.cursor() as cursor:
        cursor.execute(
            f"select {lead}{values} from ({rows.sql}) as f where {where}{by}",
            [*rows.params, *params],
        )
        return list(cursor)


def part_of(since: datetime, until: datetime, points: int) -> tuple[str, list[Any]]:
    """SQL for the place (0 to points - 1) of a row's time in a small chart over the window, with its parameters."""
    width = (until - since) / points
    bounds = [since + place * width for place in range(1, points)]
    return "width_bucket(at, %s::timestamptz[])", [bounds]


def count(value: Any) -> int:
    """A sum as a count: absent is 0, and so is what corrections have left below it."""
    return max(0, int(value or 0))


def percentiles(counts: Sequence[int | None], *quantiles: float) -> list[float | None]:
    """Quantiles in milliseconds of summed buckets, None where there are none."""
    return [percentile_ms(counts, q) for q in quantiles]
