"""Runs in progress over a window, from when runs ended and how long they took."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from orchestration.control.overview import overview
from orchestration.control.points import under_way
from orchestration.lib.stats import BUCKETS, bucket
from orchestration.workflows.paces import NOTHING, Pace
from orchestration.workspaces.models import Workspace
from tests import make

HOUR = timedelta(hours=1)


def ended(hours: float, n: int = 1) -> Pace:
    counts = [0] * BUCKETS
    counts[bucket(round(hours * 3_600_000_000))] = n
    return Pace(n, 0, 0, tuple(counts))


def test_short_runs_are_in_progress_for_their_share_of_the_part() -> None:
    assert under_way([NOTHING, ended(0.1, n=20)], [0, 0], HOUR) == [0.0, pytest.approx(2, rel=0.13)]


def test_a_long_run_was_in_progress_in_every_part_it_spans() -> None:
    first, second, third, last = under_way([NOTHING, NOTHING, NOTHING, ended(2.5)], [0] * 4, HOUR)

    assert (second, third, last) == (1.0, 1.0, 0.5)
    assert first == pytest.approx(0, abs=0.4)


def test_nothing_is_lost_but_what_lies_before_the_window() -> None:
    assert sum(under_way([ended(5)], [0], HOUR)) == 0.5


def test_open_runs_are_in_progress_from_their_begin_on() -> None:
    assert under_way([NOTHING] * 3, [2, 4, 0], HOUR) == [1.0, 4.0, 6.0]


@pytest.mark.django_db
def test_runs_that_are_not_over_count_from_where_they_began(workspace: Workspace) -> None:
    now = timezone.now()
    make.run(workspace, status="running", started_at=now - timedelta(minutes=30))
    make.run(workspace, status="waiting", started_at=now - timedelta(hours=5))
    make.run(workspace, status="completed", started_at=now - timedelta(minutes=20))

    points = overview(workspace.pk, HOUR, now).points.in_progress

    assert points[1] == 1.0
    assert points[-1] == 2.0
