"""Figures read over a stretch of time, exact at any moment of the hourly sweep."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from orchestration.lib.stats import COLUMNS
from orchestration.telemetry import sums
from orchestration.telemetry.models import SpanHour, SpanMinute
from orchestration.telemetry.rollups import SPANS, roll_hours
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
