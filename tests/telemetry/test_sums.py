"""Figures read over a stretch of time, exact at any moment of the hourly sweep."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest

from orchestration.lib.stats import COLUMNS
from orchestration.telemetry import sums
from orchestration.telemetry.models import SpanDay, SpanHour, SpanMinute
from orchestration.telemetry.rollups import SPANS, Tally, book, roll_hours, to_day
from orchestration.workspaces.models import Workspace
from tests import make

pytestmark = pytest.mark.django_db
NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=3)
TABLES = {"span": SPANS}


def counted(workspace: Workspace, since: datetime, until: datetime) -> int:
    rows = sums.stretch(SPANS, workspace.pk, since, until, ("n", "kind", *COLUMNS))
    return sums.count(sums.grouped(rows, (), "sum(n)")[0][0])


def test_minutes_of_an_hour_are_added_up(workspace: Workspace) -> None:
    for minute in (0, 1, 59):
        make.calls(workspace, n=2, at=NOON + timedelta(minutes=minute))

    assert counted(workspace, NOON, NOON + timedelta(hours=1)) == 6
    assert counted(workspace, NOON + timedelta(minutes=1), NOON + timedelta(minutes=59)) == 2


def test_a_day_is_the_same_before_and_after_the_hours_were_swept(workspace: Workspace) -> None:
    for hour in range(30):
        make.calls(workspace, n=hour + 1, at=NOON + timedelta(hours=hour, minutes=hour))
    since, until = NOON + timedelta(minutes=30), NOON + timedelta(hours=24, minutes=30)
    before = counted(workspace, since, until)

    roll_hours(TABLES)

    assert before == counted(workspace, since, until) == sum(range(2, 26))


def test_whole_hours_come_from_hour_rows(workspace: Workspace) -> None:
    make.calls(workspace, n=5, at=NOON + timedelta(hours=2))
    roll_hours(TABLES)
    SpanMinute.objects.all().delete()

    assert counted(workspace, NOON, NOON + timedelta(hours=4)) == 5


def test_an_hour_that_changed_since_the_sweep_is_read_by_its_minutes(workspace: Workspace) -> None:
    make.calls(workspace, n=5, at=NOON + timedelta(hours=2))
    roll_hours(TABLES)
    make.calls(workspace, n=1, at=NOON + timedelta(hours=2, minutes=7))

    assert SpanHour.objects.get().n == 5
    assert counted(workspace, NOON, NOON + timedelta(hours=4)) == 6


def test_whole_days_come_from_day_rows(workspace: Workspace) -> None:
    make.calls(workspace, n=5, at=NOON)
    roll_hours(TABLES)
    SpanMinute.objects.all().delete()
    SpanHour.objects.all().delete()

    day = to_day(NOON)

    assert counted(workspace, day, day + timedelta(days=1)) == 5
    assert counted(workspace, day - timedelta(hours=7), day + timedelta(hours=25, minutes=3)) == 5
    assert counted(workspace, day + timedelta(minutes=1), day + timedelta(days=1)) == 0


def test_a_day_that_changed_since_the_sweep_is_read_by_its_hours(workspace: Workspace) -> None:
    make.calls(workspace, n=5, at=NOON - timedelta(hours=3))
    roll_hours(TABLES)
    make.calls(workspace, n=1, at=NOON)

    assert SpanDay.objects.get().n == 5
    assert counted(workspace, NOON - timedelta(days=1), NOON + timedelta(days=1)) == 6


@pytest.mark.parametrize("seed", range(4))
def test_a_window_with_any_edges_has_what_its_minutes_have(workspace: Workspace, seed: int) -> None:
    chance = random.Random(seed)
    begin = NOON - timedelta(days=5, minutes=chance.randrange(1440))
    for rows in (150, 10):  # of which the hours are swept, and of which they are not
        tally = Tally(SPANS)
        for _ in range(rows):
            at = begin + timedelta(minutes=chance.randrange(7 * 1440))
            make.calls(workspace, n=chance.randint(1, 9), at=at, into=tally)
        book(workspace.pk, tally)
        if rows == 150:
            roll_hours(TABLES)

    for _ in range(25):
        since = begin + timedelta(minutes=chance.randrange(6 * 1440))
        if chance.random() < 0.3:
            since = to_day(since)
        until = since + chance.choice((timedelta(days=2), timedelta(minutes=chance.randrange(1, 3000))))
        minutes = SpanMinute.objects.filter(at__gte=since, at__lt=until).values_list("n", flat=True)
        assert counted(workspace, since, until) == sum(minutes)


def test_a_window_without_length_has_nothing(workspace: Workspace) -> None:
    make.calls(workspace, at=NOON)

    assert counted(workspace, NOON, NOON) == 0


def test_another_workspace_adds_nothing(workspace: Workspace) -> None:
    make.calls(make.workspace("elsewhere"), n=5, at=NOON)

    assert counted(workspace, NOON, NOON + timedelta(hours=1)) == 0


def test_corrections_below_nothing_count_as_nothing() -> None:
    assert sums.count(-3) == 0
    assert sums.count(None) == 0


@pytest.mark.parametrize(("minutes", "part"), [(0, 0), (59, 23), (30, 12), (-1, 0), (61, 23)])
def test_a_row_falls_into_its_part_of_the_window(workspace: Workspace, minutes: int, part: int) -> None:
    make.calls(workspace, at=NOON + timedelta(minutes=minutes))
    sql, params = sums.part_of(NOON, NOON + timedelta(hours=1), 24)
    rows = sums.stretch(SPANS, workspace.pk, NOON - timedelta(hours=1), NOON + timedelta(hours=2), ("n",))

    cut = sums.Stretch(f"select {sql} as part, * from ({rows.sql}) as r", (*params, *rows.params))

    assert sums.grouped(cut, ("part",), "sum(n)")[0][0] == part
