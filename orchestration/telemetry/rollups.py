"""Figures: additive rows by minute, by hour and by day, with histograms that merge by adding.

Pages read these and never count spans. A row is changed only by adding (or taking away) what newly stored rows or a
newly settled run contribute, in the transaction that stores them, so that a replay changes nothing.

An hour is recomputed from its minutes, as long as it has them. Minutes are kept a day longer than spans; what changes
an older hour all the same (a run told anew) is added to the hour's own row, and to the day's (`closed_before`).
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection, transaction

from orchestration.lib.stats import COLUMNS, bucket
from orchestration.telemetry.adding import FULL, Target, add
from orchestration.workspaces.models import Workspace

MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
UNKNOWN_DAYS = 36_500  # of a workspace that is gone, for which nothing is deleted
HOUR_LOCK = 0x6261_746F  # advisory lock: one sweep of hours at a time
HOURS_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class Table:
    """Three rollup tables: rows by minute, the same by hour, and by day. `keys` follow (workspace_id, at)."""

    name: str
    minute: str
    hour: str
    day: str
    keys: tuple[tuple[str, str], ...]
    sums: tuple[tuple[str, str], ...]


SPANS = Table(
    "span",
    "telemetry_spanminute",
    "telemetry_spanhour",
    "telemetry_spanday",
    (("application_id", "int"), ("agent_id", "int"), ("system_id", "int"), ("kind", "smallint")),
    (
        ("n", "int"),
        ("errors", "int"),
        ("tokens_in", "bigint"),
        ("tokens_out", "bigint"),
        ("cost", "bigint"),
        ("ms", "bigint"),
    ),
)

Key = tuple[int, ...]  # minute as Unix microseconds, then the table's keys
# One contribution: key, sums in the table's order, histogram column (-1: none) and what is added to it.
Observation = tuple[Key, tuple[int, ...], int, int]


class Tally:
    """Contributions to one table, added up by key: sums, and counts of the buckets that occur."""

    __slots__ = ("rows", "table", "width")

    def __init__(self, table: Table) -> None:
        self.table = table
        self.width = len(table.sums)
        self.rows: dict[Key, tuple[list[int], dict[int, int]]] = {}

    def absorb(self, observations: Iterable[Observation], sign: int = 1) -> None:
        """Add observations, or take them away (`sign` -1)."""
        rows, width = self.rows, self.width
        for key, sums, column, n in observations:
            found = rows.get(key)
            if found is None:
                found = rows[key] = ([0] * width, {})
            total, counts = found
            for i, value in enumerate(sums):
                if value:
                    total[i] += sign * value
            if column >= 0:
                counts[column] = counts.get(column, 0) + sign * n

    def add(self, other: Tally) -> None:
        """All of another tally of the same table, which is not to be used any more."""
        for key, found in other.rows.items():
            known = self.rows.setdefault(key, found)
            if known is not found:
                for i, value in enumerate(found[0]):
                    known[0][i] += value
                for column, n in found[1].items():
                    known[1][column] = known[1].get(column, 0) + n

    def observations(self) -> list[Observation]:
        """The same as few observations as can say it."""
        return [said for key, found in sorted(self.rows.items()) for said in observations_of(key, *found)]


def observations_of(key: Key, sums: Sequence[int], counts: Mapping[int, int]) -> list[Observation]:
    """One row of a tally as observations."""
    said: list[Observation] = [(key, tuple(sums), -1, 0)] if any(sums) else []
    nothing = (0,) * len(sums)
    said.extend((key, nothing, column, n) for column, n in sorted(counts.items()) if n)
    return said


def observation(key: Key, sums: tuple[int, ...], duration_us: int | None, sign: int = 1) -> Observation:
    """One thing observed: its sums, and its duration for the histogram (None: no duration, as while open)."""
    if sign < 0:
        sums = tuple(-value for value in sums)
    return (key, sums, -1, 0) if duration_us is None else (key, sums, bucket(duration_us), sign)


def closed_before(span_days: int, now: datetime) -> datetime:
    """The first hour that is still made of its minutes. They are deleted two hours later, so that whoever reads them
    at the turn of an hour finds all of them."""
    return (now - timedelta(days=span_days + 1)).replace(minute=0, second=0, microsecond=0)


def book(workspace_id: int, tally: Tally) -> None:
    """Add a tally to its minutes and note the touched hours. Rows are sorted, so that two bookings never deadlock."""
    recent, closed = _parted(workspace_id, tally)
    for found, into in ((recent, tally.table.minute), (closed, tally.table.hour), (_by_day(closed), tally.table.day)):
        add(workspace_id, found.rows, Target(into, tally.table.keys, tally.table.sums))
    hours = {key[0] // HOUR_US * 3600 for key, (sums, counts) in recent.rows.items() if any(sums) or counts}
    if hours:
        with connection.cursor() as cursor:
            cursor.execute(
                'insert into telemetry_touchedhour (workspace_id, "table", at) '
                "select %s, %s, to_timestamp(h) from unnest(%s::bigint[]) h",
                [workspace_id, tally.table.name, sorted(hours)],
            )


def _parted(workspace_id: int, tally: Tally) -> tuple[Tally, Tally]:
    """What goes to minutes, and by hour what goes to hours that are closed: hardly ever anything."""
    closed = Tally(tally.table)
    now = datetime.now(UTC)
    oldest = min((key[0] for key in tally.rows), default=None)
    if oldest is None or oldest >= closed_before(0, now).timestamp() * 1_000_000:
        return tally, closed
    first = int(closed_before(_span_days(workspace_id), now).timestamp()) * 1_000_000
    if oldest >= first:
        return tally, closed
    recent = Tally(tally.table)
    for key, found in tally.rows.items():
        if key[0] >= first:
            recent.rows[key] = found
        else:
            hour = (key[0] // HOUR_US * HOUR_US, *key[1:])
            closed.absorb(observations_of(hour, *found))
    return recent, closed


def _by_day(hours: Tally) -> Tally:
    days = Tally(hours.table)
    for key, found in hours.rows.items():
        days.absorb(observations_of((key[0] // DAY_US * DAY_US, *key[1:]), *found))
    return days


def _span_days(workspace_id: int) -> int:
    found = Workspace.objects.filter(pk=workspace_id).values_list("span_days", flat=True).first()
    return UNKNOWN_DAYS if found is None else found


def roll_hours(tables: Mapping[str, Table], seconds: float = 20.0) -> int:
    """Recompute touched hours from their minutes, and then their days from hours, for at most `seconds`; returns how
    many hours. In slices, so that after an import of many days nothing is begun that no task could end. Safe when two
    run: the second finds the lock."""
    until = time.monotonic() + seconds
    total = 0
    while done := _roll_some(tables):
        total += done
        if time.monotonic() >= until:
            break
    return total


def _roll_some(tables: Mapping[str, Table]) -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("select pg_try_advisory_xact_lock(%s)", [HOUR_LOCK])
        if not cursor.fetchone()[0]:
            return 0
        cursor.execute(
            'delete from telemetry_touchedhour where (workspace_id, "table", at) in (select distinct workspace_id, '
            '"table", at from telemetry_touchedhour limit %s) returning workspace_id, "table", at',
            [HOURS_AT_ONCE],
        )
        hours = sorted(set(cursor.fetchall()))
        days = dict(Workspace.objects.values_list("pk", "span_days"))
        now = datetime.now(UTC)
        for workspace_id, name, at in hours:
            if at >= closed_before(days.get(workspace_id, UNKNOWN_DAYS), now) - HOUR:
                _roll(cursor, tables[name], (tables[name].minute, tables[name].hour), workspace_id, (at, at + HOUR))
        for workspace_id, name, at in sorted({(*of, to_day(at)) for *of, at in hours}):
            _roll(cursor, tables[name], (tables[name].hour, tables[name].day), workspace_id, (at, at + DAY))
    return len(hours)


def to_day(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _roll(
    cursor: Any, table: Table, levels: tuple[str, str], workspace_id: int, between: tuple[datetime, datetime]
) -> None:
    """Make the rows of one hour or day anew, of those of the next finer level."""
    fine, coarse = levels
    since, until = between
    keys = ", ".join(name for name, _ in table.keys)
    names = [*(name for name, _ in table.sums), *COLUMNS]
    values = [f"least({FULL}, sum({name}))" for name, _ in table.sums] + [f"sum({column})" for column in COLUMNS]
    cursor.execute(f"delete from {coarse} where workspace_id = %s and at = %s", [workspace_id, since])
    cursor.execute(
        f"insert into {coarse} (workspace_id, at, {keys}, {', '.join(names)}) "
        f"select workspace_id, %s, {keys}, {', '.join(values)} from {fine} "
        f"where workspace_id = %s and at >= %s and at < %s group by workspace_id, {keys}",
        [since, workspace_id, since, until],
    )
