"""Figures in equal parts of a window, against the same counted minute by minute."""

from __future__ import annotations

import random
from bisect import bisect_right
from datetime import UTC, datetime, timedelta

import pytest

from orchestration.telemetry import sums
from orchestration.telemetry.models import SpanHour, SpanMinute
from orchestration.telemetry.parts import in_parts, summed
from orchestration.telemetry.rollups import HOUR, SPANS, Tally, book, roll_hours
from orchestration.workspaces.models import Workspace
from tests import make

pytestmark = pytest.mark.django_db
POINTS = 24
TABLES = {"span": SPANS}
NOW = datetime.now(UTC).replace(minute=19, second=7, microsecond=5)
COLUMNS = ("agent_id", "n", "errors", "b20")  # 100 ms falls into the last
Counts = dict[tuple[int, int], tuple[int, ...]]


def read(workspace: Workspace, since: datetime, until: datetime) -> Counts:
    rows = in_parts(SPANS, workspace.pk, (since, until), POINTS, COLUMNS)
    values = ["sum(n)", "sum(errors)", "sum(b20)"]
    return {
        (part, agent): tuple(map(sums.count, counts))
        for part, agent, *counts in summed(rows, ["agent_id"], values)
        if any(counts)
    }


def counted(since: datetime, until: datetime, touched: set[datetime]) -> Counts:
    """By hand: an hour that is whole and swept counts by its start, any other minute by its own."""
    bounds = [since + place * (until - since) / POINTS for place in range(1, POINTS)]
    first, found = sums.to_minute(since), dict[tuple[int, int], tuple[int, ...]]()
    for row in SpanMinute.objects.filter(at__gte=first, at__lt=until):
        hour = row.at.replace(minute=0)
        whole = first <= hour and hour + HOUR <= until and hour not in touched
        key = bisect_right(bounds, hour if whole else row.at), row.agent_id
        n, errors, waits = found.get(key, (0, 0, 0))
        found[key] = n + row.n, errors + row.errors, waits + (getattr(row, "b20") or 0)  # noqa: B009  made in a loop
    return found


def scatter(workspace: Workspace, days: int, seed: int, rows: int = 250) -> random.Random:
    chance = random.Random(seed)
    who = [make.agent(workspace, name) for name in ("triage", "refund")]
    tally = Tally(SPANS)
    for _ in range(rows):
        at = NOW - timedelta(minutes=chance.randrange(days * 1440))
        n, failures = chance.randint(1, 9), chance.randint(0, 1)
        make.calls(workspace, chance.choice(who), n=n, failures=failures, at=at, into=tally)
    book(workspace.pk, tally)
    roll_hours(TABLES, 60)
    return chance


# All windows in one test: the month they lie in takes longer to make than they take to read.
def test_every_part_has_what_its_hours_have(workspace: Workspace) -> None:
    scatter(workspace, 30, 7)

    for hours in (1, 24, 7 * 24, 12 * 24, 13 * 24, 20 * 24, 24 * 24, 30 * 24):
        for until in (NOW, NOW - timedelta(hours=5), NOW.replace(hour=0, minute=0, second=0, microsecond=0)):
            since = until - timedelta(hours=hours)
            assert read(workspace, since, until) == counted(since, until, set()), (hours, until)


def test_hours_that_changed_since_the_sweep_count_too(workspace: Workspace) -> None:
    chance = scatter(workspace, 30, 5)
    late = [NOW - timedelta(minutes=chance.randrange(30 * 1440)) for _ in range(9)]
    for at in late:
        make.calls(workspace, make.agent(workspace, "late"), n=3, at=at)
    touched = {at.replace(minute=0, second=0, microsecond=0) for at in late}
    since = NOW - timedelta(days=30)

    assert read(workspace, since, NOW) == counted(since, NOW, touched)


def test_a_month_reads_days_and_not_all_of_their_hours(workspace: Workspace) -> None:
    scatter(workspace, 30, 6)
    since = NOW - timedelta(days=30)
    opened = in_parts(SPANS, workspace.pk, (since, NOW), POINTS, COLUMNS)

    tiles = max(len(each) for each in opened.params if isinstance(each, list))

    assert tiles < 720 / 4
    assert "telemetry_spanday" in opened.sql


def test_a_part_in_which_nothing_happened_has_nothing(workspace: Workspace) -> None:
    make.calls(workspace, make.agent(workspace), n=4, at=NOW - timedelta(days=10))
    roll_hours(TABLES)

    found = read(workspace, NOW - timedelta(days=30), NOW)

    assert list(found.values()) == [(4, 0, 4)]
    assert SpanHour.objects.count() == 1
