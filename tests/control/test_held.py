"""What waits for people, in the figures."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from orchestration.control import held
from orchestration.control.attention import attention
from orchestration.control.overview import overview
from orchestration.control.states import census, signs_of, state_of
from orchestration.holds.models import Hold
from orchestration.workspaces.models import Workspace
from tests import make

pytestmark = pytest.mark.django_db


def hold(space: Workspace, agent: str = "refund", **more: Any) -> Hold:
    fields = {"source": "agent", "question": "May it?", "proposal": "refund", "why": "over"}
    return Hold.objects.create(workspace=space, agent=agent, **(fields | more))


def test_an_agent_with_an_open_hold_is_held(workspace: Workspace) -> None:
    now = timezone.now()
    refund, quiet = make.agent(workspace, "refund-bot"), make.agent(workspace, "never-heard")
    make.pulse(refund, now)
    hold(workspace, "Refund_Bot")
    hold(workspace, "never-heard", application="desk", state="decided")

    signs = signs_of(workspace.pk)

    assert [state_of(signs[each.pk], now) for each in (refund, quiet)] == ["held", "held"]
    assert census(workspace.pk, now).active == 2


@pytest.mark.parametrize("state", ["applied", "expired", "cancelled"])
def test_a_hold_that_has_ended_holds_nobody(workspace: Workspace, state: str) -> None:
    make.agent(workspace, "refund")
    hold(workspace, state=state)

    assert held.held_agents(workspace.pk) == set()


def test_a_bare_name_of_two_agents_holds_neither(workspace: Workspace) -> None:
    one, _ = make.agent(workspace, "refund", "desk"), make.agent(workspace, "refund", "shop")
    hold(workspace, "refund")
    assert held.held_agents(workspace.pk) == set()

    hold(workspace, "refund", application="desk")

    assert held.held_agents(workspace.pk) == {one.pk}


def test_holds_of_another_workspace_count_nowhere_here(workspace: Workspace) -> None:
    make.agent(workspace, "refund")
    hold(make.workspace("other"), due_at=timezone.now() - timedelta(hours=1))

    assert held.held_agents(workspace.pk) == set()
    assert held.late(workspace.pk, timezone.now()) is None
    assert held.waiting(workspace.pk, 0) == 0


def test_the_overview_counts_a_run_that_waits_and_has_a_hold_once(workspace: Workspace) -> None:
    make.ended(make.workflow(workspace), *[10] * 8, asked=2)
    both = make.run(workspace, status="waiting", escalations=1)
    make.run(workspace, status="waiting", escalations=1)
    hold(workspace, run_id=both.id)
    hold(workspace)

    found = overview(workspace.pk, timedelta(hours=1), timezone.now())

    assert (found.holds.open, found.holds.per_100_runs) == (3, 37.5)


def test_holds_that_are_late_need_somebody(workspace: Workspace) -> None:
    now = timezone.now()
    for minutes in (-90, -10, 30):
        hold(workspace, due_at=now + timedelta(minutes=minutes))

    item = next(item for item in attention(workspace.pk, now) if item.kind == "overdue")

    assert (item.count, item.held_up, item.since) == (2, 2, now - timedelta(minutes=90))
