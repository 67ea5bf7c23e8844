"""What is counted by hour is at any moment what is there."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from orchestration.control import digest
from orchestration.handoffs import quality
from orchestration.handoffs.models import Handoff, PairHour
from orchestration.handoffs.observed import whole_hours
from orchestration.workflows.models import Run
from orchestration.workspaces.models import Workspace
from tests import make
from tests.control.test_digest import SECOND, Sender, settle_all

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("days")]


def take(workspace: Workspace) -> None:
    while digest.digest(workspace.pk):
        pass
    settle_all(workspace)


def counted() -> dict[tuple[datetime, int, int], int]:
    return {(row.at, row.from_agent_id, row.to_agent_id): row.n for row in PairHour.objects.all() if row.n}


def there() -> dict[tuple[datetime, int, int], int]:
    return Counter(
        (row.at.replace(minute=0, second=0, microsecond=0), row.from_agent_id, row.to_agent_id)
        for row in Handoff.objects.all()
    )


def hand_over(sender: Sender, *agents: str, hours_ago: float = 0) -> None:
    """One after the other, below one root."""
    sender.begun -= int(hours_ago * 3600) * SECOND
    root = sender.span("desk flow", gen_ai__operation__name="invoke_workflow")
    for place, agent in enumerate(agents):
        called = {"gen_ai__operation__name": "invoke_agent", "gen_ai__agent__name": agent}
        sender.span(f"invoke_agent {agent}", root, at=place + 0.1, took=0.5, **called)


def test_a_run_that_grows_is_counted_once(workspace: Workspace) -> None:
    sender = Sender(workspace)
    hand_over(sender, "intake", "billing", "desk", hours_ago=2)
    spans = list(sender.spans)
    for until in (2, 4, 4):
        sender.spans = spans[:until]
        sender.deliver()
        take(workspace)
        assert counted() == there()

    assert sum(counted().values()) == Handoff.objects.count() == 2


def test_runs_that_turn_out_to_be_one_are_counted_as_one(workspace: Workspace) -> None:
    first, second, bridge = Sender(workspace), Sender(workspace), Sender(workspace)
    for sender, name in ((first, "a"), (second, "b")):
        hand_over(sender, "intake", "billing", hours_ago=3)
        sender.span("step", sender.spans[0].span_id, baton__run__id=name)
        sender.deliver()
        take(workspace)
    assert sum(counted().values()) == 2

    hand_over(bridge, "intake", hours_ago=3)
    for name in ("a", "b"):
        bridge.span("step", bridge.spans[0].span_id, baton__run__id=name)
    bridge.deliver()
    take(workspace)

    assert Run.objects.filter(merged_into=None).count() == 1
    assert counted() == there()
    assert sum(counted().values()) >= 2


def test_a_page_counts_hours_and_their_edges_once(workspace: Workspace) -> None:
    for hours_ago in (0.2, 1, 2, 5, 26):
        sender = Sender(workspace)
        hand_over(sender, "intake", "billing", hours_ago=hours_ago)
        sender.deliver()
    take(workspace)
    now = timezone.now()
    desk = make.agent(workspace, "desk")  # whose one handoff was told otherwise later
    PairHour.objects.create(
        workspace=workspace, at=whole_hours(now - timedelta(hours=4), now)["first_hour"],
        from_agent_id=desk.pk, to_agent_id=make.agent(workspace, "billing").pk, n=0,
    )  # fmt: skip

    for hours in (0.5, 3, 24, 48):
        since = now - timedelta(hours=hours)
        seen = sum(line.seen for line in quality.pairs(workspace.pk, since, now, now))
        assert seen == Handoff.objects.filter(at__gte=since, at__lt=now).count()
    assert seen == 5
    assert len(quality.pairs(workspace.pk, since, now, now)) == 1


@pytest.mark.parametrize(
    ("since", "until", "hours"),
    [("10:00", "12:00", ("10:00", "12:00")), ("10:01", "12:59", ("11:00", "12:00")), ("10:01", "10:59", None)],
)
def test_whole_hours_lie_within(since: str, until: str, hours: tuple[str, str] | None) -> None:
    def at(text: str) -> datetime:
        return datetime.fromisoformat(f"2026-11-02T{text}").replace(tzinfo=UTC)

    found = whole_hours(at(since), at(until))

    first, last = hours or (until, until)
    assert (found["first_hour"], found["last_hour"]) == (at(first), at(last))
