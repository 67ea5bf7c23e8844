"""Days as partitions: made ahead, dropped when old, never in the way of a writer.

There is no default partition, since with one PostgreSQL refuses to detach concurrently. So every day between the
oldest kept and tomorrow has a partition, and what lies outside is refused before it is written (`kept`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db import connection, models, transaction
from django.db.models import Max
from django.db.utils import OperationalError

from orchestration.workspaces.models import Workspace

PARTITIONED = ("telemetry_span", "telemetry_logrecord")
AHEAD_DAYS = 3
MAKE_LOCK = 0x6261_7470
DROP_LOCK = 0x6261_7471
DAY_NAME = re.compile(r"_(\d{8})$")
SLICE = 20_000
DAY_US = 86_400_000_000
EPOCH_DAY = date(2000, 1, 1)


@dataclass(frozen=True, slots=True)
class Partition:
    table: str
    name: str
    day: date


def longest_span_days() -> int:
    """The longest retention of any workspace: partitions are shared, so they live that long."""
    found = Workspace.objects.aggregate(longest=Max("span_days"))["longest"]
    return int(found) if found else 30


def partitions(cursor: Any) -> list[Partition]:
    cursor.execute(
        "select p.relname, c.relname from pg_inherits i join pg_class p on p.oid = i.inhparent "
        "join pg_class c on c.oid = i.inhrelid where p.relname = any(%s) and not i.inhdetachpending",
        [list(PARTITIONED)],
    )
    found = []
    for table, name in cursor.fetchall():
        match = DAY_NAME.search(name)
        if match:
            found.append(Partition(table, name, datetime.strptime(match[1], "%Y%m%d").replace(tzinfo=UTC).date()))
    return sorted(found, key=lambda p: (p.table, p.day))


def ensure_partitions(first: date | None = None, last: date | None = None) -> int:
    """Make the missing partitions from `first` (default: retention ago) to `last` (default: a few days ahead).

    Returns how many were made. Safe when two run: a lock, and `if not exists`.
    """
    today = datetime.now(UTC).date()
    first = first or today - timedelta(days=longest_span_days())
    last = last or today + timedelta(days=AHEAD_DAYS)
    with transaction.atomic(), connection.cursor() as cursor:
        if not _missing(cursor, first, last):
            return 0  # nearly always, and then nobody waits for the lock, which lasts as long as the transaction
        cursor.execute("select pg_advisory_xact_lock(%s)", [MAKE_LOCK])
        missing = _missing(cursor, first, last)
        for table, day in missing:
            cursor.execute(
                f"create table if not exists {table}_{day:%Y%m%d} partition of {table} "
                f"for values from ('{day} 00:00+00') to ('{day + timedelta(days=1)} 00:00+00')"
            )
    return len(missing)


def _missing(cursor: Any, first: date, last: date) -> list[tuple[str, date]]:
    have = {(p.table, p.day) for p in partitions(cursor)}
    return [(table, day) for table in PARTITIONED for day in _days(first, last) if (table, day) not in have]


_made: set[int] = set()


def need_days(first: int, last: int) -> None:
    """Make the partitions of the days from one start to another (microseconds since 2000) if they are missing.

    Beat makes them ahead; this is for the time after a long stop, and for old data that an import brings.
    """
    days = set(range(first // DAY_US, last // DAY_US + 1)) - _made
    if not days:
        return
    for day in sorted(days):
        at = EPOCH_DAY + timedelta(days=day)
        ensure_partitions(at, at)
    transaction.on_commit(lambda: _made.update(days))  # what is rolled back takes its partitions with it


def forget() -> None:
    """Empty the memory of days that have a partition: when one may have been dropped, and between tests."""
    _made.clear()


def _days(first: date, last: date) -> Iterator[date]:
    for n in range((last - first).days + 1):
        yield first + timedelta(days=n)


def drop_old(today: date | None = None) -> list[str]:
    """Drop the partitions of days beyond retention in which nothing was received lately; returns their names.

    Detaching concurrently needs no lock on the parent that a writer would wait for. It cannot run inside a
    transaction; what was cut short is finished by the next call. One at a time: a second call does nothing.
    """
    today = today or datetime.now(UTC).date()
    oldest = today - timedelta(days=longest_span_days() + 1)
    with connection.cursor() as cursor:
        cursor.execute("select pg_try_advisory_lock(%s)", [DROP_LOCK])
        if not cursor.fetchone()[0]:
            return []
        try:
            _finish_dropping(cursor)
            old = [p for p in partitions(cursor) if p.day < oldest and not _received_lately(cursor, p, oldest)]
            for partition in old:
                cursor.execute(f"alter table {partition.table} detach partition {partition.name} concurrently")
                cursor.execute(f"drop table {partition.name}")
        finally:
            cursor.execute("select pg_advisory_unlock(%s)", [DROP_LOCK])
    return [partition.name for partition in old]


def forget_days(workspace_id: int, span_days: int, today: date | None = None) -> int:
    """Empty old days of one workspace that keeps them shorter than another one, for which their partitions stay."""
    if span_days >= longest_span_days():
        return 0
    oldest = (today or datetime.now(UTC).date()) - timedelta(days=span_days + 1)
    with connection.cursor() as cursor:
        old = [p for p in partitions(cursor) if p.day < oldest and _holds(cursor, p, workspace_id)]
        gone = [p for p in old if not _received_lately(cursor, p, oldest, workspace_id)]
    return sum(_forget(p.name, "", [], workspace_id) for p in gone)


def _holds(cursor: Any, partition: Partition, workspace_id: int) -> bool:
    cursor.execute(f"select exists (select 1 from {partition.name} where workspace_id = %s)", [workspace_id])
    return bool(cursor.fetchone()[0])


def _received_lately(cursor: Any, partition: Partition, oldest: date, workspace_id: int | None = None) -> bool:
    """Retention counts from receipt: an imported old day lives as long as data arrived in it recently."""
    cursor.execute(
        "select exists (select 1 from workflows_trace where started_at < %s and ended_at >= %s and received_at >= %s "
        "and (%s::bigint is null or workspace_id = %s))",
        [partition.day + timedelta(days=1), partition.day, oldest, workspace_id, workspace_id],
    )
    return bool(cursor.fetchone()[0])


def days_received_since(workspace_id: int, since: datetime, before: datetime) -> list[datetime]:
    """Starts of days before `before` in which something lies that was received at `since` or later: an import's."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select distinct day from workflows_trace, generate_series(date_trunc('day', started_at, 'UTC'), "
            "least(ended_at, %s), interval '1 day') day "
            "where workspace_id = %s and received_at >= %s and started_at < %s",
            [before, workspace_id, since, before],
        )
        return [row[0] for row in cursor]


