"""Figures read over a stretch of time: whole hours from hour rows, the edges from minutes.

Hour rows lag behind the minutes they are made of until the next sweep (`TouchedHour`). Such hours are read by their
minutes, so that an answer is exact at any moment and still opens few rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection

from orchestration.lib.stats import COLUMNS, percentile_ms
from orchestration.telemetry.rollups import Table

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
HISTOGRAM = ", ".join(f"sum({column})" for column in COLUMNS)
Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Rows of one rollup between two times, as a table expression with its parameters."""

    sql: str
    params: tuple[Any, ...]


def to_minute(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(second=0, microsecond=0)


def to_hour(at: datetime) -> datetime:
    return to_minute(at).replace(minute=0)


def stretch(table: Table, workspace_id: int, since: datetime, until: datetime, columns: Iterable[str]) -> Stretch:
    """The rows from the minute of `since` on and before `until`, with `at` and the given columns."""
    names = ", ".join(["at", *columns])
    since = to_minute(since)
    first, last = to_hour(since + HOUR - MINUTE), to_hour(until)
    minutes = f"select {names} from {table.minute} where workspace_id = %s and at >= %s and at < %s"
    if last <= first:
        return Stretch(minutes, (workspace_id, since, until))
    touched = _touched(table, workspace_id, first, last)
    hours = f"select {names} from {table.hour} where workspace_id = %s and at >= %s and at < %s"
    params = [workspace_id, since, first, workspace_id, last, until, workspace_id, first, last]
    parts = [minutes, minutes, hours]
    if touched:
        parts[2] += " and at <> all(%s::timestamptz[])"
        params.append(touched)
        for hour in touched:
            parts.append(minutes)
            params += [workspace_id, hour, hour + HOUR]
    return Stretch(" union all ".join(parts), tuple(params))


def _touched(table: Table, workspace_id: int, first: datetime, last: datetime) -> list[datetime]:
    with connection.cursor() as cursor:
        cursor.execute(
            'select distinct at from telemetry_touchedhour where workspace_id = %s and "table" = %s '
            "and at >= %s and at < %s order by at",
            [workspace_id, table.name, first, last],
        )
        return [row[0] for row in cursor]


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
