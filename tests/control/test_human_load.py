"""What was asked of people, by day."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest

from orchestration.control.human_load import human_load
from orchestration.holds import capacity
from orchestration.holds.capacity import Strength
from orchestration.holds.models import Hold
from orchestration.policies.models import Decision
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


def ask(space: Workspace, days_ago: int, n: int = 1, verdict: str = "") -> None:
    at = NOON - timedelta(days=days_ago)
    Hold.objects.bulk_create(
        Hold(workspace=space, source="agent", agent="a", question="?", proposal="p", why="w", opened_at=at,
             verdict=verdict, state="applied" if verdict else "open")
        for _ in range(n)
    )  # fmt: skip


def tell(space: Workspace, days_ago: int, verdict: str, effect: str = "hold") -> None:
    at = NOON - timedelta(days=days_ago)
    values = {"agent": "a", "action_type": "refund", "effect": effect, "facts": {}, "answer": {}, "imported": True}
    Decision.objects.create(workspace=space, id=uuid4(), at=at, verdict=verdict, **values)


def bear(space: Workspace, a_day: float) -> None:
    capacity.note(space.pk, Strength(2, a_day, 60.0, 100), NOON)


def test_a_day_is_split_by_whether_the_reviewer_changed_the_outcome(workspace: Workspace) -> None:
    for verdict in ("", "approve", "approve", "reject", "amend", "more"):
        ask(workspace, 1, verdict=verdict)

    (day,) = [each for each in human_load(workspace.pk, NOON).days if each.asked]

    assert (day.asked, day.changed, day.unchanged) == (6, 3, 2)


def test_verdicts_told_from_elsewhere_count_like_those_given_here(workspace: Workspace) -> None:
    tell(workspace, 2, "approve")
    tell(workspace, 2, "reject")
    tell(workspace, 2, "", effect="allow")
    ask(workspace, 2, verdict="approve")

    load = human_load(workspace.pk, NOON)

    assert (load.asked, load.changed, load.unchanged, load.unchanged_share) == (3, 1, 2, 2 / 3)


def test_days_before_the_first_question_show_runs_that_asked(workspace: Workspace) -> None:
    flow = make.workflow(workspace)
    make.ended(flow, *[10] * 5, asked=4, at=NOON - timedelta(days=3))
    make.ended(flow, *[10] * 5, asked=4, at=NOON - timedelta(days=1))
    ask(workspace, 2, 3)

    load = human_load(workspace.pk, NOON)

    assert [each.asked for each in load.days[-4:]] == [4, 3, 0, 0]
    assert load.tickets


def test_three_days_in_a_row_over_capacity_are_exceeding_it(workspace: Workspace) -> None:
    bear(workspace, 5)
    ask(workspace, 1, 8)
    ask(workspace, 2, 7)
    load = human_load(workspace.pk, NOON)
    assert (load.over_days, load.exceeded) == (2, False)

    ask(workspace, 3, 6)
    load = human_load(workspace.pk, NOON)
    assert (load.over_days, load.exceeded, load.over_a_day) == (3, True, 2.0)


def test_without_hours_nothing_is_over(workspace: Workspace) -> None:
    ask(workspace, 1, 8)
    load = human_load(workspace.pk, NOON)

    assert (load.capacity_a_day, load.over_a_day, load.overrun.state) == (None, None, "unknown")


@pytest.mark.parametrize(("now", "then", "grew"), [(20, 10, True), (11, 10, False), (12, 0, False), (3, 2, False)])
def test_growth_is_more_than_a_fifth_and_more_than_chance(
    workspace: Workspace, now: int, then: int, grew: bool
) -> None:
    for day in range(1, 8):
        ask(workspace, day, now)
        ask(workspace, day + 28, then)
    ask(workspace, 0, 100)  # today is not over, and does not count

    load = human_load(workspace.pk, NOON)

    assert load.weeks == (7 * now, 7 * then)
    assert load.grew is grew


def test_a_week_that_began_with_its_last_days_is_no_week_to_compare_with(workspace: Workspace) -> None:
    for day in range(1, 31):
        ask(workspace, day, 20)

    load = human_load(workspace.pk, NOON)

    assert load.weeks == (140, 0)
    assert load.growth is None
    assert not load.grew


def test_policies_that_went_live_are_named_on_their_day(workspace: Workspace) -> None:
    policy = make.policy(workspace)
    policy.versions.update(published_at=NOON - timedelta(days=4))
    news = human_load(workspace.pk, NOON).published

    assert [(each.day, each.policy) for each in news] == [(date(2026, 11, 18), "Refund limit")] * len(news)
    assert news
