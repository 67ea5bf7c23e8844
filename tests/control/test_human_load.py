"""What was asked of people, by day."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from orchestration.control.human_load import human_load
from orchestration.workspaces.models import Workspace
from tests import make

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def test_each_of_thirty_days_has_its_runs_that_asked(workspace: Workspace) -> None:
    flow = make.workflow(workspace)
    make.ended(flow, *[10] * 5, asked=2, at=NOON)
    make.ended(flow, *[10] * 4, asked=3, at=NOON - timedelta(days=1))
    make.ended(flow, *[10] * 4, asked=1, at=NOON - timedelta(days=29))
    make.ended(flow, *[10] * 4, asked=4, at=NOON - timedelta(days=31))

    load = human_load(workspace.pk, NOON)

    assert len(load.days) == 30
    assert [(each.day, each.asked, each.ended) for each in load.days if each.ended] == [
        (date(2026, 10, 24), 1, 4),
        (date(2026, 11, 21), 3, 4),
        (date(2026, 11, 22), 2, 5),
    ]
    assert (load.today.asked, load.asked, load.a_day) == (2, 6, 2.0)


@pytest.mark.parametrize(("zone", "day"), [("UTC", 21), ("Asia/Tokyo", 22), ("nowhere at all", 21)])
def test_a_day_begins_at_the_workspaces_midnight(workspace: Workspace, zone: str, day: int) -> None:
    workspace.zone = zone
    workspace.save()
    make.ended(make.workflow(workspace), 10, asked=1, at=datetime(2026, 11, 21, 20, 0, tzinfo=UTC))

    asked = [each.day for each in human_load(workspace.pk, NOON).days if each.asked]

    assert asked == [date(2026, 11, day)]


def test_nobody_was_asked_where_nothing_ran(workspace: Workspace) -> None:
    load = human_load(workspace.pk, NOON)

    assert (load.asked, load.a_day) == (0, None)