def _finish_dropping(cursor: Any) -> None:
    """Days whose dropping was cut short: half detached, or detached and left behind. One that is left behind would
    keep its name, and with it the day from ever having a partition again."""
    cursor.execute(
        "select p.relname, c.relname from pg_inherits i join pg_class p on p.oid = i.inhparent "
        "join pg_class c on c.oid = i.inhrelid where p.relname = any(%s) and i.inhdetachpending",
        [list(PARTITIONED)],
    )
    for table, name in cursor.fetchall():
        cursor.execute(f"alter table {table} detach partition {name} finalize")
    cursor.execute(
        "select c.relname from pg_class c where c.relkind = 'r' and pg_table_is_visible(c.oid) and c.relname ~ %s "
        "and not exists (select 1 from pg_inherits i where i.inhrelid = c.oid)",
        [rf"^({'|'.join(PARTITIONED)})_\d{{8}}$"],
    )
    for (name,) in cursor.fetchall():
        cursor.execute(f"drop table {name}")


def forget_rows(
    model: type[models.Model],
    column: str,
    before: datetime,
    workspace_id: int,
    spared: tuple[str, tuple[Any, ...]] = ("false", ()),
) -> int:
    """Delete rows of one workspace older than `before`. Not for partitioned tables, whose rows share their places.
    `spared`: a condition on a row `r`, and its values, that keeps the row all the same."""
    condition, values = spared
    return _forget(model._meta.db_table, f" and {column} < %s and not ({condition})", [before, *values], workspace_id)


def _forget(table: str, where: str, params: list[Any], workspace_id: int) -> int:
    """In slices, so that no lock is held for long."""
    total = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(
                f"delete from {table} where ctid = any(array(select r.ctid from {table} r "
                f"where r.workspace_id = %s{where} limit %s))",
                [workspace_id, *params, SLICE],
            )
            deleted = int(cursor.rowcount)
            total += deleted
            if deleted < SLICE:
                return total


def try_keep() -> dict[str, Any]:
    """The hourly round: partitions ahead, old days dropped, old figures deleted. Returns what was done."""
    made = ensure_partitions()
    try:
        dropped = drop_old()
    except OperationalError as error:  # a reader holds the day open: the next round tries again
        dropped = [f"not now: {type(error).__name__}"]
    return {"made": made, "dropped": dropped}
